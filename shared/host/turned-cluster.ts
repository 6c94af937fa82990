import { type ClusterFeed, createClusterFeed } from "../api/agent/cluster-feed.ts";
import { poolLabel } from "../api/agent/node-object.ts";
import { nodes } from "../kubernetes/known-resources.ts";
import type { Node } from "../kubernetes/types.ts";
import type { ClusterRef, Store } from "../store/store.ts";
import { objectOf } from "../store/view.ts";
import { type ClusterRuntime, type ClusterRuntimeOptions, openClusterRuntime } from "./cluster-runtime.ts";
import { createFencedStore, type Fence } from "./fenced-store.ts";
import type { Loops } from "./loops.ts";
import type { NodeMarks } from "./node-marks.ts";

/** A cluster whose loops this process turns, now and then: between two turns it rests in memory. */
export interface TurnedCluster {
  readonly runtime: ClusterRuntime;
  readonly loops: Loops;
  readonly fence: Fence;
  /** Its log can no longer be followed, or another process has its loops: throw it away. */
  readonly over: boolean;
  /** Resolves when `over`. */
  readonly ended: Promise<void>;
  end(): void;
  /** Reads what lies outside the cluster's log and its loops need to know. `rest`: the cluster is being deleted, its loops shall do nothing. */
  prepare(): Promise<"turn" | "rest">;
  /** A node has something new that it was not told. */
  readonly hasNews: boolean;
  /** Those that its nodes belong to, in order. */
  readonly pools: readonly string[];
  /** Tells the nodes that have something new; all of them when this process cannot know which. */
  tellNodes(marks: NodeMarks): Promise<void>;
  close(): Promise<void>;
}

export interface TurnedClusterOptions extends ClusterRuntimeOptions {
  readonly loopsOf: (runtime: ClusterRuntime) => Loops;
  /** `pools`: those that its nodes belong to. */
  readonly prepare: (runtime: ClusterRuntime, pools: readonly string[]) => ReturnType<TurnedCluster["prepare"]>;
}

const providerId = /^coracle:\/\/([^/]+)\//;

/** `doneRevision`: up to there nodes have been told. @throws StoreError `NoSuchCluster` */
export async function openTurnedCluster(
  ref: ClusterRef,
  store: Store,
  { token, doneRevision }: { token: number; doneRevision: number },
  options: TurnedClusterOptions,
): Promise<TurnedCluster> {
  const fence: Fence = { token };
  let over = false;
  let resolveEnded = (): void => {};
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });
  const end = (): void => {
    over = true;
    resolveEnded();
  };
  const runtime = await openClusterRuntime(ref, { ...options, store: createFencedStore(store, ref, fence, end) }, end);
  const { mirror } = runtime.cluster;
  const feed: ClusterFeed = createClusterFeed(mirror, "turned");
  const touched = new Set<string | undefined>();
  feed.onNews((node) => void touched.add(node));
  // What was written before is in the mirror, but not among the changes that it tells of.
  if (mirror.revision > doneRevision) touched.add(undefined);
  const loops = options.loopsOf(runtime);

  const poolOf = (nodeName: string): string | undefined => {
    const node = mirror.get(nodes, "", nodeName);
    return providerId.exec((node && objectOf<Node>(node).spec?.providerID) ?? "")?.[1];
  };
  const poolsOfNodes = (): string[] => {
    const pools = new Set(mirror.list(nodes).map((stored) => objectOf<Node>(stored).metadata.labels?.[poolLabel]));
    return [...pools].filter((pool) => pool !== undefined).sort();
  };
  return {
    ...{ runtime, loops, fence, ended, end },
    prepare: () => options.prepare(runtime, poolsOfNodes()),
    get over() {
      return over;
    },
    get hasNews() {
      return touched.size > 0;
    },
    get pools() {
      return poolsOfNodes();
    },
    async tellNodes(marks) {
      const told = [...touched];
      touched.clear();
      try {
        if (told.includes(undefined)) {
          const pools = new Set(mirror.list(nodes).map(({ key }) => poolOf(key.name)));
          for (const pool of pools) if (pool !== undefined) await marks.poolChanged(ref.tenant, pool);
          return;
        }
        const byPool = Map.groupBy(told, (name) => poolOf(name ?? ""));
        for (const [pool, names] of byPool)
          if (pool !== undefined)
            await marks.nodesChanged(
              ref.tenant,
              pool,
              names.filter((name) => name !== undefined),
            );
      } catch (error) {
        for (const name of told) touched.add(name);
        throw error;
      }
    },
    async close() {
      end();
      feed.close();
      const stopped = loops.stop();
      // What is under way may wait for the mirror, which may follow nothing by now.
      await runtime.close();
      await stopped;
    },
  };
}
