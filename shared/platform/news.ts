/** Tells who serves the agents of a pool that its clusters, labels or taints may have changed. In process, at most once a change: missing one costs delay only. */
export interface PlatformNews {
  poolChanged(pool: string): void;
  /** Returns the unsubscriber. */
  onPoolChange(listener: (pool: string) => void): () => void;
  /** Machines of the pool, the addresses of their pods or their own have changed. */
  peersChanged(pool: string): void;
  /** Returns the unsubscriber. */
  onPeersChange(listener: (pool: string) => void): () => void;
}

export function createPlatformNews(): PlatformNews {
  const pools = createChannel();
  const peers = createChannel();
  return { poolChanged: pools.tell, onPoolChange: pools.listen, peersChanged: peers.tell, onPeersChange: peers.listen };
}

function createChannel() {
  const listeners = new Set<(pool: string) => void>();
  return {
    tell(pool: string): void {
      for (const listener of listeners) listener(pool);
    },
    listen(listener: (pool: string) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
