import type { Log } from "../../telemetry/log.ts";

/** Work off the critical path: so many at a time, the rest in order of arrival. */
export interface BoundedTasks {
  /** A task that fails is logged; nobody waits for it. */
  run(what: string, task: () => Promise<void>): void;
  /** Resolves when nothing is left. */
  idle(): Promise<void>;
  readonly isIdle: boolean;
}

export function createBoundedTasks(concurrency: number, log: Log): BoundedTasks {
  let queue: (readonly [what: string, task: () => Promise<void>])[] = [];
  let head = 0;
  let running = 0;
  let waiters: (() => void)[] = [];

  const turn = (): void => {
    while (running < concurrency && head < queue.length) {
      const next = queue[head++];
      if (next === undefined) break;
      running++;
      void perform(...next);
    }
    if (head === queue.length) {
      queue = [];
      head = 0;
    }
    if (running > 0) return;
    const resolved = waiters;
    waiters = [];
    for (const resolve of resolved) resolve();
  };
  const perform = async (what: string, task: () => Promise<void>): Promise<void> => {
    try {
      await task();
    } catch (error) {
      log.error("scheduler task failed", error, { what });
    }
    running--;
    turn();
  };

  return {
    run(what, task) {
      queue.push([what, task]);
      turn();
    },
    idle: () => (running === 0 && head === queue.length ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
    get isIdle() {
      return running === 0 && head === queue.length;
    },
  };
}
