/** client-go's `flowcontrol.Backoff` as the daemon set controller has it: a second, doubling to a quarter of an hour. */
const firstMs = 1000;
const longestMs = 15 * 60_000;

/** How long a failed pod stays before it is replaced, the longer the more often that was so under one key: a node's agent that refuses a pod refuses the next one too. */
export interface FailedPodBackOff {
  /** In how many milliseconds a pod may be replaced; 0: now. */
  waitMs(key: string, nowMs: number): number;
  /** One was replaced. */
  note(key: string, nowMs: number): void;
}

export function createFailedPodBackOff(): FailedPodBackOff {
  const entries = new Map<string, { readonly atMs: number; readonly backOffMs: number }>();
  let purgeAt = 1000;
  const entryOf = (key: string, nowMs: number) => {
    const entry = entries.get(key);
    return entry && nowMs - entry.atMs <= 2 * longestMs ? entry : undefined;
  };
  return {
    waitMs(key, nowMs) {
      const entry = entryOf(key, nowMs);
      return entry ? Math.max(0, entry.atMs + entry.backOffMs - nowMs) : 0;
    },
    note(key, nowMs) {
      const entry = entryOf(key, nowMs);
      entries.set(key, { atMs: nowMs, backOffMs: entry ? Math.min(2 * entry.backOffMs, longestMs) : firstMs });
      if (entries.size < purgeAt) return;
      for (const known of entries.keys()) if (!entryOf(known, nowMs)) entries.delete(known);
      purgeAt = Math.max(1000, 2 * entries.size);
    },
  };
}
