import { type ClusterRef, isStoreError } from "../store/store.ts";
import type { ClusterRuntime, RuntimeDirectory } from "./cluster-runtime.ts";

/** Clusters kept for the requests to come. */
const kept = 32;

interface Entry {
  readonly opening: Promise<ClusterRuntime>;
  runtime: ClusterRuntime | undefined;
}

/**
 * Clusters in the memory of a process that is awake only while it answers: they follow their logs from `open` until `rest`, which is called when
 * nobody is answered any more. So a process that is frozen between requests polls for nothing; and whoever is answered first, roles and bindings that say
 * what he may do included, is answered as of now.
 */
export class ServedClusters implements RuntimeDirectory {
  readonly #open: (ref: ClusterRef, onEnd: () => void) => Promise<ClusterRuntime>;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(ref: ClusterRef) => void>();

  constructor(open: (ref: ClusterRef, onEnd: () => void) => Promise<ClusterRuntime>) {
    this.#open = open;
  }

  /** With all that was acknowledged before now. */
  async open(ref: ClusterRef): Promise<ClusterRuntime | undefined> {
    this.peek(ref)?.cluster.mirror.resume();
    return (await this.look(ref)) ?? this.#opened(ref);
  }

  /** The cluster if it is in memory, with all that was acknowledged before now, but not what comes after. */
  async look(ref: ClusterRef): Promise<ClusterRuntime | undefined> {
    const scope = scopeOf(ref);
    const entry = this.#entries.get(scope);
    if (!entry?.runtime) return undefined;
    // The one used last is the last to go.
    this.#entries.delete(scope);
    this.#entries.set(scope, entry);
    const { store, mirror } = entry.runtime.cluster;
    try {
      const { revision } = await store.head(ref);
      if (mirror.revision >= revision) return entry.runtime;
      mirror.resume();
      await mirror.reached(revision);
      return entry.runtime;
    } catch (error) {
      if (!isStoreError(error, "NoSuchCluster") && !isStoreError(error, "Compacted")) throw error;
      // It is gone, or stood still for so long that its log does not reach back to it.
      if (this.#entries.get(scope) === entry) this.#forget(ref);
      return undefined;
    }
  }

  async #opened(ref: ClusterRef): Promise<ClusterRuntime | undefined> {
    const scope = scopeOf(ref);
    let entry = this.#entries.get(scope);
    if (!entry) {
      entry = { opening: this.#open(ref, () => this.#forget(ref)), runtime: undefined };
      const opened = entry;
      this.#entries.set(scope, entry);
      opened.opening.then(
        (runtime) => {
          opened.runtime = runtime;
        },
        () => this.#entries.delete(scope),
      );
    }
    try {
      return await entry.opening;
    } catch (error) {
      if (isStoreError(error, "NoSuchCluster")) return undefined;
      throw error;
    }
  }

  /** The cluster if it is in memory. */
  peek(ref: ClusterRef): ClusterRuntime | undefined {
    return this.#entries.get(scopeOf(ref))?.runtime;
  }

  rest(): void {
    for (const { runtime } of this.#entries.values()) runtime?.cluster.mirror.suspend();
    for (const { runtime } of this.#entries.values()) {
      if (this.#entries.size <= kept) return;
      if (runtime) this.#forget(runtime.ref);
    }
  }

  onEvict(listener: (ref: ClusterRef) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #forget(ref: ClusterRef): void {
    const entry = this.#entries.get(scopeOf(ref));
    this.#entries.delete(scopeOf(ref));
    for (const listener of this.#listeners) listener(ref);
    void entry?.opening.then(
      (runtime) => runtime.close(),
      () => undefined,
    );
  }
}

const scopeOf = ({ tenant, cluster }: ClusterRef): string => `${tenant}#${cluster}`;
