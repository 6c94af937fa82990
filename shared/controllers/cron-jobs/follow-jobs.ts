import type { CronJob, CronJobStatus, Job } from "../../kubernetes/types.ts";
import { finishedCondition } from "../jobs/assess.ts";
import { parseTime } from "../timestamp.ts";
import type { Notice } from "./plan-run.ts";

export interface FollowedJobs {
  readonly status: CronJobStatus;
  readonly notices: readonly Notice[];
}

/** The status after what became of the jobs: what ended or went missing leaves `active`, the last success is noted. */
export function followJobs({ status = {} }: CronJob, jobs: readonly Job[]): FollowedJobs {
  const notices: Notice[] = [];
  const tell = (type: Notice["type"], reason: string, message: string): void => void notices.push({ type, reason, message });
  const active = new Map((status.active ?? []).map((reference) => [reference.uid, reference]));
  const known = new Set(jobs.map(({ metadata }) => metadata.uid));
  let { lastSuccessfulTime } = status;
  for (const job of jobs) {
    const { name = "", uid } = job.metadata;
    const finished = finishedCondition(job);
    if (!finished) {
      if (!active.has(uid)) tell("Warning", "UnexpectedJob", `Saw a job that the controller did not create or forgot: ${name}`);
      continue;
    }
    if (active.delete(uid)) tell("Normal", "SawCompletedJob", `Saw completed job: ${name}, condition: ${finished.type}`);
    const completionTime = finished.type === "Complete" ? job.status?.completionTime : undefined;
    if ((parseTime(completionTime) ?? 0) > (parseTime(lastSuccessfulTime) ?? 0)) lastSuccessfulTime = completionTime;
  }
  for (const [uid, { name = "" }] of active) {
    if (known.has(uid)) continue;
    active.delete(uid);
    tell("Normal", "MissingJob", `Active job went missing: ${name}`);
  }
  const { active: _, ...rest } = status;
  return {
    status: {
      ...rest,
      ...(active.size > 0 && { active: [...active.values()] }),
      ...(lastSuccessfulTime !== undefined && { lastSuccessfulTime }),
    },
    notices,
  };
}

/** The finished jobs beyond the history limits, oldest first. */
export function expiredJobs({ spec }: CronJob, jobs: readonly Job[]): Job[] {
  const beyond = (type: string, limit: number | undefined): Job[] => {
    if (limit === undefined) return [];
    const ended = jobs.filter((job) => job.metadata.deletionTimestamp === undefined && finishedCondition(job)?.type === type);
    return ended.sort(byStart).slice(0, Math.max(0, ended.length - limit));
  };
  return [...beyond("Complete", spec?.successfulJobsHistoryLimit), ...beyond("Failed", spec?.failedJobsHistoryLimit)];
}

/** Those that never started come last. */
function byStart(a: Job, b: Job): number {
  const [first, second] = [parseTime(a.status?.startTime) ?? Number.MAX_VALUE, parseTime(b.status?.startTime) ?? Number.MAX_VALUE];
  return first - second || ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1);
}
