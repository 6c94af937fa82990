import type { Clock } from "../shared/clock.ts";
import { deepEqual } from "../shared/kubernetes/deep-equal.ts";
import type { Log } from "../shared/telemetry/log.ts";
import type { NodeNetworkPort } from "./agent.ts";
import type { ClusterState } from "./cluster-state.ts";
import type { LocalPod } from "./network/network-state.ts";

export interface ConnectNetworkOptions {
  readonly nodeName: string;
  readonly runtimeKind: "containerd" | "process";
  readonly podCidr?: string;
  readonly serverUrl: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

export interface ConnectedNetwork extends NodeNetworkPort {
  podCidr(): string | undefined;
  stop(options: { readonly remove: boolean }): Promise<void>;
}

/**
 * The node's network, fed from the agent's state. On a process node it serves names only and is not vital: where it cannot start
 * (no right to the address it needs), pods use the machine's own resolver.
 */
export async function connectNetwork(options: ConnectNetworkOptions): Promise<ConnectedNetwork | undefined> {
  const { nodeName, podCidr, serverUrl, clock, log, random, labels } = options;
  const { createNodeNetwork } = await import("./network/node-network.ts");
  const zone = labels?.["topology.kubernetes.io/zone"];
  const mode = options.runtimeKind === "containerd" ? "bridge" : "host";
  const network = createNodeNetwork({ nodeName, mode, podCidr, serverUrl, clock, log, random, ...(zone === undefined ? {} : { zone }) });
  try {
    await network.start();
  } catch (error) {
    if (mode === "bridge") throw error;
    log.warn("no cluster DNS on this node", { cause: String(error) });
    return undefined;
  }

  let clusters: readonly ClusterState[] = [];
  const pods = new Map<string, LocalPod & { readonly cluster: string }>();
  const apply = async (): Promise<void> => {
    const ids = new Set([...clusters.map(({ id }) => id), ...[...pods.values()].map(({ cluster }) => cluster)]);
    const known = new Map(clusters.map((state) => [state.id, state]));
    try {
      await network.update({
        clusters: [...ids].map((id) => ({
          id,
          services: [...(known.get(id)?.services.values() ?? [])],
          endpointSlices: [...(known.get(id)?.endpointSlices.values() ?? [])],
          pods: [...pods.values()].filter(({ cluster }) => cluster === id),
        })),
      });
    } catch (error) {
      log.error("node network not brought up to date", error, { node: nodeName });
    }
  };

  return {
    podCidr: () => network.podCidr(),
    stop: (how) => network.stop(how),
    update(next) {
      clusters = next;
      void apply();
    },
    async dnsFor(cluster, pod) {
      return network.dnsFor({ cluster, namespace: pod.metadata.namespace ?? "", spec: pod.spec ?? { containers: [] } });
    },
    async addressed(cluster, pod, ips) {
      const [ip] = ips;
      if (ip === undefined || pod.spec?.hostNetwork === true) return;
      const { uid = "", namespace = "", name = "" } = pod.metadata;
      const entry = { cluster, uid, ip, namespace, name };
      if (deepEqual(pods.get(uid), entry)) return;
      pods.set(uid, entry);
      await apply();
    },
    released(_cluster, podUid) {
      if (pods.delete(podUid)) void apply();
    },
  };
}
