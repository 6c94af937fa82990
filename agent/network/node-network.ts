import { readFile } from "node:fs/promises";
import type { Clock } from "../../shared/clock.ts";
import { parseIpv4 } from "../../shared/kubernetes/ipv4.ts";
import type { PodSpec } from "../../shared/kubernetes/types.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import { createNodeDns } from "../dns/node-dns.ts";
import type { ResolverConfig } from "../dns/resolv-conf.ts";
import { bridgeNameOf, nodeAddressOf, tableNameOf } from "./addressing.ts";
import { type ApiProxy, createApiProxy } from "./api-proxy.ts";
import { createRulesetApplier } from "./apply.ts";
import { type CniNetwork, defaultCniDataDir, ensureCniNetwork, releaseCniNetwork } from "./cni.ts";
import { createConntrackCleaner } from "./conntrack.ts";
import {
  addLoopbackAddress,
  canMapPorts,
  dropsForwarded,
  enableBridgeFiltering,
  enableForwarding,
  machineCidrs,
  mtuOf,
  removeLink,
  removeLoopbackAddress,
} from "./machine.ts";
import type { NetworkState } from "./network-state.ts";
import { rulesetOf } from "./nftables.ts";
import { overlayHeaderBytes } from "./overlay.ts";
import { createPeerNetwork, type PeerNetwork } from "./peer-network.ts";
import { type RunCommand, runCommand } from "./run-command.ts";
import { clearRange } from "./stale-bridges.ts";

export interface NodeNetworkOptions {
  /** The name of the Node objects: endpoints with this name are local. */
  readonly nodeName: string;
  /** Names this agent among those of the machine (`agentInstance`): table, bridge and addresses follow from it. Default: the node's name. */
  readonly instance?: string;
  /**
   * `bridge`: pods have addresses of their own (containerd), services have rules. `host`: pods share the machine's address (processes); only names
   * are served, and they lead to the endpoints.
   */
  readonly mode: "bridge" | "host";
  /** The node's range of pod addresses, such as `10.128.3.0/24`; undefined: one that follows from the node's name and is free here. */
  readonly podCidr: string | undefined;
  /** Where the pods' API server is: `https://host:port`. */
  readonly serverUrl: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Default `cluster.local`. */
  readonly clusterDomain?: string;
  /** `topology.kubernetes.io/zone` of the node, for topology hints. */
  readonly zone?: string;
  /** containerd's directory of network configurations; default `/etc/cni/net.d`. */
  readonly cniConfDir?: string;
  readonly cniBinDirs?: readonly string[];
  readonly cniDataDir?: string;
  /** Destinations besides other machines' pods that pods reach under their own address; default: none. */
  readonly nonMasqueradeCidrs?: readonly string[];
  /** The way to the pods of the pool's other machines; absent: there is none. */
  readonly peering?: {
    readonly pool: string;
    /** The address of this machine that the others know. */
    readonly address: string;
    /** Plain routes to machines of the same network segment instead of VXLAN. */
    readonly directRoutes: boolean;
  };
  /** The way to the API server, where it is not just passing connections on to `serverUrl`. The network closes it. */
  readonly apiProxy?: ApiProxy;
  /** The machine's resolvers; default `/etc/resolv.conf`. */
  readonly resolvConfPath?: string;
  readonly run?: RunCommand;
}

/** The network of one node: addresses of pods, services, names, and the way to the API server. */
export interface NodeNetwork {
  /** Needs root in mode `bridge`. Safe to repeat after a crash: what is there already is taken over. */
  start(): Promise<void>;
  /**
   * Makes the network what `state` says; resolves when that, or a later state, holds. A pod must be part of a state before its containers start, or
   * its first names and connections are nobody's.
   */
  update(state: NetworkState): Promise<void>;
  /** For `SandboxSpec.dns`, by the pod's `dnsPolicy` and `dnsConfig`; undefined: the machine's own. */
  dnsFor(pod: { readonly cluster: string; readonly namespace: string; readonly spec: DnsSpec }): Promise<ResolverConfig | undefined>;
  /** The range of the pods' addresses, for the Node's `spec.podCIDR`; undefined before `start`, in mode `host`, and with a foreign network plugin. */
  podCidr(): string | undefined;
  /** Ends the listeners; rules and pods go on without the agent. With `remove`, when the node leaves: nothing of it stays behind. */
  stop(options?: { readonly remove: boolean }): Promise<void>;
}

type DnsSpec = Pick<PodSpec, "dnsPolicy" | "dnsConfig" | "hostNetwork">;

const apiPort = 6_443;
/** How often a table that someone else took away is noticed. */
const verifyPeriodMs = 60_000;
const defaultCniBinDirs = ["/opt/cni/bin", "/usr/lib/cni"];

