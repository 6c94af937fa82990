import { evictByLoop } from "../api/eviction.ts";
import { nodes, pods } from "../kubernetes/known-resources.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { Pod } from "../kubernetes/types.ts";
import type { Pools } from "../platform/pools.ts";
import type { NodeOperations } from "../platform/provisioner.ts";
import type { NodeRecord } from "../platform/records.ts";
import { objectOf } from "../store/view.ts";
import type { ClusterRuntime, RuntimeDirectory } from "./cluster-runtime.ts";

const mirrorAnnotation = "kubernetes.io/config.mirror";

/** What `kubectl drain` leaves: mirror pods, pods of DaemonSets, pods that have ended. */
function isDrained(pod: Pod): boolean {
  const { metadata, status } = pod;
  if (metadata.annotations?.[mirrorAnnotation] !== undefined) return true;
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return true;
  return metadata.ownerReferences?.some(({ kind, controller }) => controller === true && kind === "DaemonSet") ?? false;
}

/** Acts on the Node objects of a machine in every cluster that draws on its pool. */
export function createNodeOperations(host: Pick<RuntimeDirectory, "open">, pools: () => Pools): NodeOperations {
  const runtimesOf = async ({ tenant, pool }: Pick<NodeRecord, "tenant" | "pool">): Promise<ClusterRuntime[]> => {
    const ids = await pools().clustersOn(tenant, pool);
    const opened = await Promise.all(ids.map((cluster) => host.open({ tenant, cluster })));
    return opened.filter((runtime) => runtime !== undefined);
  };
  const setUnschedulable = async (runtime: ClusterRuntime, name: string, unschedulable: boolean): Promise<void> => {
    if (!runtime.cluster.mirror.get(nodes, "", name)) return;
    await ignoreAbsent(runtime.client.patch(nodes, "", name, { type: "merge", body: { spec: { unschedulable: unschedulable || null } } }));
  };

  return {
    async drain(node) {
      let left = 0;
      for (const runtime of await runtimesOf(node)) {
        await setUnschedulable(runtime, node.name, true);
        for (const stored of runtime.cluster.mirror.podsOnNode(node.name)) {
          const pod = objectOf<Pod>(stored);
          if (isDrained(pod)) continue;
          left++;
          if (pod.metadata.deletionTimestamp === undefined) await evictIfAllowed(runtime, pod);
        }
      }
      return left === 0 ? "done" : "pending";
    },
    async uncordon(node) {
      for (const runtime of await runtimesOf(node)) await setUnschedulable(runtime, node.name, false);
    },
    async removed(node) {
      for (const runtime of await runtimesOf(node)) {
        await ignoreAbsent(runtime.client.delete(nodes, "", node.name));
        for (const stored of runtime.cluster.mirror.podsOnNode(node.name)) {
          await ignoreAbsent(runtime.client.delete(pods, stored.key.namespace, stored.key.name, { gracePeriodSeconds: 0 }));
        }
      }
    },
  };
}

/** A disruption budget that says "not now" is no failure: the drainer comes again. */
async function evictIfAllowed(runtime: ClusterRuntime, pod: Pod): Promise<void> {
  try {
    await evictByLoop(runtime.registry, pod);
  } catch (error) {
    if (!isStatus(error, "TooManyRequests") && !isStatus(error, "NotFound") && !isStatus(error, "Conflict")) throw error;
  }
}

async function ignoreAbsent(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isStatus(error, "NotFound")) throw error;
  }
}
