import { forEachBounded } from "../shared/controllers/bounded.ts";
import { attemptAll, createAttempts } from "../shared/host/attempts.ts";
import { type ListenedTo, listenNoMore } from "../shared/host/listening.ts";
import { createSilence } from "../shared/host/silence.ts";
import { createSweep } from "../shared/host/sweep.ts";
import { turnDue } from "../shared/host/turn-due.ts";
import { turnMany } from "../shared/host/turn-many.ts";
import { finishPlatformWork, sendWebhooks } from "./platform-work.ts";
import type { Turning } from "./turning.ts";

/** Clusters followed beside each other. */
const atOnce = 16;

export interface Schedule {
  /** Turns the clusters that are due. */
  agenda(untilMs: number): Promise<void>;
  /**
   * That, the clusters of which a machine has fallen silent, what the platform's requests left, and what a lost wake-up left. What fails of it keeps
   * nothing else from being done. @throws in the end what failed
   */
  round(untilMs: number): Promise<void>;
}

/** What the clock asks for, whoever has the clock. */
export function createSchedule(turning: Turning): Schedule {
  const { turner, services } = turning;
  const { clock, store, log, nodeGraceMs, installation } = turning.dependencies;
  const tidyUp = () => attemptAll([services.housekeeping.round(), installation.signingKeys.rotate()]);
  const sweep = createSweep({ store, clock, log, tidyUp });
  const silence = createSilence({ store, heartbeats: services.heartbeats, clock, log, nodeGraceMs });
  const ports = { turner, clock, log, store };
  /** What they hold is metered from memory, which has to follow. */
  const keepUp = async (clusters: readonly ListenedTo[], untilMs: number): Promise<void> => {
    const failures = await forEachBounded(clusters, atOnce, async ({ ref }) => {
      if (clock.now() < untilMs && (await turner.keepUp(ref, untilMs)) === "gone") await store.writeRecords([listenNoMore(ref)]);
    });
    for (const failure of failures) log.error("cluster not followed", failure);
  };
  const silences = async (untilMs: number): Promise<readonly ListenedTo[]> => {
    const { silenced, others } = await silence.look();
    // What is in memory is metered.
    if (turning.tallies) await turner.keepOnly([...silenced, ...others].map(({ ref }) => ref));
    await silence.noted(await turnMany(ports, silenced, untilMs));
    return others;
  };
  return {
    agenda: (untilMs) => turnDue(ports, [], untilMs),
    async round(untilMs) {
      const attempts = createAttempts();
      const work = Promise.all([finishPlatformWork(turning, untilMs), sendWebhooks(turning)]);
      const due = attempts.of(sweep.stale(), []).then((left) => turnDue(ports, left, untilMs));
      const [others] = await Promise.all([attempts.of(silences(untilMs), []), attempts.of(due, undefined)]);
      if (turning.tallies) await keepUp(others, untilMs);
      await work;
      await attempts.of(sweep.housekeeping(), undefined);
      attempts.end();
    },
  };
}
