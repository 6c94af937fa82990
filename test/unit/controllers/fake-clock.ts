import type { Clock } from "../../../shared/clock.ts";

/** A clock that moves only when told to. */
export interface FakeClock extends Clock {
  /** Moves on, calling what becomes due in order of its time. */
  advance(milliseconds: number): void;
}

export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = startMs;
  let timers: { dueMs: number; run: () => void }[] = [];
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const timer = { dueMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(milliseconds) {
      const untilMs = nowMs + milliseconds;
      for (;;) {
        const next = timers.filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        nowMs = Math.max(nowMs, next.dueMs);
        next.run();
      }
      nowMs = untilMs;
    },
  };
}
