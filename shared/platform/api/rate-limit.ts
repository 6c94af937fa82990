import type { Clock } from "../../clock.ts";

export interface RateLimit {
  /** Requests that may come at once. */
  readonly burst: number;
  readonly perSecond: number;
}

export interface RateLimiter {
  /** Takes one token of the key's bucket; answers the seconds to wait when there is none, else 0. */
  take(key: string): number;
}

const maxKeys = 100_000;

/** A token bucket a key. Full buckets are forgotten, so memory is bounded by who is active. */
export function createRateLimiter(clock: Clock, { burst, perSecond }: RateLimit): RateLimiter {
  const buckets = new Map<string, { tokens: number; atMs: number }>();

  function forgetFull(nowMs: number): void {
    for (const [key, { tokens, atMs }] of buckets) {
      if (tokens + ((nowMs - atMs) / 1000) * perSecond >= burst) buckets.delete(key);
    }
  }

  return {
    take(key) {
      const nowMs = clock.now();
      const bucket = buckets.get(key) ?? { tokens: burst, atMs: nowMs };
      const tokens = Math.min(burst, bucket.tokens + (Math.max(0, nowMs - bucket.atMs) / 1000) * perSecond);
      const allowed = tokens >= 1;
      buckets.set(key, { tokens: allowed ? tokens - 1 : tokens, atMs: nowMs });
      if (buckets.size > maxKeys) forgetFull(nowMs);
      return allowed ? 0 : Math.max(1, Math.ceil((1 - tokens) / perSecond));
    },
  };
}
