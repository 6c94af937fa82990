import { forEachBounded } from "../shared/controllers/bounded.ts";
import { dropAgenda, dueAgenda } from "../shared/host/agenda.ts";
import { type ListenedTo, listenNoMore } from "../shared/host/listening.ts";
import { createSilence } from "../shared/host/silence.ts";
import { createSweep, type Left } from "../shared/host/sweep.ts";
import { turnMany, type Wanted } from "../shared/host/turn-many.ts";
import { finishPlatformWork, sendWebhooks } from "./platform-work.ts";
import type { Turning } from "./turning.ts";

/** Clusters followed beside each other. */
const atOnce = 16;

export interface Schedule {
  /** Turns the clusters that are due. */
  agenda(untilMs: number): Promise<void>;
  /** That, the clusters of which a machine has fallen silent, what the platform's requests left, and what a lost wake-up left. */
  round(untilMs: number): Promise<void>;
}

/** What the clock asks for, whoever has the clock. */
export function createSchedule(turning: Turning): Schedule {
  const { turner, services } = turning;
  const { clock, store, log, nodeGraceMs, installation } = turning.dependencies;
  const tidyUp = () => Promise.all([services.housekeeping.round(), installation.signingKeys.rotate()]);
  const sweep = createSweep({ store, clock, log, tidyUp });
  const silence = createSilence({ store, heartbeats: services.heartbeats, clock, nodeGraceMs });
  const turnAll = <T extends Wanted>(wanted: readonly T[], untilMs: number) => turnMany({ turner, clock, log, store }, wanted, untilMs);
  /** What they hold is metered from memory, which has to follow. */
  const keepUp = async (clusters: readonly ListenedTo[], untilMs: number): Promise<void> => {
    const failures = await forEachBounded(clusters, atOnce, async ({ ref }) => {
      if (clock.now() < untilMs && (await turner.keepUp(ref, untilMs)) === "gone") await store.writeRecords([listenNoMore(ref)]);
    });
    for (const failure of failures) log.error("cluster not followed", failure);
  };
  const agenda = async (untilMs: number, left: readonly Left[] = []): Promise<void> => {
    const items = await dueAgenda(store, clock.now());
    const wanted = [...items, ...left].map((item) => ({ ...item, revision: 0 }));
    for (const { key, outcome } of await turnAll(wanted, untilMs))
      if (key && outcome !== "lost") await store.writeRecords([dropAgenda(key)]);
  };
  const silences = async (untilMs: number): Promise<readonly ListenedTo[]> => {
    const { silenced, others } = await silence.look();
    // What is in memory is metered.
    if (turning.tallies) await turner.keepOnly([...silenced, ...others].map(({ ref }) => ref));
    await silence.noted(await turnAll(silenced, untilMs));
    return others;
  };
  return {
    agenda,
    async round(untilMs) {
      const work = Promise.all([finishPlatformWork(turning, untilMs), sendWebhooks(turning)]);
      const [others] = await Promise.all([silences(untilMs), sweep.stale().then((left) => agenda(untilMs, left))]);
      if (turning.tallies) await keepUp(others, untilMs);
      await work;
      await sweep.housekeeping();
    },
  };
}
