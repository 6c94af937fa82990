import type { Clock } from "../../shared/clock.ts";
import type { ClusterRuntime, RuntimeDirectory } from "../../shared/host/cluster-runtime.ts";
import { type ClusterRef, isStoreError } from "../../shared/store/store.ts";

export interface HeldClustersOptions {
  readonly open: (ref: ClusterRef, onEnd: () => void) => Promise<ClusterRuntime>;
  readonly clock: Clock;
  /** What can be made anew has to leave the memory. */
  readonly memoryIsShort: () => boolean;
}

const sweepMs = 10_000;
/** No request lasts longer than this but those that watch. */
const restMs = 60_000;
const forgetMs = 10 * 60_000;
const most = 1000;

interface Entry {
  readonly opening: Promise<ClusterRuntime>;
  runtime: ClusterRuntime | undefined;
  usedAtMs: number;
  /** It follows its log no more, and costs nothing but memory. */
  resting: boolean;
}

/**
 * The clusters that a server process over a table holds for whoever asks: one mirror each, however many watch. One that nobody watches or asks for rests
 * after a minute, and leaves the memory after ten, or sooner where that is short.
 */
export class HeldClusters implements RuntimeDirectory {
  readonly #options: HeldClustersOptions;
  /** Longest unused first. */
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(ref: ClusterRef) => void>();
  #cancelSweep: () => void;

  constructor(options: HeldClustersOptions) {
    this.#options = options;
    this.#cancelSweep = options.clock.after(sweepMs, () => this.#sweep());
  }

  /** With all that was acknowledged before now: also who may do what is judged by that. */
  async open(ref: ClusterRef): Promise<ClusterRuntime | undefined> {
    const scope = scopeOf(ref);
    const entry = this.#entries.get(scope) ?? this.#opened(ref);
    this.#entries.delete(scope);
    this.#entries.set(scope, entry);
    entry.usedAtMs = this.#options.clock.now();
    try {
      const runtime = entry.runtime ?? (await entry.opening);
      const { store, mirror } = runtime.cluster;
      if (entry.resting) mirror.resume();
      entry.resting = false;
      await mirror.reached((await store.head(ref)).revision);
      return runtime;
    } catch (error) {
      if (!isStoreError(error, "NoSuchCluster")) throw error;
      this.#forget(ref, entry);
      return undefined;
    }
  }

  /** The cluster if it is in memory; asking does not count as use. */
  peek(ref: ClusterRef): ClusterRuntime | undefined {
    return this.#entries.get(scopeOf(ref))?.runtime;
  }

  onEvict(listener: (ref: ClusterRef) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Watches end, each with a bookmark, and go on with another process. */
  endWatches(): void {
    for (const { opening } of this.#entries.values())
      opening.then(
        (runtime) => runtime.endWatches(),
        () => undefined,
      );
  }

  async close(): Promise<void> {
    this.#cancelSweep();
    const openings = [...this.#entries.values()].map(({ opening }) => opening);
    this.#entries.clear();
    await Promise.all(openings.map(async (opening) => (await opening.catch(() => undefined))?.close()));
  }

  #opened(ref: ClusterRef): Entry {
    const entry: Entry = {
      opening: this.#options.open(ref, () => this.#forget(ref, entry)),
      runtime: undefined,
      usedAtMs: 0,
      resting: false,
    };
    entry.opening.then(
      (runtime) => {
        entry.runtime = runtime;
      },
      () => this.#drop(ref, entry),
    );
    return entry;
  }

  #drop(ref: ClusterRef, entry: Entry): void {
    if (this.#entries.get(scopeOf(ref)) === entry) this.#entries.delete(scopeOf(ref));
  }

  #forget(ref: ClusterRef, entry: Entry): void {
    if (this.#entries.get(scopeOf(ref)) !== entry) return;
    this.#drop(ref, entry);
    for (const listener of [...this.#listeners]) listener(ref);
    void entry.opening.then(
      (runtime) => runtime.close(),
      () => undefined,
    );
  }

  #sweep(): void {
    const nowMs = this.#options.clock.now();
    const short = this.#options.memoryIsShort();
    for (const entry of [...this.#entries.values()]) {
      const { runtime } = entry;
      if (!runtime) continue;
      const { mirror } = runtime.cluster;
      if (mirror.watched) entry.usedAtMs = nowMs;
      const unusedMs = nowMs - entry.usedAtMs;
      if (unusedMs < restMs) continue;
      if (unusedMs >= forgetMs || short || this.#entries.size > most) this.#forget(runtime.ref, entry);
      else if (!entry.resting) {
        entry.resting = true;
        mirror.suspend();
      }
    }
    this.#cancelSweep = this.#options.clock.after(sweepMs, () => this.#sweep());
  }
}

const scopeOf = ({ tenant, cluster }: ClusterRef): string => `${tenant}#${cluster}`;
