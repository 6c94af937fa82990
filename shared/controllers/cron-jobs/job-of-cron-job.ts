import { cloneJson } from "../../kubernetes/clone.ts";
import { cronJobs } from "../../kubernetes/known-resources.ts";
import { createTimeZone } from "../../kubernetes/time-zone.ts";
import type { CronJob, Job, JobSpec } from "../../kubernetes/types.ts";
import { controllerReference, type OwnerKind } from "../owners.ts";
import { formatTime } from "../timestamp.ts";

export const cronJobKind: OwnerKind = { resource: cronJobs, apiVersion: "batch/v1", kind: "CronJob" };

const scheduledTimeAnnotation = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** Named after the minute for which it is scheduled, so that no minute gets two. */
export function jobName({ metadata }: CronJob, scheduledMs: number): string {
  return `${metadata.name ?? ""}-${Math.floor(scheduledMs / 60_000)}`;
}

export function jobOfCronJob(cronJob: CronJob, scheduledMs: number): Job {
  const { metadata, spec } = cronJob;
  const { labels, annotations } = spec?.jobTemplate.metadata ?? {};
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      namespace: metadata.namespace ?? "",
      name: jobName(cronJob, scheduledMs),
      ...(labels && { labels: { ...labels } }),
      annotations: { ...annotations, [scheduledTimeAnnotation]: formatLocalTime(scheduledMs, spec?.timeZone ?? "") },
      ownerReferences: [controllerReference(cronJobKind, cronJob)],
    },
    spec: cloneJson<JobSpec>(spec?.jobTemplate.spec ?? { template: {} }),
  };
}

/** RFC 3339 with whole seconds, as the place's clock shows it. */
function formatLocalTime(ms: number, timeZone: string): string {
  const offsetMinutes = Math.round(createTimeZone(timeZone).offsetAt(ms) / 60_000);
  if (offsetMinutes === 0) return formatTime(ms);
  const two = (value: number): string => `${value}`.padStart(2, "0");
  const ahead = Math.abs(offsetMinutes);
  const offset = `${offsetMinutes < 0 ? "-" : "+"}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`;
  return formatTime(ms + offsetMinutes * 60_000).replace("Z", offset);
}
