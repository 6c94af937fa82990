import type { ClusterRef } from "../store/store.ts";
import type { ClusterRuntime, RuntimeDirectory } from "./cluster-runtime.ts";
import { isCurrent, OpenClusters } from "./open-clusters.ts";

/** Clusters kept for the requests to come. */
const kept = 32;

/**
 * Clusters in the memory of a process that is awake only while it answers: they follow their logs from `open` until `rest`, which is called when
 * nobody is answered any more. So a process that is frozen between requests polls for nothing; and whoever is answered first, roles and bindings that say
 * what he may do included, is answered as of now.
 */
export class ServedClusters implements RuntimeDirectory {
  readonly #clusters: OpenClusters<ClusterRuntime>;

  constructor(open: (ref: ClusterRef, onEnd: () => void) => Promise<ClusterRuntime>) {
    this.#clusters = new OpenClusters(open);
  }

  /** With all that was acknowledged before now. */
  async open(ref: ClusterRef): Promise<ClusterRuntime | undefined> {
    this.peek(ref)?.cluster.mirror.resume();
    return (await this.look(ref)) ?? this.#clusters.open(ref);
  }

  /** The cluster if it is in memory, with all that was acknowledged before now, but not what comes after. */
  async look(ref: ClusterRef): Promise<ClusterRuntime | undefined> {
    const runtime = this.peek(ref);
    if (!runtime) return undefined;
    const served = this.#clusters.use(ref);
    if (await isCurrent(runtime)) return runtime;
    this.#clusters.forget(served);
    return undefined;
  }

  /** The cluster if it is in memory. */
  peek(ref: ClusterRef): ClusterRuntime | undefined {
    return this.#clusters.peek(ref);
  }

  rest(): void {
    const all = this.#clusters.all;
    for (const { runtime } of all) runtime?.cluster.mirror.suspend();
    for (const served of all) {
      if (this.#clusters.size <= kept) return;
      if (served.runtime) this.#clusters.forget(served);
    }
  }

  onEvict(listener: (ref: ClusterRef) => void): () => void {
    return this.#clusters.onEvict(listener);
  }
}
