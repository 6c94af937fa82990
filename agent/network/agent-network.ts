import type { PodPeer } from "../../shared/api/agent/protocol.ts";
import { parseIpv4 } from "../../shared/kubernetes/ipv4.ts";
import type { Pod } from "../../shared/kubernetes/types.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import type { NodeNetworkPort } from "../agent.ts";
import type { ClusterState } from "../cluster-state.ts";
import type { RuntimePod } from "../runtime.ts";
import type { ClusterNetwork, LocalPod } from "./network-state.ts";
import type { NodeNetwork } from "./node-network.ts";

export interface AgentNetworkOptions {
  readonly network: Pick<NodeNetwork, "update" | "dnsFor">;
  /** The runtime's pods: those that outlived the last agent keep their services while this one learns of them. */
  readonly running: () => Promise<readonly RuntimePod[]>;
  /** Where pods share the machine's address they are no concern of the network. */
  readonly podsHaveAddresses: boolean;
  readonly log: Log;
}

type Routing = Pick<ClusterNetwork, "services" | "endpointSlices">;
const isIpv4 = (address: string): boolean => parseIpv4(address) !== undefined;
const noRouting: Routing = { services: [], endpointSlices: [] };

/** What the agent tells of clusters and of single pods, put together into the states of the node's network. */
export function createAgentNetwork({ network, running, podsHaveAddresses, log }: AgentNetworkOptions): NodeNetworkPort {
  let peers: readonly PodPeer[] | undefined;
  let routing: Map<string, Routing> | undefined;
  const pods = new Map<string, LocalPod & { readonly cluster: string }>();
  let seeding: Promise<void> | undefined;
  let applied = Promise.resolve();

  const put = (cluster: string, pod: LocalPod): void => {
    // An address that was given out again belongs to its latest pod.
    for (const [uid, other] of pods) if (other.ip === pod.ip && uid !== pod.uid) pods.delete(uid);
    pods.set(pod.uid, { ...pod, cluster });
  };

  const seed = async (): Promise<void> => {
    if (!podsHaveAddresses) return;
    try {
      for (const { podUid, cluster, namespace, name, sandbox } of await running()) {
        const ip = sandbox.ips.find(isIpv4);
        if (sandbox.ready && ip !== undefined && !pods.has(podUid)) put(cluster, { uid: podUid, ip, namespace, name });
      }
    } catch (cause) {
      log.error("running pods cannot be listed for the network", cause);
    }
  };

  const apply = (): Promise<void> => {
    applied = applyNow();
    return applied;
  };

  const applyNow = async (): Promise<void> => {
    seeding ??= seed();
    await seeding;
    const byCluster = Map.groupBy(pods.values(), ({ cluster }) => cluster);
    const ids = new Set([...(routing?.keys() ?? []), ...byCluster.keys()]);
    const clusters = [...ids].map((id): ClusterNetwork => ({ id, ...(routing?.get(id) ?? noRouting), pods: byCluster.get(id) ?? [] }));
    await network
      .update({ clusters, ...(peers !== undefined && { peers }) })
      .catch((cause: unknown) => log.error("the node's network cannot be updated", cause));
  };

  return {
    routesPeers: podsHaveAddresses,
    dnsFor: (cluster, pod: Pod) => network.dnsFor({ cluster, namespace: pod.metadata.namespace ?? "", spec: pod.spec ?? {} }),
    async addressed(cluster, pod, ips) {
      const { uid = "", namespace = "", name = "" } = pod.metadata;
      const ip = ips.find(isIpv4);
      if (!podsHaveAddresses || ip === undefined || pod.spec?.hostNetwork === true) return;
      if (pods.get(uid)?.ip === ip) return applied;
      put(cluster, { uid, ip, namespace, name });
      await apply();
    },
    update(clusters: readonly ClusterState[]) {
      routing = new Map(
        clusters.map(({ id, services, endpointSlices }) => [
          id,
          { services: [...services.values()], endpointSlices: [...endpointSlices.values()] },
        ]),
      );
      void apply();
    },
    updatePeers(next) {
      if (!podsHaveAddresses) return;
      peers = next;
      // Before the services are known, their rules from before a restart stay.
      if (routing !== undefined) void apply();
    },
    released(_cluster, podUid) {
      if (pods.delete(podUid)) void apply();
    },
  };
}
