/** Time as a port, so that tests and simulations decide what time it is. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it. A pending timer keeps the process alive only where somebody waits for it (`awaited`). */
  after(delayMs: number, run: () => void, awaited?: boolean): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run, awaited = false) {
    const timer = setTimeout(run, Math.min(delayMs, 2 ** 31 - 1));
    if (!awaited) timer.unref();
    return () => clearTimeout(timer);
  },
};

export const sleep = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve, true));
