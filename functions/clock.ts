import type { Clock } from "../shared/clock.ts";

/**
 * The time in a function. Unlike the usual clock its timers keep the process alive: while a function waits for nothing but a timer, the runtime
 * would take the end of the event loop for the end of the function.
 */
export const functionClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(delayMs, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};
