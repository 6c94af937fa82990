import { type ClusterRef, isStoreError } from "../store/store.ts";
import type { ClusterRuntime } from "./cluster-runtime.ts";

type Closable = Pick<ClusterRuntime, "endWatches" | "close">;

/** A cluster in memory, or on its way there. */
interface OpenCluster<Runtime extends Closable> {
  readonly ref: ClusterRef;
  readonly opening: Promise<Runtime>;
  /** Once it is there. */
  runtime: Runtime | undefined;
  /** For those who let go by the time. */
  usedAtMs: number;
}

/** Its mirror has all that was acknowledged before now. False: there is no such cluster any more, or its log does not reach back to where the mirror stood. */
export async function isCurrent({ ref, cluster: { store, mirror } }: Pick<ClusterRuntime, "ref" | "cluster">): Promise<boolean> {
  try {
    const { revision } = await store.head(ref);
    if (mirror.revision >= revision) return true;
    mirror.resume();
    await mirror.reached(revision);
    return true;
  } catch (error) {
    if (!isStoreError(error, "NoSuchCluster") && !isStoreError(error, "Compacted")) throw error;
    return false;
  }
}

/** The clusters in a process's memory, longest unused first. Opening one twice at the same time opens it once. */
export class OpenClusters<Runtime extends Closable> {
  readonly #open: (ref: ClusterRef, onEnd: () => void) => Promise<Runtime>;
  readonly #clusters = new Map<string, OpenCluster<Runtime>>();
  readonly #listeners = new Set<(ref: ClusterRef) => void>();
  /** The one that was used last. Most requests are of the same one, and by the same token, whose `ref` it is. */
  #last: { readonly asked: ClusterRef; readonly cluster: OpenCluster<Runtime> } | undefined;

  /** `onEnd`: the runtime can no longer be used; it is closed here. */
  constructor(open: (ref: ClusterRef, onEnd: () => void) => Promise<Runtime>) {
    this.#open = open;
  }

  /** In order; may be changed meanwhile. */
  get all(): readonly OpenCluster<Runtime>[] {
    return [...this.#clusters.values()];
  }

  get size(): number {
    return this.#clusters.size;
  }

  /** The one that is there or on its way, else a new one. */
  use(ref: ClusterRef): OpenCluster<Runtime> {
    if (this.#last?.asked === ref) return this.#last.cluster;
    const scope = scopeOf(ref);
    const cluster = this.#clusters.get(scope) ?? this.#begin(ref);
    this.#clusters.delete(scope);
    this.#clusters.set(scope, cluster);
    this.#last = { asked: ref, cluster };
    return cluster;
  }

  /** `undefined`: no such cluster. */
  async open(ref: ClusterRef): Promise<Runtime | undefined> {
    const { runtime, opening } = this.use(ref);
    try {
      return runtime ?? (await opening);
    } catch (error) {
      if (isStoreError(error, "NoSuchCluster")) return undefined;
      throw error;
    }
  }

  /** Asking does not count as use. */
  peek(ref: ClusterRef): Runtime | undefined {
    return this.#clusters.get(scopeOf(ref))?.runtime;
  }

  /** Closes it and tells the listeners, unless it left the memory before. */
  forget(cluster: OpenCluster<Runtime>): void {
    if (!this.#drop(cluster)) return;
    for (const listener of [...this.#listeners]) listener(cluster.ref);
    void closed(cluster);
  }

  /** Resolves when it is closed. The listeners are not told. */
  async evict(ref: ClusterRef): Promise<void> {
    const cluster = this.#clusters.get(scopeOf(ref));
    if (cluster && this.#drop(cluster)) await closed(cluster);
  }

  /** A cluster left the memory by itself. Returns the unsubscriber. */
  onEvict(listener: (ref: ClusterRef) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Watches end, each with a bookmark, those of clusters on their way included. */
  endWatches(): void {
    for (const { opening } of this.#clusters.values())
      opening.then(
        (runtime) => runtime.endWatches(),
        () => undefined,
      );
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map(closed));
    this.#clusters.clear();
    this.#last = undefined;
  }

  #begin(ref: ClusterRef): OpenCluster<Runtime> {
    const cluster: OpenCluster<Runtime> = {
      ref,
      opening: this.#open(ref, () => this.forget(cluster)),
      runtime: undefined,
      usedAtMs: 0,
    };
    cluster.opening.then(
      (runtime) => {
        cluster.runtime = runtime;
      },
      () => this.#drop(cluster),
    );
    return cluster;
  }

  #drop(cluster: OpenCluster<Runtime>): boolean {
    if (this.#last?.cluster === cluster) this.#last = undefined;
    const scope = scopeOf(cluster.ref);
    return this.#clusters.get(scope) === cluster && this.#clusters.delete(scope);
  }
}

/** One that could not be opened has nothing to close. */
async function closed({ opening }: OpenCluster<Closable>): Promise<void> {
  const runtime = await opening.catch(() => undefined);
  await runtime?.close();
}

const scopeOf = ({ tenant, cluster }: ClusterRef): string => `${tenant}#${cluster}`;
