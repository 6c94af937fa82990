import type { Clock } from "../../shared/clock.ts";
import { createLoopLeases, type LoopLease } from "../../shared/host/loop-lease.ts";
import type { ClusterRef, Store } from "../../shared/store/store.ts";
import type { Log } from "../../shared/telemetry/log.ts";

/** What one process of all does. */
export interface Led {
  /** Called again and again, never twice at once. */
  round(): Promise<void>;
  /** This process leads for certain: what is counted once may be written now. */
  confirmed(): Promise<void>;
  /** It does so for the last time: what is counted once has to be written now. */
  ending(): Promise<void>;
  /** It leads no more. Nothing that is counted once may be written. */
  close(): Promise<void>;
}

export interface Leadership {
  start(): void;
  /** Hands it on, where it can be. Never rejects. */
  stop(): Promise<void>;
}

export interface LeadershipOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this process; never the same twice. */
  readonly holder: string;
  readonly lead: () => Led;
}

/** No tenant may have this name: it is where the platform's own records lie. */
const schedule: ClusterRef = { tenant: "platform", cluster: "schedule" };
const roundMs = 5000;
const renewMs = 10_000;
const againMs = 15_000;

/** Lets one of several processes do what has to be done by one: by the lease by which clusters are turned, on a cluster that there is not. */
export function createLeadership({ store, clock, log, holder, lead }: LeadershipOptions): Leadership {
  const leases = createLoopLeases({ store, clock, holder, lookAgain: () => Promise.resolve() });
  let stopped = false;
  let cancel = (): void => {};
  let current: Promise<void> = Promise.resolve();
  let leading: { readonly lease: LoopLease; readonly led: Led; checkedAtMs: number } | undefined;

  async function step(): Promise<number> {
    if (!leading) {
      const lease = await leases.acquire(schedule, Number.POSITIVE_INFINITY);
      if (lease.kind !== "held") return againMs;
      leading = { lease, led: lead(), checkedAtMs: clock.now() };
      log.info("this process has the schedule");
    } else if (clock.now() - leading.checkedAtMs >= renewMs) {
      const { lease, led } = leading;
      if ((await lease.renew()) === "lost") {
        leading = undefined;
        await led.close();
        return againMs;
      }
      leading.checkedAtMs = clock.now();
      await led.confirmed();
    }
    round(leading.led);
    return roundMs;
  }

  let rounds: Promise<void> | undefined;
  const round = (led: Led): void => {
    rounds ??= led
      .round()
      .catch((error: unknown) => log.error("a round of the schedule failed", error))
      .finally(() => {
        rounds = undefined;
      });
  };

  const again = (delayMs: number): void => {
    if (stopped) return;
    cancel = clock.after(delayMs, () => {
      current = step()
        .catch((error: unknown) => {
          log.error("who has the schedule is not known", error);
          return roundMs;
        })
        .then(again);
    });
  };
  return {
    start: () => again(0),
    async stop() {
      stopped = true;
      cancel();
      await current;
      await rounds;
      if (!leading) return;
      const { lease, led } = leading;
      try {
        if ((await lease.renew()) === "held") await led.ending();
        await lease.letGo(0, { pools: [] });
      } catch (error) {
        log.error("the schedule not handed on: another process has it when its time is over", error);
      }
      await led.close();
    },
  };
}
