import type { Clock } from "../../clock.ts";

/** So many at once, and from then on so many a second: a token bucket, as client-go's flow control keeps it (`--kube-api-burst`, `--kube-api-qps`). */
export interface Pace {
  readonly burst: number;
  readonly perSecond: number;
}

/** Tasks that can wait, each under a key. */
export interface PacedTasks {
  /** Runs the task now or when its turn comes, in order of arrival; it takes the place of one that waits under the same key. What answers false found nothing to do, and does not count. */
  put(key: string, task: () => boolean): void;
  /** Starts what may be started: to be called when `mayRun` has become true again. */
  turn(): void;
  /** Forgets what waits. */
  clear(): void;
  /** When the next one's turn is, in milliseconds since 1970. */
  nextDue(): number | undefined;
}

export interface PacedTasksOptions {
  readonly clock: Clock;
  /** Absent: nothing waits. */
  readonly pace?: Pace;
  /** While it answers false nothing is started. */
  readonly mayRun: () => boolean;
}

export function createPacedTasks({ clock, pace, mayRun }: PacedTasksOptions): PacedTasks {
  const { burst, perSecond } = pace ?? { burst: Number.POSITIVE_INFINITY, perSecond: Number.POSITIVE_INFINITY };
  const waiting = new Map<string, () => boolean>();
  let tokens = burst;
  let countedAtMs = clock.now();
  let timer: { readonly dueMs: number; readonly cancel: () => void } | undefined;

  const count = (): void => {
    const nowMs = clock.now();
    // A clock that was set back takes nothing away.
    if (tokens < burst) tokens = Math.min(burst, tokens + (Math.max(0, nowMs - countedAtMs) * perSecond) / 1000);
    countedAtMs = nowMs;
  };
  const rest = (): void => {
    timer?.cancel();
    timer = undefined;
  };
  const turn = (): void => {
    rest();
    if (!mayRun()) return;
    count();
    for (const [key, task] of waiting) {
      if (tokens < 1) break;
      waiting.delete(key);
      if (task()) tokens--;
    }
    if (waiting.size === 0) return;
    const waitMs = Math.ceil(((1 - tokens) * 1000) / perSecond);
    timer = { dueMs: clock.now() + waitMs, cancel: clock.after(waitMs, turn) };
  };

  return {
    put(key, task) {
      waiting.set(key, task);
      if (!timer) turn();
    },
    turn,
    clear() {
      waiting.clear();
      rest();
    },
    nextDue: () => timer?.dueMs,
  };
}
