import { dropAgenda, dueAgenda } from "../shared/host/agenda.ts";
import { finishPlatformWork, sendWebhooks } from "./platform-work.ts";
import { createSweep, type Left } from "./sweep.ts";
import { turnMany } from "./turn-many.ts";
import type { Turning } from "./turning.ts";

export interface Schedule {
  /** Turns the clusters that are due. */
  due(untilMs: number, left?: readonly Left[]): Promise<void>;
  /** That, what the platform's requests left, and what a lost wake-up left. */
  round(untilMs: number): Promise<void>;
}

/** What the clock asks for, whoever has the clock. */
export function createSchedule(turning: Turning): Schedule {
  const { clock, store } = turning.dependencies;
  const sweep = createSweep(turning);
  const due: Schedule["due"] = async (untilMs, left = []) => {
    const items = await dueAgenda(store, clock.now());
    const wanted = [...items, ...left].map((item) => ({ ...item, revision: 0 }));
    for (const { key, outcome } of await turnMany(turning, wanted, untilMs))
      if (key && outcome !== "lost") await store.writeRecords([dropAgenda(key)]);
  };
  return {
    due,
    async round(untilMs) {
      const work = Promise.all([finishPlatformWork(turning, untilMs), sendWebhooks(turning)]);
      await due(untilMs, await sweep.stale());
      await work;
      await sweep.housekeeping();
    },
  };
}
