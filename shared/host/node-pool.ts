import type { NodeIdentity, NodePool, PoolCluster, PoolClusters, PoolPeer } from "../api/agent/ports.ts";
import type { Meter } from "../metering/meter.ts";
import type { Clusters } from "../platform/clusters.ts";
import type { Heartbeats } from "../platform/heartbeats.ts";
import type { PlatformNews } from "../platform/news.ts";
import type { NodeRegistry } from "../platform/nodes.ts";
import type { Pools } from "../platform/pools.ts";
import { isPlatformError } from "../platform/problem.ts";
import { RecentMap } from "../recent-map.ts";
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

/** Pools of which something is known: what is not is read anew. */
const mostPools = 10_000;

interface KnownPool {
  clusters: Promise<PoolClusters> | undefined;
  peers: Promise<readonly PoolPeer[]> | undefined;
  /** Who the machines' usage is: the one cluster that draws on it, empty where there are several or none. */
  user: string | undefined;
  userRead: Promise<void> | undefined;
}

export interface MeteredNodePool extends NodePool {
  /** Finds out whose usage a machine is, for calls that look at no cluster: what `seen` counts before is no cluster's. One query a pool. */
  knowUser(node: NodeIdentity): Promise<void>;
}

const nothing: PoolClusters = { labels: {}, taints: [], clusters: [] };

/**
 * The platform's side of the agent API in one process: who a node is and which clusters it works for. What was read of a pool is kept
 * until the platform tells of a change of it, so that a poll reads nothing.
 */
export function createNodePool({ nodes, pools, clusters, heartbeats, news, host, meter, spokeBefore }: NodePoolOptions): MeteredNodePool {
  const known = new RecentMap<string, KnownPool>(mostPools);
  const poolClusters = new WeakMap<ClusterRuntime, PoolCluster>();
  /** Of the clusters that are in memory. */
  const poolsOfClusters = new Map<string, string>();
  const listeners = new Set<(pool: string) => void>();
  const ofPool = (pool: string): KnownPool => {
    const entry = known.get(pool) ?? { clusters: undefined, peers: undefined, user: undefined, userRead: undefined };
    known.set(pool, entry);
    return entry;
  };
  const changed = (pool: string): void => {
    ofPool(pool).clusters = undefined;
    for (const listener of [...listeners]) listener(pool);
  };
  news.onPoolChange(changed);
  const peerListeners = new Set<(pool: string) => void>();
  news.onPeersChange((pool) => {
    ofPool(pool).peers = undefined;
    for (const listener of [...peerListeners]) listener(pool);
  });
  // A cluster that left the memory must be opened anew, with another view.
  host.onEvict(({ tenant, cluster }) => {
    const pool = poolsOfClusters.get(`${tenant}#${cluster}`);
    poolsOfClusters.delete(`${tenant}#${cluster}`);
    if (pool !== undefined) changed(pool);
  });

  const describe = async ({ tenant, pool }: NodeIdentity): Promise<PoolClusters> => {
    const record = await orAbsent(pools.get(tenant, pool));
    if (!record) return nothing;
    const found: PoolCluster[] = [];
    const ids = await pools.clustersOn(tenant, pool);
    ofPool(pool).user = userOf(ids);
    for (const id of ids) {
      const cluster = await orAbsent(clusters.get(tenant, id));
      if (!cluster) continue;
      const runtime = await host.open({ tenant, cluster: id });
      if (!runtime) continue;
      poolsOfClusters.set(`${tenant}#${id}`, pool);
      const draining = cluster.value.state === "deleting";
      const before = poolClusters.get(runtime);
      const made = { id, apiPath: `/clusters/${id}`, draining, view: runtime.cluster.mirror, client: runtime.client };
      const entry = before?.draining === draining ? before : made;
      poolClusters.set(runtime, entry);
      found.push(entry);
    }
    return { labels: record.value.labels, taints: record.value.taints, clusters: found };
  };

  return {
    join: (token, machine) => nodes.join(token, machine),
    settleNetwork: (node, description) => nodes.settleNetwork(node, description),
    peersOf: ({ tenant, pool }) => keptOrMade(ofPool(pool), "peers", () => nodes.peers(tenant, pool)),
    onPeersChange(listener) {
      peerListeners.add(listener);
      return () => peerListeners.delete(listener);
    },
    authenticate: (credential) => nodes.authenticate(credential),
    async knowUser({ tenant, pool }) {
      const entry = ofPool(pool);
      if (entry.user !== undefined) return;
      await keptOrMade(entry, "userRead", async () => {
        const ids = await pools.clustersOn(tenant, pool);
        entry.user ??= userOf(ids);
      });
    },
    clustersOf: (node) => keptOrMade(ofPool(node.pool), "clusters", () => describe(node)),
    seen(node, atMs) {
      heartbeats.seen(node, atMs);
      meter.nodeSpoke(node, atMs, known.get(node.pool)?.user ?? "", spokeBefore?.(node));
    },
    usage: () => {},
    onPoolChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const userOf = (clusters: readonly string[]): string => (clusters.length === 1 ? (clusters[0] ?? "") : "");

const orAbsent = <T>(record: Promise<T>): Promise<T | undefined> =>
  record.catch((error: unknown) => {
    if (isPlatformError(error, "not-found")) return undefined;
    throw error;
  });

/** The answer kept for a pool; one that fails is not kept. */
function keptOrMade<K extends "clusters" | "peers" | "userRead">(
  kept: { [key in K]: KnownPool[key] },
  key: K,
  make: () => NonNullable<KnownPool[K]>,
): NonNullable<KnownPool[K]> {
  const known = kept[key];
  if (known) return known;
  const answer = make();
  kept[key] = answer;
  answer.catch(() => {
    if (kept[key] === answer) kept[key] = undefined;
  });
  return answer;
}
