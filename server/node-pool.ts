import type { NodeIdentity, NodePool, PoolCluster, PoolClusters } from "../shared/api/agent/ports.ts";
import type { Clusters } from "../shared/platform/clusters.ts";
import type { Heartbeats } from "../shared/platform/heartbeats.ts";
import type { PlatformNews } from "../shared/platform/news.ts";
import type { NodeRegistry } from "../shared/platform/nodes.ts";
import type { Pools } from "../shared/platform/pools.ts";
import { isPlatformError } from "../shared/platform/problem.ts";
import type { ClusterHost } from "./cluster-host.ts";
import type { ClusterRuntime } from "./cluster-runtime.ts";

export interface NodePoolOptions {
  readonly nodes: NodeRegistry;
  readonly pools: Pools;
  readonly clusters: Clusters;
  readonly heartbeats: Heartbeats;
  readonly news: PlatformNews;
  readonly host: ClusterHost;
}

const nothing: PoolClusters = { labels: {}, taints: [], clusters: [] };

/**
 * The platform's side of the agent API in one process: who a node is and which clusters it works for. What was read of a pool is kept
 * until the platform tells of a change of it, so that a poll reads nothing.
 */
export function createNodePool({ nodes, pools, clusters, heartbeats, news, host }: NodePoolOptions): NodePool {
  const byPool = new Map<string, Promise<PoolClusters>>();
  const poolClusters = new WeakMap<ClusterRuntime, PoolCluster>();
  const poolsOfClusters = new Map<string, string>();
  const listeners = new Set<(pool: string) => void>();
  const changed = (pool: string): void => {
    byPool.delete(pool);
    for (const listener of [...listeners]) listener(pool);
  };
  news.onPoolChange(changed);
  // A cluster that left the memory must be opened anew, with another view.
  host.onEvict(({ tenant, cluster }) => {
    const pool = poolsOfClusters.get(`${tenant}#${cluster}`);
    if (pool !== undefined) changed(pool);
  });

  const describe = async ({ tenant, pool }: NodeIdentity): Promise<PoolClusters> => {
    const known = await pools.get(tenant, pool).catch((error: unknown) => {
      if (isPlatformError(error, "not-found")) return undefined;
      throw error;
    });
    if (!known) return nothing;
    const found: PoolCluster[] = [];
    for (const id of await pools.clustersOn(tenant, pool)) {
      const record = await clusters.find(id);
      if (!record || record.value.state === "deleting") continue;
      const runtime = await host.open({ tenant, cluster: id });
      if (!runtime) continue;
      poolsOfClusters.set(`${tenant}#${id}`, pool);
      const entry = poolClusters.get(runtime) ?? { id, apiPath: `/clusters/${id}`, view: runtime.cluster.mirror, client: runtime.client };
      poolClusters.set(runtime, entry);
      found.push(entry);
    }
    return { labels: known.value.labels, taints: known.value.taints, clusters: found };
  };

  return {
    join: (token, description) => nodes.join(token, description),
    authenticate: (credential) => nodes.authenticate(credential),
    clustersOf(node) {
      const key = node.pool;
      let answer = byPool.get(key);
      if (!answer) {
        answer = describe(node);
        byPool.set(key, answer);
        answer.catch(() => byPool.delete(key));
      }
      return answer;
    },
    seen: (node, atMs) => heartbeats.seen(node, atMs),
    usage: () => {},
    onPoolChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
