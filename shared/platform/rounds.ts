import type { Clock } from "../clock.ts";
import type { Log } from "../telemetry/log.ts";

/** Repeats a look at work that lies in the store: soon while something is pending, else seldom or when woken. Never two looks at once. */
export interface Rounds {
  start(): void;
  /** There may be something to do. */
  wake(): void;
  stop(): Promise<void>;
}

export interface RoundsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly name: string;
  /** Answers how much is still pending. */
  readonly round: () => Promise<number>;
  readonly retryMs: number;
  readonly restMs: number;
}

export function createRounds({ clock, log, name, round, retryMs, restMs }: RoundsOptions): Rounds {
  let running = false;
  let woken = false;
  let current: Promise<void> | undefined;
  let cancelTimer = () => {};

  async function turn(): Promise<void> {
    let pending = 1;
    try {
      pending = await round();
    } catch (error) {
      log.error("round failed", error, { name });
    }
    current = undefined;
    if (!running) return;
    cancelTimer = clock.after(woken ? 0 : pending > 0 ? retryMs : restMs, run);
    woken = false;
  }

  function run(): void {
    cancelTimer();
    if (current) woken = true;
    else current = turn();
  }

  return {
    start() {
      if (running) return;
      running = true;
      run();
    },
    wake() {
      if (running) run();
    },
    async stop() {
      running = false;
      cancelTimer();
      await current;
    },
  };
}
