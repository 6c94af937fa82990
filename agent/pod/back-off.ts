/** Where a repeated failure stands: `delayMs` holds from the failure on; `updatedAtMs` is when it was last lengthened. */
export interface BackOff {
  readonly delayMs: number;
  readonly updatedAtMs: number;
}

/** kubelet's figures for containers and images: 10 s, doubling to 5 minutes; forgotten after 10 minutes without failure. */
const initialMs = 10_000;
const maximumMs = 300_000;

function expired(backOff: BackOff, sinceMs: number): boolean {
  return sinceMs - backOff.updatedAtMs > 2 * maximumMs;
}

/** Until when a failure at `sinceMs` holds things up, or `undefined` when it does not (client-go `flowcontrol.Backoff.IsInBackOffSince`). */
export function heldUntil(backOff: BackOff | undefined, sinceMs: number, nowMs: number): number | undefined {
  if (backOff === undefined || expired(backOff, sinceMs)) return undefined;
  const untilMs = sinceMs + backOff.delayMs;
  return nowMs < untilMs ? untilMs : undefined;
}

/** The back-off after one more try (client-go `flowcontrol.Backoff.Next`). */
export function lengthened(backOff: BackOff | undefined, sinceMs: number, nowMs: number): BackOff {
  const delayMs = backOff === undefined || expired(backOff, sinceMs) ? initialMs : Math.min(backOff.delayMs * 2, maximumMs);
  return { delayMs, updatedAtMs: nowMs };
}

/** Whole seconds as Go's `time.Duration` prints them: `10s`, `1m20s`, `5m0s`. */
export function goSeconds(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours > 0) return `${hours}h${minutes}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
