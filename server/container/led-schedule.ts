import type { Dependencies } from "../../functions/dependencies.ts";
import type { ActedOn } from "../../functions/platform-domain.ts";
import { createSchedule } from "../../functions/schedule.ts";
import { createTurning } from "../../functions/turning.ts";
import { createAttempts } from "../../shared/host/attempts.ts";
import { createMeter } from "../../shared/metering/meter.ts";
import { hourMs } from "../../shared/metering/periods.ts";
import { closeUsageDays } from "../../shared/metering/usage-days.ts";
import { createUsageWriter } from "../../shared/metering/usage-writer.ts";
import type { Led } from "./leadership.ts";

const fullRoundMs = 60_000;
const longestMs = 50_000;

/**
 * What the functions `reconcile` and `meter` do by the clock. What clusters hold is counted by a meter of its own, and written only while it is certain that
 * nobody else counts it, too.
 */
export function createLedSchedule(dependencies: Dependencies, served: ActedOn): Led {
  const { store, storeOf, clock, log, uid, environment } = dependencies;
  const meter = createMeter(clock);
  const usage = createUsageWriter({ storeOf, clock, log, meter, writerId: uid() });
  const turning = createTurning({ ...dependencies, meter }, { tally: true }, served);
  const schedule = createSchedule(turning);
  let fullRoundAtMs = Number.NEGATIVE_INFINITY;
  let daysClosedAtMs = Number.NEGATIVE_INFINITY;
  let writtenAtMs = clock.now();
  const write = async (): Promise<void> => {
    writtenAtMs = clock.now();
    await usage.flush();
  };
  return {
    async round() {
      const nowMs = clock.now();
      if (nowMs - fullRoundAtMs < fullRoundMs) return schedule.agenda(nowMs + longestMs);
      fullRoundAtMs = nowMs;
      const attempts = createAttempts();
      await attempts.of(schedule.round(nowMs + longestMs), undefined);
      if (nowMs - daysClosedAtMs >= hourMs) {
        daysClosedAtMs = nowMs;
        await attempts.of(closeUsageDays({ store, storeOf, clock, log, onClosed: turning.services.onDayClosed }), 0);
      }
      attempts.end();
    },
    async confirmed() {
      if (clock.now() - writtenAtMs >= environment.usageSeconds * 1000) await write();
    },
    ending: write,
    close: () => turning.turner.close(),
  };
}
