import type { CronSchedule } from "../../kubernetes/cron-schedule.ts";
import { nextScheduledTime } from "../../kubernetes/cron-times.ts";
import type { CronJob } from "../../kubernetes/types.ts";
import { parseTime } from "../timestamp.ts";

/** So many missed times are worth a warning: the clock is wrong, or something stood still for long. */
const manyMissed = 100;

/** The last time that is due and was not started yet, in milliseconds since 1970. */
export type DueRun =
  | { readonly kind: "none"; readonly sinceMs: number }
  | { readonly kind: "due"; readonly scheduledMs: number; readonly hasMissedMany: boolean }
  /** The grammar allows the schedule, the calendar does not. */
  | { readonly kind: "never" };

/**
 * Counted from the last start, else from the CronJob's creation, and not from before the starting deadline where `isLimited`
 * (`mostRecentScheduleTime`). What was missed is estimated from the distance of the first two times, so that years cost no more than days.
 */
export function dueRun(cronJob: CronJob, schedule: CronSchedule, nowMs: number, isLimited: boolean): DueRun {
  const { spec, status, metadata } = cronJob;
  const startedMs = parseTime(status?.lastScheduleTime) ?? parseTime(metadata.creationTimestamp) ?? nowMs;
  const deadline = isLimited ? spec?.startingDeadlineSeconds : undefined;
  const sinceMs = deadline === undefined ? startedMs : Math.max(startedMs, nowMs - deadline * 1000);
  const firstMs = nextScheduledTime(schedule, sinceMs);
  if (firstMs === undefined) return { kind: "never" };
  if (firstMs > nowMs) return { kind: "none", sinceMs };
  const secondMs = nextScheduledTime(schedule, firstMs);
  if (secondMs === undefined) return { kind: "never" };
  if (secondMs > nowMs) return { kind: "due", scheduledMs: firstMs, hasMissedMany: false };
  const intervalMs = secondMs - firstMs;
  const missed = Math.floor((nowMs - firstMs) / intervalMs) + 1;
  // One interval short of the estimate, since intervals need not be equal.
  let scheduledMs: number | undefined;
  let nextMs = nextScheduledTime(schedule, firstMs + (missed - 2) * intervalMs);
  for (; nextMs !== undefined && nextMs <= nowMs; nextMs = nextScheduledTime(schedule, nextMs)) scheduledMs = nextMs;
  return scheduledMs === undefined ? { kind: "none", sinceMs: nowMs } : { kind: "due", scheduledMs, hasMissedMany: missed > manyMissed };
}

/** How long until the schedule's next time: that after the last which was due, whether or not it was started. */
export function untilNextRun(cronJob: CronJob, schedule: CronSchedule, nowMs: number): number | undefined {
  const due = dueRun(cronJob, schedule, nowMs, false);
  const sinceMs = due.kind === "due" ? due.scheduledMs : due.kind === "none" ? due.sinceMs : nowMs;
  const nextMs = nextScheduledTime(schedule, sinceMs);
  return nextMs === undefined ? undefined : Math.max(0, nextMs - nowMs);
}
