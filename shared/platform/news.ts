/** Tells who serves the agents of a pool that its clusters, labels or taints may have changed. In process, at most once a change: missing one costs delay only. */
export interface PlatformNews {
  poolChanged(pool: string): void;
  /** Returns the unsubscriber. */
  onPoolChange(listener: (pool: string) => void): () => void;
}

export function createPlatformNews(): PlatformNews {
  const listeners = new Set<(pool: string) => void>();
  return {
    poolChanged(pool) {
      for (const listener of listeners) listener(pool);
    },
    onPoolChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
