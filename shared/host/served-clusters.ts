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
 * nobody is answered any more. So a process that is frozen between requests polls for nothing.
 */
export class ServedClusters implements RuntimeDirectory {
  readonly #open: (ref: ClusterRef, onEnd: () => void) => Promise<ClusterRuntime>;
  readonly #wake: (ref: ClusterRef) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(ref: ClusterRef) => void>();

  /** `wake`: a cluster that rested is asked for again, and its log may have moved. */
  constructor(open: (ref: ClusterRef, onEnd: () => void) => Promise<ClusterRuntime>, wake: (ref: ClusterRef) => void) {
    this.#open = open;
    this.#wake = wake;
  }

  async open(ref: ClusterRef): Promise<ClusterRuntime | undefined> {
    const scope = scopeOf(ref);
    let entry = this.#entries.get(scope);
    if (entry?.runtime) {
      this.#entries.delete(scope);
      this.#entries.set(scope, entry);
      entry.runtime.cluster.mirror.resume();
      this.#wake(ref);
      return entry.runtime;
    }
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
