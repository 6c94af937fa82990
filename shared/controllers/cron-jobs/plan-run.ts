import { type CronSchedule, parseCronSchedule } from "../../kubernetes/cron-schedule.ts";
import { goQuote } from "../../kubernetes/schema/go-text.ts";
import { createTimeZone } from "../../kubernetes/time-zone.ts";
import type { CronJob } from "../../kubernetes/types.ts";
import { messageOf } from "../failures.ts";
import { parseTime } from "../timestamp.ts";
import { dueRun } from "./due-run.ts";
import { jobName } from "./job-of-cron-job.ts";

export interface Notice {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** Whether to start a job now. `notices` are told in either case. */
export type RunPlan =
  /** Until something about the CronJob changes. */
  | { readonly kind: "rest"; readonly notices: readonly Notice[] }
  /** Until the schedule's next time. */
  | { readonly kind: "wait"; readonly schedule: CronSchedule; readonly notices: readonly Notice[] }
  | { readonly kind: "start"; readonly schedule: CronSchedule; readonly scheduledMs: number; readonly notices: readonly Notice[] };

/**
 * The rules of `syncCronJob`, in its order. The status has been brought up to date with the jobs before. What the schedule names up to
 * `changedMs`, when it was changed, is not made up for.
 */
export function planRun(cronJob: CronJob, nowMs: number, changedMs = Number.NEGATIVE_INFINITY): RunPlan {
  const { spec, status, metadata } = cronJob;
  if (!spec || metadata.deletionTimestamp !== undefined) return { kind: "rest", notices: [] };
  const given = scheduleOf(cronJob);
  if (given.kind === "unusable" || spec.suspend === true) return { kind: "rest", notices: given.kind === "unusable" ? [given.notice] : [] };
  const { schedule } = given;
  const notices: Notice[] = [];
  const warn = (reason: string, message: string): void => void notices.push({ type: "Warning", reason, message });
  if (spec.schedule.includes("TZ")) {
    const where = "see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details";
    warn("UnsupportedSchedule", `CRON_TZ or TZ used in schedule ${goQuote(spec.schedule)} is not officially supported, ${where}`);
  }
  const due = dueRun(cronJob, schedule, nowMs, true);
  if (due.kind === "never") {
    warn("InvalidSchedule", `invalid schedule: ${spec.schedule} : time difference between two schedules is less than 1 second`);
    return { kind: "rest", notices };
  }
  const wait: RunPlan = { kind: "wait", schedule, notices };
  if (due.kind === "none" || due.scheduledMs <= changedMs) return wait;
  const { scheduledMs, hasMissedMany } = due;
  if (hasMissedMany)
    warn("TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
  if (scheduledMs + (spec.startingDeadlineSeconds ?? Number.POSITIVE_INFINITY) * 1000 < nowMs) {
    const scheduled = new Date(scheduledMs).toUTCString().replace("GMT", "+0000");
    warn("MissSchedule", `Missed scheduled time to start a job: ${scheduled}`);
    return wait;
  }
  const isActive = status?.active?.some(({ name }) => name === jobName(cronJob, scheduledMs)) === true;
  if (isActive || parseTime(status?.lastScheduleTime) === scheduledMs) return wait;
  if (spec.concurrencyPolicy === "Forbid" && (status?.active ?? []).length > 0) {
    const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
    notices.push({ type: "Normal", reason: "JobAlreadyActive", message });
    return wait;
  }
  return { kind: "start", schedule, scheduledMs, notices };
}

type GivenSchedule = { readonly kind: "usable"; readonly schedule: CronSchedule } | { readonly kind: "unusable"; readonly notice: Notice };

/** The schedule in its time zone; what older API servers let pass may be unusable. */
function scheduleOf({ spec }: CronJob): GivenSchedule {
  const { schedule = "", timeZone = "" } = spec ?? {};
  const unusable = (reason: string, message: string): GivenSchedule => ({
    kind: "unusable",
    notice: { type: "Warning", reason, message },
  });
  try {
    createTimeZone(timeZone);
  } catch (error) {
    return unusable("UnknownTimeZone", `invalid timeZone: ${goQuote(timeZone)}: ${messageOf(error)}`);
  }
  try {
    return { kind: "usable", schedule: parseCronSchedule(schedule, createTimeZone(timeZone)) };
  } catch (error) {
    return unusable("UnparseableSchedule", `unparseable schedule: ${goQuote(schedule)} : ${messageOf(error)}`);
  }
}
