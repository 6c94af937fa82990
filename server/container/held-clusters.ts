import type { Clock } from "../../shared/clock.ts";
import type { ClusterRuntime, RuntimeDirectory } from "../../shared/host/cluster-runtime.ts";
import { isCurrent, OpenClusters } from "../../shared/host/open-clusters.ts";
import type { ClusterRef } from "../../shared/store/store.ts";

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

/**
 * The clusters that a server process over a table holds for whoever asks: one mirror each, however many watch. One that nobody watches or asks for rests
 * after a minute, and leaves the memory after ten, or sooner where that is short.
 */
export class HeldClusters implements RuntimeDirectory {
  readonly #options: HeldClustersOptions;
  readonly #clusters: OpenClusters<ClusterRuntime>;
  #cancelSweep: () => void;

  constructor(options: HeldClustersOptions) {
    this.#options = options;
    this.#clusters = new OpenClusters(options.open);
    this.#cancelSweep = options.clock.after(sweepMs, () => this.#sweep());
  }

  /** With all that was acknowledged before now: also who may do what is judged by that. */
  async open(ref: ClusterRef): Promise<ClusterRuntime | undefined> {
    const held = this.#clusters.use(ref);
    held.usedAtMs = this.#options.clock.now();
    const runtime = await this.#clusters.open(ref);
    if (!runtime) return undefined;
    runtime.cluster.mirror.resume();
    if (await isCurrent(runtime)) return runtime;
    this.#clusters.forget(held);
    return this.#clusters.open(ref);
  }

  /** The cluster if it is in memory; asking does not count as use. */
  peek(ref: ClusterRef): ClusterRuntime | undefined {
    return this.#clusters.peek(ref);
  }

  onEvict(listener: (ref: ClusterRef) => void): () => void {
    return this.#clusters.onEvict(listener);
  }

  /** Watches end, each with a bookmark, and go on with another process. */
  endWatches(): void {
    this.#clusters.endWatches();
  }

  async close(): Promise<void> {
    this.#cancelSweep();
    await this.#clusters.close();
  }

  #sweep(): void {
    const nowMs = this.#options.clock.now();
    const short = this.#options.memoryIsShort();
    for (const held of this.#clusters.all) {
      if (!held.runtime) continue;
      const { mirror } = held.runtime.cluster;
      if (mirror.watched) held.usedAtMs = nowMs;
      const unusedMs = nowMs - held.usedAtMs;
      if (unusedMs < restMs) continue;
      if (unusedMs >= forgetMs || short || this.#clusters.size > most) this.#clusters.forget(held);
      // It follows its log no more, and costs nothing but memory.
      else mirror.suspend();
    }
    this.#cancelSweep = this.#options.clock.after(sweepMs, () => this.#sweep());
  }
}
