import type { ClusterRecord, NodeRecord, PoolRecord } from "./records.ts";

/**
 * What acts on the world for the platform: the embedded host starts and stops local agents, others order machines. Every call is
 * level-triggered: it may come twice, late, or again after a crash, and says what should be, not what changed.
 */
export interface ClusterProvisioner {
  /** True: a cluster serves as soon as it is stored. False: it stays `provisioning` until `clusters.markReady`. */
  readonly readyAtOnce: boolean;
  /** The cluster is durable. A failure is logged, and the reaper's next round calls again for clusters still `provisioning`. */
  created(cluster: ClusterRecord): Promise<void>;
  /** `pool.size` is how many machines the provisioner should keep in the pool. */
  resized(pool: PoolRecord): Promise<void>;
  /** `cluster.schedulingPaused` says whether its scheduler should rest. */
  scheduling(cluster: ClusterRecord): Promise<void>;
  /**
   * Ends what runs for the cluster: its pods on every node, and the provisioner's machines of a pool that goes with it.
   * `pending`: ask again soon. Once `done`, the store drops whatever the cluster holds, so nothing may write to it any more.
   */
  deleting(cluster: ClusterRecord): Promise<"done" | "pending">;
}

/** What acts on the Node objects and pods of a machine, in every cluster that draws on its pool. */
export interface NodeOperations {
  /** Makes the node unschedulable and evicts its pods (not those of DaemonSets), with respect to disruption budgets. `pending`: ask again. */
  drain(node: NodeRecord): Promise<"done" | "pending">;
  /** Makes it schedulable again. */
  uncordon(node: NodeRecord): Promise<void>;
  /** The machine left its pool: its Node objects go, and the pods on them. */
  removed(node: Pick<NodeRecord, "tenant" | "pool" | "name">): Promise<void>;
}
