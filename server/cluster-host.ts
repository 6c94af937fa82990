import type { Clock } from "../shared/clock.ts";
import type { RuntimeDirectory } from "../shared/host/cluster-runtime.ts";
import { OpenClusters } from "../shared/host/open-clusters.ts";
import type { ClusterRef } from "../shared/store/store.ts";
import type { Log } from "../shared/telemetry/log.ts";
import { type ActiveClusters, createActiveClusters } from "./active-clusters.ts";
import { type HostedCluster, type HostedClusterOptions, openHostedCluster } from "./hosted-cluster.ts";

/** A cluster that nobody asked for so long, and that has nothing to do, leaves the memory. */
const idleMs = 5 * 60_000;
const sweepMs = 30_000;

/** The clusters that this process holds and turns. */
export class ClusterHost implements RuntimeDirectory<HostedCluster> {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #active: ActiveClusters;
  readonly #clusters: OpenClusters<HostedCluster>;
  #cancelSweep: () => void;

  constructor(options: HostedClusterOptions) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#active = createActiveClusters(options.store, options.log);
    this.#clusters = new OpenClusters(async (ref, onEnd) => {
      const cluster = await openHostedCluster(ref, options, onEnd);
      this.#active.opened(ref);
      return cluster;
    });
    this.#clusters.onEvict((ref) => this.#active.rested(ref));
    this.#cancelSweep = this.#clock.after(sweepMs, () => this.#sweep());
  }

  /** Resolves at once when the cluster is here already. `undefined`: no such cluster. */
  open(ref: ClusterRef): Promise<HostedCluster | undefined> {
    this.#clusters.use(ref).usedAtMs = this.#clock.now();
    return this.#clusters.open(ref);
  }

  /** The cluster if it is in memory; asking does not count as use. */
  peek(ref: ClusterRef): HostedCluster | undefined {
    return this.#clusters.peek(ref);
  }

  /** Stops its loops and forgets it. */
  async evict(ref: ClusterRef): Promise<void> {
    await this.#clusters.evict(ref);
    this.#active.rested(ref);
  }

  /** Opens what the last run held, one after another: it may have been killed in the middle of something. One that fails keeps none of the others. */
  async resume(): Promise<void> {
    for (const ref of await this.#active.list()) {
      try {
        if (!(await this.open(ref))) this.#active.rested(ref);
      } catch (error) {
        this.#log.error("a cluster of the last run could not be opened", error, { cluster: ref.cluster });
      }
    }
  }

  onEvict(listener: (ref: ClusterRef) => void): () => void {
    return this.#clusters.onEvict(listener);
  }

  /** Watches end, each with a bookmark. */
  endWatches(): void {
    this.#clusters.endWatches();
  }

  async close(): Promise<void> {
    this.#cancelSweep();
    await this.#clusters.close();
  }

  #sweep(): void {
    const limit = this.#clock.now() - idleMs;
    for (const cluster of this.#clusters.all) {
      const { runtime, usedAtMs } = cluster;
      if (!runtime || usedAtMs > limit || runtime.cluster.mirror.watched || !runtime.loops.atRest) continue;
      this.#clusters.forget(cluster);
    }
    this.#cancelSweep = this.#clock.after(sweepMs, () => this.#sweep());
  }
}
