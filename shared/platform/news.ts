/**
 * Tells who serves the agents of a pool that its clusters, labels or taints may have changed. In process, at most once a change: missing one costs
 * delay only. Hosts of several processes pass it on by records.
 */
export interface PlatformNews {
  poolChanged(tenant: string, pool: string): void;
  /** Returns the unsubscriber. */
  onPoolChange(listener: (pool: string, tenant: string) => void): () => void;
  /** Machines of the pool, the addresses of their pods or their own have changed. */
  peersChanged(tenant: string, pool: string): void;
  /** Returns the unsubscriber. */
  onPeersChange(listener: (pool: string, tenant: string) => void): () => void;
}

export function createPlatformNews(): PlatformNews {
  const pools = createChannel();
  const peers = createChannel();
  return { poolChanged: pools.tell, onPoolChange: pools.listen, peersChanged: peers.tell, onPeersChange: peers.listen };
}

function createChannel() {
  const listeners = new Set<(pool: string, tenant: string) => void>();
  return {
    tell(tenant: string, pool: string): void {
      for (const listener of listeners) listener(pool, tenant);
    },
    listen(listener: (pool: string, tenant: string) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
