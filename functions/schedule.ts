import { forEachBounded } from "../shared/controllers/bounded.ts";
import { dropAgenda, dueAgenda } from "../shared/host/agenda.ts";
import { type ListenedTo, listenNoMore } from "../shared/host/listening.ts";
import { finishPlatformWork, sendWebhooks } from "./platform-work.ts";
import { createSilence } from "./silence.ts";
import { createSweep, type Left } from "./sweep.ts";
import { turnMany } from "./turn-many.ts";
import type { Turning } from "./turning.ts";

/** Clusters followed beside each other. */
const atOnce = 16;

export interface Schedule {
  /** Turns the clusters that are due, and those of which a machine has fallen silent. */
  due(untilMs: number, left?: readonly Left[]): Promise<void>;
  /** That, what the platform's requests left, and what a lost wake-up left. */
  round(untilMs: number): Promise<void>;
}

/** What the clock asks for, whoever has the clock. */
export function createSchedule(turning: Turning): Schedule {
  const { turner } = turning;
  const { clock, store, log } = turning.dependencies;
  const sweep = createSweep(turning);
  const silence = createSilence(turning);
  /** What they hold is metered from memory, which has to follow. */
  const keepUp = async (clusters: readonly ListenedTo[], untilMs: number): Promise<void> => {
    const failures = await forEachBounded(clusters, atOnce, async ({ ref }) => {
      if (clock.now() < untilMs && (await turner.keepUp(ref, untilMs)) === "gone") await store.writeRecords([listenNoMore(ref)]);
    });
    for (const failure of failures) log.error("cluster not followed", failure);
  };
  const due: Schedule["due"] = async (untilMs, left = []) => {
    const [items, { silenced, others }] = await Promise.all([dueAgenda(store, clock.now()), silence.look()]);
    const wanted = [...items, ...left].map((item) => ({ ...item, revision: 0 }));
    const [turned, heard] = await Promise.all([turnMany(turning, wanted, untilMs), turnMany(turning, silenced, untilMs)]);
    for (const { key, outcome } of turned) if (key && outcome !== "lost") await store.writeRecords([dropAgenda(key)]);
    await silence.noted(heard);
    if (turning.tallies) await keepUp(others, untilMs);
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
