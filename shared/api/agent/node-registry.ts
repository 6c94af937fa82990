import type { Clock } from "../../clock.ts";
import { nodes } from "../../kubernetes/known-resources.ts";
import type { Log } from "../../telemetry/log.ts";
import { type ClusterFeed, createClusterFeed } from "./cluster-feed.ts";
import { createPeerFeed, type PeerFeed } from "./peer-feed.ts";
import type { NodeIdentity, NodePool, PoolCluster, PoolClusters } from "./ports.ts";
import type { NodeDescription, SyncResponse } from "./protocol.ts";
import { registerNode } from "./register-node.ts";
import type { StreamBroker } from "./stream-broker.ts";

export interface NodeRegistryOptions {
  readonly pool: NodePool;
  readonly streams: StreamBroker;
  readonly clock: Clock;
  readonly log: Log;
  readonly newId: () => string;
  readonly refreshSeconds: number;
}

export interface WaitingNode {
  readonly node: NodeIdentity;
  readonly marks: Readonly<Record<string, string>>;
  readonly routes: boolean;
  /** undefined: it does not route to other machines' pods. */
  readonly peersMark: string | undefined;
}

interface KnownPeers {
  readonly feed: PeerFeed;
  /** The feed must be brought up to date before it is asked. */
  stale: boolean;
  wakesSoon: boolean;
  loading: Promise<void>;
}

interface Sleeper {
  readonly routes: boolean;
  readonly peers: boolean;
  wake(): void;
}

interface NodeState {
  description: NodeDescription | undefined;
  clusters: ReadonlyMap<string, PoolCluster>;
  /** Per cluster: the Node's revision and the time when it was last brought in line. */
  readonly registered: Map<string, { revision: number; atMs: number; description: NodeDescription }>;
  readonly registering: Map<string, Promise<void>>;
}

/** Routing news of one moment (a rolling update touches slices many times) are told together. */
const routedDelayMs = 20;
/** Machines often come and go many at a time. */
const peersDelayMs = 250;

export type NodeRegistry = ReturnType<typeof createNodeRegistry>;