export function createNodeNetwork(options: NodeNetworkOptions): NodeNetwork {
  const {
    nodeName,
    instance = nodeName,
    clock,
    log,
    mode,
    run = runCommand,
    cniConfDir = "/etc/cni/net.d",
    resolvConfPath = "/etc/resolv.conf",
  } = options;
  const { cniDataDir = defaultCniDataDir, peering } = options;
  const bridged = mode === "bridge";
  const address = nodeAddressOf(instance);
  const table = tableNameOf(instance);
  const place = { nodeName, zone: options.zone };
  const applier = createRulesetApplier(table, run, log);
  const conntrack = createConntrackCleaner(place, run, log);
  const proxy = options.apiProxy ?? createApiProxy({ serverUrl: options.serverUrl, clock, log });
  const dns = createNodeDns({
    instance,
    domain: options.clusterDomain ?? "cluster.local",
    serviceAddresses: bridged ? "clusterIp" : "endpoints",
    nodeAddress: bridged ? address : undefined,
    readResolvConf: () => readFile(resolvConfPath, "utf8").catch(() => ""),
    clock,
    log,
    random: options.random,
  });

  let network: CniNetwork | undefined;
  let peerNetwork: PeerNetwork | undefined;
  /** Routes are looked at too, not only brought in line with what changed. */
  let restoring = false;
  let bridgeFiltering = true;
  let latest: NetworkState | undefined;
  let running: Promise<void> | undefined;
  let cancelVerify = (): void => {};
  /** From then on nothing is written any more: what `remove` took away must not come back. */
  let stopped = false;
  const ownRange = (): string | undefined => (network === undefined || network.kind === "foreign" ? undefined : network.podCidr);

  const applyOnce = async (state: NetworkState): Promise<void> => {
    const ruleset = rulesetOf({
      table,
      state,
      place,
      podCidr: ownRange(),
      nonMasqueradeCidrs: options.nonMasqueradeCidrs ?? [],
      peerRanges: peerNetwork?.plan(state.peers).ranges ?? [],
      apiTarget: { ip: address, port: apiPort },
      masqueradeWithinBridge: !bridgeFiltering,
    });
    if ((await applier.apply(ruleset)) !== "unchanged") await conntrack.clean(state);
    const again = restoring;
    restoring = false;
    try {
      await peerNetwork?.apply(state.peers, again);
    } catch (cause) {
      // Pods here start and serve each other all the same; it is tried again with the next look.

      log.error("the way to other machines' pods is not complete", cause);
    }
  };

  /** One transaction at a time; states that arrive meanwhile are one. */
  const applyLatest = (): Promise<void> => {
    running ??= (async () => {
      try {
        for (let state = latest; state !== undefined && !stopped; ) {
          await applyOnce(state);
          const next = latest;
          state = next === state ? undefined : next;
        }
      } finally {
        running = undefined;
      }
    })();
    return running;
  };

  const verify = async (): Promise<void> => {
    try {
      if (latest !== undefined && running === undefined) {
        await applier.verify();
        restoring = true;
        await applyLatest();
      }
    } catch (cause) {
      log.error("service rules cannot be restored", cause, { table });
    }
    if (!stopped) cancelVerify = clock.after(verifyPeriodMs, () => void verify());
  };

  return {
    async start() {
      if (!bridged) return;
      await addLoopbackAddress(address, run);
      await enableForwarding();
      bridgeFiltering = await enableBridgeFiltering(run);
      const mtu = peering === undefined ? undefined : (await mtuOf(peering.address, run)) - overlayHeaderBytes;
      network = await ensureCniNetwork(cniConfDir, {
        instance,
        podCidr: options.podCidr,
        taken: machineCidrs(bridgeNameOf(instance)),
        portmap: await canMapPorts(options.cniBinDirs ?? defaultCniBinDirs, run),
        firewall: await dropsForwarded(run),
        dataDir: cniDataDir,
        ...(mtu !== undefined && { mtu }),
      });
      if (network.kind !== "foreign" && peering !== undefined && mtu !== undefined)
        peerNetwork = createPeerNetwork({ ...peering, instance, podCidr: network.podCidr, mtu, run, log });
      if (network.kind !== "foreign") await clearRange(network.podCidr, network.bridge, run, log);
      log.info("pod network ready", { kind: network.kind, podCidr: ownRange(), address });
      await dns.start();
      await proxy.listen(address, apiPort);
      cancelVerify = clock.after(verifyPeriodMs, () => void verify());
    },
    async update(state) {
      if (stopped) return;
      const onMachine = new Set(machineCidrs().map((cidr) => cidr.split("/")[0]));
      latest = {
        ...state,
        clusters: state.clusters.map((cluster) => ({
          ...cluster,
          pods: cluster.pods.filter(({ ip }) => parseIpv4(ip) !== undefined && !onMachine.has(ip)),
        })),
      };
      dns.update(latest);
      if (bridged) await applyLatest();
    },
    dnsFor: ({ cluster, namespace, spec }) => dns.configFor(cluster, namespace, spec),
    podCidr: ownRange,
    async stop({ remove } = { remove: false }) {
      stopped = true;
      cancelVerify();
      await running?.catch(() => {});
      await dns.stop();
      if (!bridged) return;
      await proxy.close();
      if (!remove) return;
      await applier.remove();
      await peerNetwork?.remove();
      await removeLoopbackAddress(address, run);
      const unused = await releaseCniNetwork(cniConfDir, cniDataDir, instance);
      if (unused !== undefined) await removeLink(unused, run);
    },
  };
}
