import type { CronSchedule } from "../kubernetes/cron-schedule.ts";
import { deepEqual } from "../kubernetes/deep-equal.ts";
import { cronJobs, jobs } from "../kubernetes/known-resources.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { CronJob, CronJobStatus, Job, ObjectReference } from "../kubernetes/types.ts";
import type { StoredObject } from "../store/store.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import { forEachBounded } from "./bounded.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import { untilNextRun } from "./cron-jobs/due-run.ts";
import { expiredJobs, followJobs } from "./cron-jobs/follow-jobs.ts";
import { cronJobKind, jobName, jobOfCronJob } from "./cron-jobs/job-of-cron-job.ts";
import { type Notice, planRun } from "./cron-jobs/plan-run.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { isNamespaceTerminating, messageOf } from "./failures.ts";
import { keysOfOwners } from "./owner-keys.ts";
import { controllerOf } from "./owners.ts";
import { isOf } from "./same-resource.ts";
import { formatTime } from "./timestamp.ts";
import { writtenAt } from "./written-at.ts";

const done: ReconcileOutcome = { kind: "done" };

/** Jobs deleted at the same time. */
const parallelDeletions = 20;

/** Starts Jobs on their schedules. `events` tells as `cronjob-controller`. */
export function createCronJobController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  /** When a schedule was changed: a new one begins with its next time, also where the change is seen late. */
  const rescheduled = new Map<string, number>();
  const keyOf = ({ key }: Pick<StoredObject, "key">): string => `${key.namespace}/${key.name}`;
  return {
    name: "cronjob",
    allKeys: (view) => view.list(cronJobs).map(keyOf),
    keysOf(change, view) {
      if (isOf(jobs, change.key)) return keysOfOwners(change, view, cronJobKind, () => false);
      if (!isOf(cronJobs, change.key)) return [];
      const key = keyOf(change);
      if (isRescheduled(change)) rescheduled.set(key, writtenAt(change.object));
      if (change.type === "DELETED") rescheduled.delete(key);
      return [key];
    },
    async reconcile(key, context) {
      const [namespace = "", name = ""] = key.split("/");
      const stored = context.view.get(cronJobs, namespace, name);
      if (!stored) return done;
      return lookAtCronJob(objectOf<CronJob>(stored), rescheduled.get(key), context, events);
    },
  };
}

function isRescheduled({ object, previous }: Change): boolean {
  const [now, before] = [(object as CronJob).spec, (previous?.object as CronJob | undefined)?.spec];
  return before !== undefined && (now?.schedule !== before.schedule || now.timeZone !== before.timeZone);
}

function again(cronJob: CronJob, schedule: CronSchedule, { clock }: ControllerContext): ReconcileOutcome {
  const afterMs = untilNextRun(cronJob, schedule, clock.now());
  return afterMs === undefined ? done : { kind: "again", afterMs };
}

async function lookAtCronJob(
  cronJob: CronJob,
  changedMs: number | undefined,
  context: ControllerContext,
  events: Pick<EventRecorder, "event">,
): Promise<ReconcileOutcome> {
  const { view, client, clock } = context;
  const tell = ({ type, reason, message }: Notice): void => events.event(cronJob, type, reason, message);
  const remove = async (job: Job): Promise<void> => {
    const { namespace = "", name = "", uid = "" } = job.metadata;
    try {
      await client.delete(jobs, namespace, name, { uid, propagationPolicy: "Background" });
      tell({ type: "Normal", reason: "SuccessfulDelete", message: `Deleted job ${name}` });
    } catch (error) {
      if (isStatus(error, "NotFound")) return;
      tell({ type: "Warning", reason: "FailedDelete", message: `Deleted job: ${messageOf(error)}` });
      throw error;
    }
  };
  let written = cronJob;
  const write = async (status: CronJobStatus): Promise<void> => {
    if (deepEqual(written.status ?? {}, status)) return;
    written = objectOf<CronJob>(await client.update(cronJobs, { ...written, status } as CronJob, { subresource: "status" }));
  };

  const owned = jobsOf(view, cronJob);
  const followed = followJobs(cronJob, owned);
  followed.notices.forEach(tell);
  const expired = expiredJobs(cronJob, owned);
  // How a job ended is only known while it is there.
  if (expired.length > 0) await write(followed.status);
  const failures = await forEachBounded(expired, parallelDeletions, remove);
  let current: CronJob = { ...cronJob, status: followed.status };
  const plan = planRun(current, clock.now(), changedMs);
  plan.notices.forEach(tell);
  try {
    if (plan.kind === "start") current = await startRun(current, plan.scheduledMs, context, remove, tell);
  } finally {
    await write(current.status ?? {});
  }
  for (const failure of failures) throw failure;
  return plan.kind === "rest" ? done : again(current, plan.schedule, context);
}

function jobsOf(view: ClusterView, { metadata: { uid = "" } }: CronJob): Job[] {
  const owned = view.ownedBy(uid).filter(({ key, object }) => isOf(jobs, key) && controllerOf(object)?.uid === uid);
  return owned.map((stored) => objectOf<Job>(stored));
}

/** Answers the CronJob with its status after the start. A job of that name which is its own was started by an earlier look that got no further. */
async function startRun(
  cronJob: CronJob,
  scheduledMs: number,
  { view, client }: ControllerContext,
  remove: (job: Job) => Promise<void>,
  tell: (notice: Notice) => void,
): Promise<CronJob> {
  const { namespace = "", uid } = cronJob.metadata;
  if (cronJob.spec?.concurrencyPolicy === "Replace") {
    const running = new Set(cronJob.status?.active?.map((reference) => reference.uid));
    for (const job of jobsOf(view, cronJob)) if (running.has(job.metadata.uid)) await remove(job);
  }
  const kept = cronJob.spec?.concurrencyPolicy === "Replace" ? [] : (cronJob.status?.active ?? []);
  const startedAs = (job: Job): CronJob => ({
    ...cronJob,
    status: { ...cronJob.status, active: [...kept, referenceTo(job)], lastScheduleTime: formatTime(scheduledMs) },
  });
  try {
    const created = objectOf<Job>(await client.create(jobs, jobOfCronJob(cronJob, scheduledMs)));
    tell({ type: "Normal", reason: "SuccessfulCreate", message: `Created job ${created.metadata.name ?? ""}` });
    return startedAs(created);
  } catch (error) {
    if (isNamespaceTerminating(error)) return cronJob;
    if (!isStatus(error, "AlreadyExists")) {
      tell({ type: "Warning", reason: "FailedCreate", message: `Error creating job: ${messageOf(error)}` });
      throw error;
    }
    const existing = view.get(jobs, namespace, jobName(cronJob, scheduledMs));
    return existing && controllerOf(existing.object)?.uid === uid ? startedAs(objectOf<Job>(existing)) : cronJob;
  }
}

function referenceTo({ metadata: { namespace = "", name = "", uid = "", resourceVersion = "" } }: Job): ObjectReference {
  return { apiVersion: "batch/v1", kind: "Job", namespace, name, uid, resourceVersion };
}
