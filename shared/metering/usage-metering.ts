import type { Clock } from "../clock.ts";
import type { Store, StoreOf } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { createMeter, type Meter } from "./meter.ts";
import { hourMs } from "./periods.ts";
import { closeUsageDays, type OnDayClosed } from "./usage-days.ts";
import { createUsageWriter } from "./usage-writer.ts";

/** Usage in a process that lives for long: gathered, written every five minutes and when it stops, and summed up to days. */
export interface UsageMetering {
  readonly meter: Meter;
  /** Writes what is gathered, and nothing when nothing is. For functions, which have no timers. */
  flush(): Promise<void>;
  start(): void;
  /** Writes what is left. */
  stop(): Promise<void>;
}

export interface UsageMeteringOptions {
  readonly store: Store;
  readonly storeOf: StoreOf;
  readonly clock: Clock;
  readonly log: Log;
  /** Never the same for two processes. */
  readonly writerId: string;
  readonly onDayClosed: OnDayClosed;
}

/** Divides an hour, so that what an hour saw is written as that hour's. What a process that dies has not written is at most this much. */
const usageIntervalMs = 5 * 60_000;

/**
 * Functions, which live from request to request, put together the same parts: a `createMeter` and a `createUsageWriter` for each instance, `flush` before the
 * end of an invocation when the last one was `usageSeconds` of theirs ago; and `closeUsageDays` on a schedule, once an hour.
 */
export function createUsageMetering({ store, storeOf, clock, log, writerId, onDayClosed }: UsageMeteringOptions): UsageMetering {
  const meter = createMeter(clock);
  const writer = createUsageWriter({ storeOf, clock, log, meter, writerId });
  let cancel = (): void => {};
  let running = false;
  let current: Promise<void> = Promise.resolve();

  const turn = async (): Promise<void> => {
    await writer.flush();
    // Once an hour, in its first interval.
    if (clock.now() % hourMs < usageIntervalMs) await closeUsageDays({ store, storeOf, clock, log, onClosed: onDayClosed });
  };
  const again = (): void => {
    cancel = clock.after(usageIntervalMs - (clock.now() % usageIntervalMs), () => {
      current = turn().catch((error: unknown) => log.error("usage was not summed up", error));
      void current.then(() => {
        if (running) again();
      });
    });
  };
  return {
    meter,
    flush: writer.flush,
    start() {
      if (running) return;
      running = true;
      again();
    },
    async stop() {
      running = false;
      cancel();
      await current;
      await writer.flush();
    },
  };
}
