import type { Clock } from "../shared/clock.ts";
import type { RuntimeDirectory } from "../shared/host/cluster-runtime.ts";
import { type ClusterRef, isStoreError } from "../shared/store/store.ts";
import { type ActiveClusters, createActiveClusters } from "./active-clusters.ts";
import { type HostedCluster, type HostedClusterOptions, openHostedCluster } from "./hosted-cluster.ts";

/** A cluster that nobody asked for so long, and that has nothing to do, leaves the memory. */
const idleMs = 5 * 60_000;
const sweepMs = 30_000;

interface Entry {
  readonly opening: Promise<HostedCluster>;
  runtime: HostedCluster | undefined;
  usedAtMs: number;
}

/** The clusters that this process holds. Opening one twice at the same time opens it once. */
export class ClusterHost implements RuntimeDirectory<HostedCluster> {
  readonly #options: HostedClusterOptions;
  readonly #clock: Clock;
  readonly #active: ActiveClusters;
  readonly #entries = new Map<string, Entry>();
  #cancelSweep: () => void;
  /** Called when a cluster came or went. */
  readonly #listeners = new Set<(ref: ClusterRef) => void>();

  constructor(options: HostedClusterOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#active = createActiveClusters(options.store, options.log);
    this.#cancelSweep = this.#clock.after(sweepMs, () => this.#sweep());
  }

  /** Resolves at once when the cluster is here already. `undefined`: no such cluster. */
  async open(ref: ClusterRef): Promise<HostedCluster | undefined> {
    const key = `${ref.tenant}#${ref.cluster}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      const opening = openHostedCluster(ref, this.#options, () => this.#forget(key));
      entry = { opening, runtime: undefined, usedAtMs: 0 };
      this.#entries.set(key, entry);
      const opened = entry;
      opening.then(
        (runtime) => {
          opened.runtime = runtime;
          this.#active.opened(ref);
        },
        () => this.#entries.delete(key),
      );
    }
    entry.usedAtMs = this.#clock.now();
    try {
      return entry.runtime ?? (await entry.opening);
    } catch (error) {
      if (isStoreError(error, "NoSuchCluster")) return undefined;
      throw error;
    }
  }

  /** The cluster if it is in memory; asking does not count as use. */
  peek(ref: ClusterRef): HostedCluster | undefined {
    return this.#entries.get(`${ref.tenant}#${ref.cluster}`)?.runtime;
  }

  /** Stops its loops and forgets it. */
  async evict(ref: ClusterRef): Promise<void> {
    const key = `${ref.tenant}#${ref.cluster}`;
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    const runtime = await entry.opening.catch(() => undefined);
    await runtime?.close();
    this.#active.rested(ref);
  }

  /** Opens what the last run held, one after another: it may have been killed in the middle of something. */
  async resume(): Promise<void> {
    for (const ref of await this.#active.list()) if (!(await this.open(ref))) this.#active.rested(ref);
  }

  onEvict(listener: (ref: ClusterRef) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#cancelSweep();
    await Promise.all([...this.#entries.values()].map(async ({ opening }) => (await opening.catch(() => undefined))?.close()));
    this.#entries.clear();
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    void entry?.opening.then((runtime) => {
      this.#active.rested(runtime.ref);
      for (const listener of this.#listeners) listener(runtime.ref);
      return runtime.close();
    });
  }

  #sweep(): void {
    const limit = this.#clock.now() - idleMs;
    for (const [key, { runtime, usedAtMs }] of this.#entries) {
      if (!runtime || usedAtMs > limit || runtime.cluster.mirror.watched || !runtime.loops.atRest) continue;
      this.#forget(key);
    }
    this.#cancelSweep = this.#clock.after(sweepMs, () => this.#sweep());
  }
}
