import { createHeap } from "./heap.ts";

/** First and longest wait after a failure: client-go's `DefaultControllerRateLimiter`, 5 ms doubling to 1,000 s. */
const backOff = { firstMs: 5, longestMs: 1_000_000 } as const;

/**
 * Keys that wait to be looked at. A key is in it once however often it was added, is handed out to one taker at a time, and when it
 * was added while it is out it comes up again after `done`. Times are milliseconds since 1970.
 */
export interface WorkQueue {
  /** Due now, or when the key has rested. */
  add(key: string): void;
  /** Due at `dueMs`; replaces an earlier appointment of this key. */
  addAt(key: string, dueMs: number): void;
  /** Forgets the appointment, not what is due now. */
  cancel(key: string): void;
  /** The next key due now, which is out until `done`. */
  take(nowMs: number): string | undefined;
  /** Until `restUntilMs` what is added of this key waits; so a key that costs much and changes often is looked at seldom. */
  done(key: string, restUntilMs?: number): void;
  /** Counts a failure of the key; answers how long to wait before the next attempt. */
  failed(key: string): number;
  /** How often in a row the key failed. */
  failures(key: string): number;
  succeeded(key: string): void;
  hasDue(nowMs: number): boolean;
  /** Keys that were added and wait only until they have rested. */
  readonly postponed: number;
  /** Keys that are out. */
  readonly taken: number;
  /** The earliest appointment. */
  nextDue(): number | undefined;
}

interface Appointment {
  readonly key: string;
  readonly dueMs: number;
}

export function createWorkQueue(): WorkQueue {
  const ready = new Set<string>();
  const out = new Set<string>();
  /** Added while out. */
  const dirty = new Set<string>();
  const due = new Map<string, number>();
  const heap = createHeap<Appointment>((a, b) => a.dueMs < b.dueMs);
  const failures = new Map<string, number>();
  /** When each key that is done has rested; entries of the past are dropped now and then. */
  const rests = new Map<string, number>();
  let purgeAt = 1000;
  const postponed = new Set<string>();

  const isStale = (appointment: Appointment | undefined): boolean =>
    appointment !== undefined && due.get(appointment.key) !== appointment.dueMs;
  const first = (): Appointment | undefined => {
    while (isStale(heap.first())) heap.pop();
    return heap.first();
  };
  const promote = (nowMs: number): void => {
    for (let next = first(); next !== undefined && next.dueMs <= nowMs; next = first()) {
      heap.pop();
      due.delete(next.key);
      rests.delete(next.key);
      postponed.delete(next.key);
      add(next.key);
    }
  };
  const appoint = (key: string, dueMs: number): void => {
    if (due.get(key) === dueMs) return;
    due.set(key, dueMs);
    heap.push({ key, dueMs });
    // Replaced appointments stay in the heap until they come up: drop them before they outnumber the valid ones.
    if (heap.size > 2 * due.size + 64) {
      heap.clear();
      for (const [key, dueMs] of due) heap.push({ key, dueMs });
    }
  };
  const add = (key: string): void => {
    const restedMs = rests.get(key);
    if (out.has(key)) dirty.add(key);
    else if (restedMs === undefined) ready.add(key);
    else {
      postponed.add(key);
      appoint(key, Math.min(restedMs, due.get(key) ?? restedMs));
    }
  };

  return {
    add,
    addAt: appoint,
    cancel(key) {
      due.delete(key);
      postponed.delete(key);
    },
    take(nowMs) {
      promote(nowMs);
      if (rests.size > purgeAt) {
        for (const [key, restedMs] of rests) if (restedMs <= nowMs) rests.delete(key);
        purgeAt = 2 * rests.size + 1000;
      }
      for (const key of ready) {
        ready.delete(key);
        out.add(key);
        return key;
      }
      return undefined;
    },
    done(key, restUntilMs) {
      out.delete(key);
      if (restUntilMs !== undefined) rests.set(key, restUntilMs);
      if (dirty.delete(key)) add(key);
    },
    failed(key) {
      const before = failures.get(key) ?? 0;
      failures.set(key, before + 1);
      return Math.min(backOff.firstMs * 2 ** before, backOff.longestMs);
    },
    failures: (key) => failures.get(key) ?? 0,
    succeeded: (key) => void failures.delete(key),
    hasDue(nowMs) {
      promote(nowMs);
      return ready.size > 0;
    },
    get postponed() {
      return postponed.size;
    },
    get taken() {
      return out.size;
    },
    nextDue: () => first()?.dueMs,
  };
}
