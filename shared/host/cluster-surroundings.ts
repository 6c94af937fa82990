import type { Clusters } from "../platform/clusters.ts";
import type { Heartbeats, NodeName } from "../platform/heartbeats.ts";
import { isPlatformError } from "../platform/problem.ts";
import type { ClusterRef } from "../store/store.ts";

/** What lies outside a cluster's log and its loops have to know, as it was at the last look. */
export interface ClusterSurroundings {
  /** Reads it anew. `rest`: the cluster is gone or being deleted, its loops shall do nothing. */
  look(pools: readonly string[]): Promise<"turn" | "rest">;
  /** When a machine spoke last, in milliseconds since 1970; undefined: never, or its pool was not looked at. */
  lastSeen(node: NodeName): number | undefined;
  /** Somebody asked that nothing be scheduled. */
  readonly schedulingPaused: boolean;
}

interface SurroundingsPorts {
  readonly clusters: Pick<Clusters, "get">;
  readonly heartbeats: Pick<Heartbeats, "ofPool">;
}

export function createClusterSurroundings(ref: ClusterRef, { clusters, heartbeats }: SurroundingsPorts): ClusterSurroundings {
  let heard: ReadonlyMap<string, ReadonlyMap<string, number>> = new Map();
  let schedulingPaused = false;
  return {
    async look(pools) {
      const record = await clusters.get(ref.tenant, ref.cluster).catch((error: unknown) => {
        if (isPlatformError(error, "not-found")) return undefined;
        throw error;
      });
      if (!record || record.value.state === "deleting") return "rest";
      schedulingPaused = record.value.schedulingPaused === true;
      const times = new Map<string, ReadonlyMap<string, number>>();
      for (const pool of pools) times.set(pool, await heartbeats.ofPool(ref.tenant, pool));
      heard = times;
      return "turn";
    },
    lastSeen: ({ pool, nodeName }) => heard.get(pool)?.get(nodeName),
    get schedulingPaused() {
      return schedulingPaused;
    },
  };
}
