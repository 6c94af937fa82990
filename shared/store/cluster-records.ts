import type { ClusterRef } from "./store.ts";

/** Partitions of records that belong to one cluster alone and go with it: whoever deletes a cluster empties each of them. */
export const clusterPartitions = {
  /** Node ports that Services hold, by port. */
  nodePorts: ({ tenant, cluster }: ClusterRef): string => `${tenant}#${cluster}#node-ports`,
  /** How far the log was at which time. */
  history: ({ tenant, cluster }: ClusterRef): string => `${tenant}#${cluster}#history`,
  /** Who turns its loops, and what keeps others from doing so. */
  loops: ({ tenant, cluster }: ClusterRef): string => `${tenant}#${cluster}#loops`,
  /** What is committed on nodes that are no pool's. */
  poollessCommitments: ({ tenant, cluster }: ClusterRef): string => `${tenant}#committed#cluster:${cluster}`,
} as const satisfies Record<string, (ref: ClusterRef) => string>;