/** What this server process knows of the nodes that speak to it. All of it can be learnt again: a restart costs one full answer a node. */
export function createNodeRegistry(options: NodeRegistryOptions) {
  const { pool, streams, clock, log } = options;
  const states = new Map<string, NodeState>();
  const feeds = new Map<string, { readonly pool: string; readonly feed: ClusterFeed }>();
  const sleepers = new Map<string, Set<Sleeper>>();
  const peerFeeds = new Map<string, KnownPeers>();
  const keyOf = (poolId: string, nodeName: string): string => `${poolId}/${nodeName}`;

  const wake = (key: string): void => {
    for (const sleeper of sleepers.get(key) ?? []) sleeper.wake();
  };
  const wakePool = (poolId: string, concerned: (sleeper: Sleeper) => boolean): void => {
    for (const [key, set] of sleepers) {
      if (!key.startsWith(`${poolId}/`)) continue;
      for (const sleeper of set) if (concerned(sleeper)) sleeper.wake();
    }
  };
  const stopPending = streams.onPending((node) => wake(keyOf(node.pool, node.nodeName)));
  const stopPool = pool.onPoolChange((poolId) => wakePool(poolId, () => true));
  const stopPeers = pool.onPeersChange((poolId) => {
    const known = peerFeeds.get(poolId);
    if (known === undefined) return;
    known.stale = true;
    if (known.wakesSoon) return;
    known.wakesSoon = true;
    clock.after(peersDelayMs, () => {
      known.wakesSoon = false;
      wakePool(poolId, ({ peers }) => peers);
    });
  });

  const peerFeedOf = async (node: NodeIdentity): Promise<PeerFeed> => {
    const known: KnownPeers = peerFeeds.get(node.pool) ?? {
      feed: createPeerFeed(options.newId()),
      stale: true,
      wakesSoon: false,
      loading: Promise.resolve(),
    };
    peerFeeds.set(node.pool, known);
    if (known.stale) {
      known.stale = false;
      // One after the other: an older answer never comes after a newer one.
      known.loading = known.loading
        .catch(() => {})
        .then(async () => known.feed.update(await pool.peersOf(node)))
        .catch((error: unknown) => {
          known.stale = true;
          throw error;
        });
    }
    await known.loading;
    return known.feed;
  };
  const hasPeerNews = ({ node, peersMark }: WaitingNode): boolean => {
    const known = peerFeeds.get(node.pool);
    return peersMark !== undefined && (known === undefined || known.stale || known.feed.hasNews(peersMark));
  };

  const feedOf = (poolId: string, cluster: PoolCluster): ClusterFeed => {
    const known = feeds.get(cluster.id);
    if (known !== undefined && known.feed.view === cluster.view && known.pool === poolId) return known.feed;
    known?.feed.close();
    const feed = createClusterFeed(cluster.view, options.newId());
    let routedSoon = false;
    feed.onNews((nodeName) => {
      if (nodeName !== undefined) return wake(keyOf(poolId, nodeName));
      if (routedSoon) return;
      routedSoon = true;
      clock.after(routedDelayMs, () => {
        routedSoon = false;
        wakePool(poolId, ({ routes }) => routes);
      });
    });
    feeds.set(cluster.id, { pool: poolId, feed });
    return feed;
  };

  /** The description with its range, if that is the node's. */
  const settled = async (node: NodeIdentity, description: NodeDescription): Promise<NodeDescription> => {
    if (description.podCidr === undefined || (await pool.settleNetwork(node, description)) === description.podCidr) return description;
    log.warn("the range of a node's pods is another machine's", { node: node.nodeName, podCidr: description.podCidr });
    const { podCidr: _, ...rest } = description;
    return rest;
  };

  const register = async (node: NodeIdentity, state: NodeState, { labels, taints }: PoolClusters, cluster: PoolCluster): Promise<void> => {
    const { description } = state;
    if (description === undefined || cluster.draining) return;
    const known = state.registered.get(cluster.id);
    const stored = cluster.view.get(nodes, "", node.nodeName);
    const young = known !== undefined && clock.now() - known.atMs < options.refreshSeconds * 1000;
    if (young && known.description === description && known.revision === stored?.revision) return;
    const source = { nodeName: node.nodeName, pool: node.pool, description, poolLabels: labels, poolTaints: taints };
    try {
      await registerNode(cluster, source, () => clock.now(), options.refreshSeconds);
    } catch (error) {
      log.error("node object not written", error, { cluster: cluster.id, node: node.nodeName });
      return;
    }
    const revision = cluster.view.get(nodes, "", node.nodeName)?.revision ?? 0;
    state.registered.set(cluster.id, { revision, atMs: clock.now(), description });
  };

  return {
    /** Takes in a new description, learns the pool's clusters and keeps the node's object in each of them right. */
    async refresh(node: NodeIdentity, description: NodeDescription | undefined) {
      const key = keyOf(node.pool, node.nodeName);
      const found = await pool.clustersOf(node);
      const state = states.get(key) ?? { description: undefined, clusters: new Map(), registered: new Map(), registering: new Map() };
      states.set(key, state);
      if (description !== undefined) state.description = await settled(node, description);
      state.clusters = new Map(found.clusters.map((cluster) => [cluster.id, cluster]));
      for (const [id, { pool: owner, feed }] of feeds) {
        if (owner !== node.pool || state.clusters.has(id)) continue;
        feed.close();
        feeds.delete(id);
      }
      for (const id of state.registered.keys()) if (!state.clusters.has(id)) state.registered.delete(id);
      await Promise.all(
        found.clusters.map(async (cluster) => {
          const before = state.registering.get(cluster.id);
          const running = (before ?? Promise.resolve()).then(() => register(node, state, found, cluster));
          state.registering.set(cluster.id, running);
          await running;
          if (state.registering.get(cluster.id) === running) state.registering.delete(cluster.id);
        }),
      );
      return { clusters: state.clusters, described: state.description };
    },

    /** News for a node, and every cluster it serves. */
    async news({ node, marks, routes, peersMark }: WaitingNode): Promise<Pick<SyncResponse, "news" | "clusterIds" | "peers">> {
      const { clusters } = await pool.clustersOf(node);
      const news = clusters.flatMap((cluster) => {
        const feed = feedOf(node.pool, cluster);
        if (!feed.hasNews(node.nodeName, marks[cluster.id], routes)) return [];
        return [{ id: cluster.id, apiPath: cluster.apiPath, ...feed.news(node.nodeName, marks[cluster.id], routes) }];
      });
      const feed = peersMark === undefined ? undefined : await peerFeedOf(node);
      const peers = peersMark === undefined || feed?.hasNews(peersMark) !== true ? undefined : feed.news(node.nodeName, peersMark);
      return { news, clusterIds: clusters.map(({ id }) => id), ...(peers !== undefined && { peers }) };
    },

    /** Resolves when one of the nodes has news or a stream to answer, when time is up, the caller is gone, or the registry closes. */
    async waitForNews(waiting: readonly WaitingNode[], seconds: number, signal: AbortSignal): Promise<void> {
      if (seconds <= 0 || signal.aborted) return;
      for (const one of waiting) {
        const { node, marks, routes } = one;
        if (streams.hasPending(node) || hasPeerNews(one)) return;
        const clusters = states.get(keyOf(node.pool, node.nodeName))?.clusters ?? new Map<string, PoolCluster>();
        if (Object.keys(marks).some((id) => !clusters.has(id))) return;
        for (const cluster of clusters.values()) {
          if (feedOf(node.pool, cluster).hasNews(node.nodeName, marks[cluster.id], routes)) return;
        }
      }
      await new Promise<void>((resolve) => {
        const entries = waiting.map(({ node, routes, peersMark }) => ({
          key: keyOf(node.pool, node.nodeName),
          sleeper: { routes, peers: peersMark !== undefined, wake: () => end() },
        }));
        const stopTimer = clock.after(seconds * 1000, () => end());
        const end = (): void => {
          stopTimer();
          signal.removeEventListener("abort", end);
          for (const { key, sleeper } of entries) {
            const set = sleepers.get(key);
            set?.delete(sleeper);
            if (set?.size === 0) sleepers.delete(key);
          }
          resolve();
        };
        for (const { key, sleeper } of entries) {
          const set = sleepers.get(key) ?? new Set<Sleeper>();
          set.add(sleeper);
          sleepers.set(key, set);
        }
        signal.addEventListener("abort", end);
      });
    },

    close(): void {
      stopPending();
      stopPool();
      stopPeers();
      for (const { feed } of feeds.values()) feed.close();
      feeds.clear();
      for (const set of [...sleepers.values()]) for (const sleeper of [...set]) sleeper.wake();
    },
  };
}
