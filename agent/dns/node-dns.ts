import type { Clock } from "../../shared/clock.ts";
import type { PodSpec } from "../../shared/kubernetes/types.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import { loopbackAddressOf } from "../network/addressing.ts";
import type { ClusterNetwork, NetworkState } from "../network/network-state.ts";
import { createDnsServer } from "./dns-server.ts";
import { podDnsOf } from "./pod-dns.ts";
import { parseResolvConf, type ResolverConfig } from "./resolv-conf.ts";
import { createUpstream } from "./upstream.ts";
import { createZone, type Zone } from "./zone.ts";

export interface NodeDnsOptions {
  readonly instance: string;
  readonly domain: string;
  readonly serviceAddresses: "clusterIp" | "endpoints";
  /** Where pods with addresses of their own ask; undefined when there are none. */
  readonly nodeAddress: string | undefined;
  /** The text of the machine's resolv.conf; empty when there is none. */
  readonly readResolvConf: () => Promise<string>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Default 53; nothing else can be written into a resolv.conf. */
  readonly port?: number;
}

/** Names for the pods of a node. The cluster of a question follows from the address of the pod that asks, or, for pods without one, from the address asked. */
export interface NodeDns {
  start(): Promise<void>;
  update(state: NetworkState): void;
  /** A pod's resolver configuration. Where cluster DNS cannot answer (no right to bind port 53) the machine's own, with a warning in the log. */
  configFor(
    cluster: string,
    namespace: string,
    spec: Pick<PodSpec, "dnsPolicy" | "dnsConfig" | "hostNetwork">,
  ): Promise<ResolverConfig | undefined>;
  stop(): Promise<void>;
}

export function createNodeDns(options: NodeDnsOptions): NodeDns {
  const { instance, domain, serviceAddresses, nodeAddress, log, port = 53 } = options;
  const zones = new Map<string, { readonly input: ClusterNetwork; zone: Zone | undefined }>();
  const clusterOfPod = new Map<string, string>();
  const ownAddresses = new Set<string>();
  const loopbacks = new Map<string, Promise<(() => Promise<void>) | undefined>>();
  const hostConfig = async (): Promise<ResolverConfig> => parseResolvConf(await options.readResolvConf());

  const server = createDnsServer({
    upstream: createUpstream({
      servers: async () => (await hostConfig()).servers.filter((address) => !ownAddresses.has(address)),
      clock: options.clock,
    }),
    random: options.random,
    log,
  });

  /** Built by the first question after a change: most clusters of a pool are not asked about between two changes. */
  const zoneOf = (cluster: string): Zone | undefined => {
    const entry = zones.get(cluster);
    if (entry === undefined) return undefined;
    entry.zone ??= createZone({ ...entry.input, domain, serviceAddresses });
    return entry.zone;
  };

  /** How to end the listener; undefined when there can be none. */
  const listenFor = (cluster: string): Promise<(() => Promise<void>) | undefined> => {
    const known = loopbacks.get(cluster);
    if (known !== undefined) return known;
    const address = loopbackAddressOf(instance, cluster);
    const listening = server
      .listen(address, port, () => zoneOf(cluster))
      .then(({ close }) => {
        ownAddresses.add(address);
        return close;
      })
      .catch((cause: unknown) => {
        log.warn("cluster DNS cannot listen for pods without an address", {
          address,
          reason: cause instanceof Error ? cause.message : String(cause),
        });
        return undefined;
      });
    loopbacks.set(cluster, listening);
    return listening;
  };

  return {
    async start() {
      if (nodeAddress === undefined) return;
      await server.listen(nodeAddress, port, (remote) => {
        const cluster = clusterOfPod.get(remote);
        return cluster === undefined ? undefined : zoneOf(cluster);
      });
      ownAddresses.add(nodeAddress);
    },
    update({ clusters }) {
      const ids = new Set(clusters.map(({ id }) => id));
      for (const id of zones.keys()) if (!ids.has(id)) zones.delete(id);
      for (const [id, listening] of loopbacks) {
        if (ids.has(id)) continue;
        loopbacks.delete(id);
        void listening.then((close) => close?.());
      }
      clusterOfPod.clear();
      for (const cluster of clusters) {
        const known = zones.get(cluster.id);
        if (known?.input.services !== cluster.services || known.input.endpointSlices !== cluster.endpointSlices) {
          zones.set(cluster.id, { input: cluster, zone: undefined });
        }
        for (const { ip } of cluster.pods) clusterOfPod.set(ip, cluster.id);
      }
    },
    async configFor(cluster, namespace, spec) {
      const host = await hostConfig();
      const context = { namespace, clusterServer: nodeAddress ?? "", clusterDomain: domain, host };
      const policy = spec.dnsPolicy ?? "ClusterFirst";
      if (policy === "Default" || policy === "None") return podDnsOf(spec, context);
      const onHost = nodeAddress === undefined || spec.hostNetwork === true;
      if (!onHost) return podDnsOf(spec, context);
      if (nodeAddress !== undefined && policy === "ClusterFirst") return podDnsOf(spec, context);
      if ((await listenFor(cluster)) === undefined) return podDnsOf({ ...spec, dnsPolicy: "Default" }, context);
      return podDnsOf({ ...spec, hostNetwork: false }, { ...context, clusterServer: loopbackAddressOf(instance, cluster) });
    },
    stop: () => server.close(),
  };
}
