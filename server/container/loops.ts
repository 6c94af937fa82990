import type { Dependencies } from "../../functions/dependencies.ts";
import type { ActedOn } from "../../functions/platform-domain.ts";
import type { SharedStore } from "../../functions/tenant-stores.ts";
import { createTurning } from "../../functions/turning.ts";
import { createLeadership } from "./leadership.ts";
import { createLedSchedule } from "./led-schedule.ts";
import { createWakeUps } from "./wake-ups.ts";

/**
 * The loops in a server process, beside those of any other process, function or not: it turns what it writes, and one process of all has the schedule.
 * `quietly`: the store without anybody who hears of its writes.
 */
export function startLoops(dependencies: Dependencies, served: ActedOn, quietly: (store: SharedStore) => SharedStore) {
  const { clock, log, store, uid } = dependencies;
  // What the schedule writes under its lease it turns itself.
  const ofSchedule = { ...dependencies, store: quietly(store), storeOf: (tenant: string) => quietly(dependencies.storeOf(tenant)) };
  const turning = createTurning(dependencies, { tally: false }, served);
  const writes = createWakeUps(turning);
  const leadership = createLeadership({ store, clock, log, holder: uid(), lead: () => createLedSchedule(ofSchedule, served) });
  leadership.start();
  return {
    writes,
    async stop() {
      await Promise.all([writes.stop(), leadership.stop()]);
    },
    close: () => turning.turner.close(),
  };
}
