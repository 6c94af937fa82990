import { setTimeout as pause } from "node:timers/promises";

export interface EventuallyOptions {
  readonly withinSeconds?: number;
  readonly everyMs?: number;
}

/** Calls until it neither throws nor answers `undefined`. @throws the last error when the time is over */
export async function eventually<T>(what: string, look: () => Promise<T | undefined>, options: EventuallyOptions = {}): Promise<T> {
  const { withinSeconds = 30, everyMs = 200 } = options;
  const deadline = Date.now() + withinSeconds * 1000;
  let last: unknown = "it was not so";
  for (;;) {
    try {
      const value = await look();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= deadline) {
      throw new Error(`not within ${withinSeconds} s: ${what}: ${last instanceof Error ? last.message : String(last)}`, { cause: last });
    }
    await pause(everyMs);
  }
}

/** As `eventually`, for a condition. */
export const untilTrue = (what: string, look: () => Promise<boolean>, options?: EventuallyOptions): Promise<true> =>
  eventually(what, async () => ((await look()) ? true : undefined), options);
