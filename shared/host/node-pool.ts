import type { NodeIdentity, NodePool, PoolCluster, PoolClusters, PoolPeer } from "../api/agent/ports.ts";
import type { Meter } from "../metering/meter.ts";
import type { Clusters } from "../platform/clusters.ts";
import type { Heartbeats } from "../platform/heartbeats.ts";
import type { PlatformNews } from "../platform/news.ts";
import type { NodeRegistry } from "../platform/nodes.ts";
import type { Pools } from "../platform/pools.ts";
import { isPlatformError } from "../platform/problem.ts";
import type { ClusterRuntime, RuntimeDirectory } from "./cluster-runtime.ts";

export interface NodePoolOptions {
  readonly nodes: NodeRegistry;
  readonly pools: Pools;
  readonly clusters: Clusters;
  readonly heartbeats: Heartbeats;
  readonly news: PlatformNews;
  readonly host: RuntimeDirectory;
  readonly meter: Pick<Meter, "nodeSpoke">;
  /** When the node spoke before, for hosts of several processes: this one may not have heard it. */
  readonly spokeBefore?: (node: NodeIdentity) => number | undefined;
}

const nothing: PoolClusters = { labels: {}, taints: [], clusters: [] };

/**
 * The platform's side of the agent API in one process: who a node is and which clusters it works for. What was read of a pool is kept
 * until the platform tells of a change of it, so that a poll reads nothing.
 */
export function createNodePool({ nodes, pools, clusters, heartbeats, news, host, meter, spokeBefore }: NodePoolOptions): NodePool {
  const byPool = new Map<string, Promise<PoolClusters>>();
  const peersByPool = new Map<string, Promise<readonly PoolPeer[]>>();
  const poolClusters = new WeakMap<ClusterRuntime, PoolCluster>();
  const poolsOfClusters = new Map<string, string>();
  /** Pools that one cluster alone draws on: its machines are its usage. */
  const soleClusters = new Map<string, string>();
  const listeners = new Set<(pool: string) => void>();
  const changed = (pool: string): void => {
    byPool.delete(pool);
    for (const listener of [...listeners]) listener(pool);
  };
  news.onPoolChange(changed);
  const peerListeners = new Set<(pool: string) => void>();
  news.onPeersChange((pool) => {
    peersByPool.delete(pool);
    for (const listener of [...peerListeners]) listener(pool);
  });
  // A cluster that left the memory must be opened anew, with another view.
  host.onEvict(({ tenant, cluster }) => {
    const pool = poolsOfClusters.get(`${tenant}#${cluster}`);
    if (pool !== undefined) changed(pool);
  });

  const describe = async ({ tenant, pool }: NodeIdentity): Promise<PoolClusters> => {
    const record = await pools.get(tenant, pool).catch((error: unknown) => {
      if (isPlatformError(error, "not-found")) return undefined;
      throw error;
    });
    if (!record) return nothing;
    const found: PoolCluster[] = [];
    const ids = await pools.clustersOn(tenant, pool);
    const [sole = ""] = ids;
    if (ids.length === 1) soleClusters.set(pool, sole);
    else soleClusters.delete(pool);
    for (const id of ids) {
      const cluster = await clusters.find(id);
      if (!cluster) continue;
      const runtime = await host.open({ tenant, cluster: id });
      if (!runtime) continue;
      poolsOfClusters.set(`${tenant}#${id}`, pool);
      const draining = cluster.value.state === "deleting";
      const known = poolClusters.get(runtime);
      const made = { id, apiPath: `/clusters/${id}`, draining, view: runtime.cluster.mirror, client: runtime.client };
      const entry = known?.draining === draining ? known : made;
      poolClusters.set(runtime, entry);
      found.push(entry);
    }
    return { labels: record.value.labels, taints: record.value.taints, clusters: found };
  };

  return {
    join: (token, machine) => nodes.join(token, machine),
    settleNetwork: (node, description) => nodes.settleNetwork(node, description),
    peersOf: ({ tenant, pool }) => keptOrMade(peersByPool, pool, () => nodes.peers(tenant, pool)),
    onPeersChange(listener) {
      peerListeners.add(listener);
      return () => peerListeners.delete(listener);
    },
    authenticate: (credential) => nodes.authenticate(credential),
    clustersOf: (node) => keptOrMade(byPool, node.pool, () => describe(node)),
    seen(node, atMs) {
      heartbeats.seen(node, atMs);
      meter.nodeSpoke(node, atMs, soleClusters.get(node.pool) ?? "", spokeBefore?.(node));
    },
    usage: () => {},
    onPoolChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The answer kept for a pool; one that fails is not kept. */
function keptOrMade<T>(kept: Map<string, Promise<T>>, pool: string, make: () => Promise<T>): Promise<T> {
  const known = kept.get(pool);
  if (known) return known;
  const answer = make();
  kept.set(pool, answer);
  answer.catch(() => kept.delete(pool));
  return answer;
}
