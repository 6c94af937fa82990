import { deepEqual } from "../../kubernetes/deep-equal.ts";
import { jobs, pods as podResource } from "../../kubernetes/known-resources.ts";
import { isStatus } from "../../kubernetes/status-error.ts";
import type { Job, JobStatus, Pod } from "../../kubernetes/types.ts";
import { objectOf } from "../../store/view.ts";
import { forEachBounded } from "../bounded.ts";
import type { ControllerContext, ReconcileOutcome } from "../controller.ts";
import type { EventRecorder } from "../event-recorder.ts";
import { isNamespaceTerminating } from "../failures.ts";
import { podsControlledBy } from "../owned-pods.ts";
import { controllerReference, type OwnerKind } from "../owners.ts";
import { isPodActive, isPodReady } from "../pod-state.ts";
import { createPodControl, type PodControl } from "../replicas/pod-control.ts";
import { slowStart } from "../replicas/slow-start.ts";
import { formatTime } from "../timestamp.ts";
import { account, countReleased, finish, type RoundCounts, withCondition } from "./account.ts";
import { type Assessment, assess, jobCondition, type Verdict } from "./assess.ts";
import { type BackOff, countedEnds, type KnownBackOff } from "./back-off.ts";
import { isPodTerminating, isSuspended, isTracked, trackingFinalizer } from "./job-pods.ts";
import { planPods } from "./plan-pods.ts";
import { podOfJob } from "./pod-of-job.ts";

export const jobKind: OwnerKind = { resource: jobs, apiVersion: "batch/v1", kind: "Job" };

/** Pods deleted or let go at the same time. */
const parallelWrites = 100;

export interface JobRound {
  readonly job: Job;
  /** All pods that the job controls. */
  readonly pods: readonly Pod[];
  /** What is known of failures before. */
  readonly backOff: BackOff;
  readonly context: ControllerContext;
  readonly events: Pick<EventRecorder, "event">;
  /** Keeps the record of failures that the status written accounts for. */
  readonly remember: (known: KnownBackOff) => void;
}

/**
 * One look at a job (`syncJob`): judges it, makes or deletes pods, and accounts for those that ended. It leans on two promises of the
 * view where kube-controller-manager has expectations: what was written here it shows, and it follows the log in order, so a status
 * that counts a pod is never seen without that pod's lost finalizer.
 * @throws the first failure, after the status tells what was reached
 */
export async function lookAtJob(round: JobRound): Promise<ReconcileOutcome> {
  const { job, pods, context, events } = round;
  const nowMs = context.clock.now();
  const assessment = assess(job, pods, round.backOff, nowMs);
  const control = createPodControl(context.client, events);
  const steps = assessment.verdict
    ? { failures: await deleteActive(round, control, assessment), verdict: assessment.verdict, againMs: undefined, isManaged: false }
    : await manage(round, control, assessment, nowMs);
  const counts = countPods(round);
  // A job has not ended while some of its pods could not be ended.
  const verdict = steps.verdict && counts.active === 0 ? steps.verdict : undefined;
  const told = steps.isManaged && !verdict ? withSuspension(job, nowMs) : job;
  const accounting = account(told, pods, assessment, verdict, counts, nowMs);
  const flushed = await writeStatus(job, accounting.status, context);
  round.remember({ backOff: assessment.backOff, ends: countedEnds(accounting.status) });
  if (told !== job) tellSuspension(job, events);

  const releaseFailures = await releasePods(accounting.release, context);
  const released = new Set(accounting.release.filter((pod) => !releaseFailures.has(pod)));
  const tracked = pods.filter((pod) => isTracked(pod) && !released.has(pod));
  const counted = countReleased(accounting.status, tracked);
  const finished = verdict && !accounting.isPartial && releaseFailures.size === 0 ? finish(counted, verdict, nowMs) : undefined;
  await writeStatus(flushed, finished ?? counted, context);
  if (finished && verdict) tellEnd(job, finished, verdict, events);

  for (const cause of [...releaseFailures.values(), ...steps.failures]) throw cause;
  const waits = [steps.againMs, assessment.deadlineMs && assessment.deadlineMs - nowMs].filter((ms) => ms !== undefined);
  return finished || waits.length === 0 ? { kind: "done" } : { kind: "again", afterMs: Math.max(0, Math.min(...waits)) };
}

interface Steps {
  readonly failures: readonly unknown[];
  readonly verdict: Verdict | undefined;
  readonly againMs: number | undefined;
  /** The number of pods was looked after. */
  readonly isManaged: boolean;
}

/** Brings the number of pods to what it should be; then a job with all its successes and no active pod is complete. */
async function manage(round: JobRound, control: PodControl, assessment: Assessment, nowMs: number): Promise<Steps> {
  const { job, pods } = round;
  const isManaged = job.metadata.deletionTimestamp === undefined;
  const plan = isManaged ? planPods(job, pods, assessment, nowMs) : { kind: "none" as const };
  const failures: unknown[] = [];
  if (plan.kind === "delete") failures.push(...(await deletePods(round, control, plan.pods)));
  if (plan.kind === "create") failures.push(...(await createPods(round, control, assessment, plan.indexes)));
  const { completions } = job.spec ?? {};
  const isComplete = completions === undefined ? assessment.succeeded > 0 : assessment.succeeded >= completions;
  const verdict: Verdict | undefined = isComplete
    ? { end: "Complete", reason: "CompletionsReached", message: "Reached expected number of succeeded pods" }
    : undefined;
  return { failures, verdict, againMs: plan.kind === "wait" ? plan.afterMs : undefined, isManaged };
}

async function createPods(
  { job }: JobRound,
  control: PodControl,
  { replaced }: Assessment,
  indexes: readonly (number | undefined)[],
): Promise<unknown[]> {
  const reference = controllerReference(jobKind, job);
  const { failure } = await slowStart(indexes.length, (which) => {
    const index = indexes[which];
    return control.create(podOfJob(job, reference, index, index === undefined ? undefined : replaced.get(index)), job);
  });
  return failure && !isNamespaceTerminating(failure.cause) ? [failure.cause] : [];
}

/** What the job has too many of has not failed: it loses its finalizer first. */
function deletePods({ job, context }: JobRound, control: PodControl, doomed: readonly Pod[]): Promise<unknown[]> {
  return forEachBounded(doomed, parallelWrites, async (pod) => {
    await releasePod(pod, context);
    await control.delete(pod, job);
  });
}

/** The pods of a job that ends keep their finalizers until they are accounted for. */
function deleteActive({ job }: JobRound, control: PodControl, { active }: Assessment): Promise<unknown[]> {
  return forEachBounded(active, parallelWrites, (pod) => control.delete(pod, job));
}

async function releasePods(released: readonly Pod[], context: ControllerContext): Promise<Map<Pod, unknown>> {
  const failures = new Map<Pod, unknown>();
  await forEachBounded(released, parallelWrites, async (pod) => {
    try {
      await releasePod(pod, context);
    } catch (error) {
      failures.set(pod, error);
    }
  });
  return failures;
}

/** Takes the finalizer from a pod; one that is gone, or another by now, has none. */
export async function releasePod(pod: Pod, { client }: ControllerContext): Promise<void> {
  if (!isTracked(pod)) return;
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  const body = { metadata: { uid, "$deleteFromPrimitiveList/finalizers": [trackingFinalizer] } };
  try {
    await client.patch(podResource, namespace, name, { type: "strategic", body });
  } catch (error) {
    if (!isStatus(error, "NotFound") && !isStatus(error, "Invalid")) throw error;
  }
}

function countPods({ job, context }: JobRound): RoundCounts {
  const owned = podsControlledBy(context.view, job.metadata.uid ?? "");
  const active = owned.filter(isPodActive);
  return { active: active.length, ready: active.filter(isPodReady).length, terminating: owned.filter(isPodTerminating).length };
}

async function writeStatus(job: Job, status: JobStatus, { client }: ControllerContext): Promise<Job> {
  if (deepEqual(job.status, status)) return job;
  return objectOf<Job>(await client.update(jobs, { ...job, status } as Job, { subresource: "status" }));
}

/**
 * The job itself where its condition `Suspended` says already what its spec does. A resumed one starts anew, in the same write: a start time
 * that moves otherwise is refused.
 */
function withSuspension(job: Job, nowMs: number): Job {
  const isTold = jobCondition(job, "Suspended") !== undefined;
  if (isTold === isSuspended(job)) return job;
  const next = isTold
    ? { type: "Suspended", status: "False", reason: "JobResumed", message: "Job resumed" }
    : { type: "Suspended", status: "True", reason: "JobSuspended", message: "Job suspended" };
  const conditions = withCondition(job.status?.conditions, next, nowMs);
  return { ...job, status: { ...job.status, conditions, ...(isTold && { startTime: formatTime(nowMs) }) } };
}

function tellSuspension(job: Job, events: Pick<EventRecorder, "event">): void {
  if (isSuspended(job)) events.event(job, "Normal", "Suspended", "Job suspended");
  else events.event(job, "Normal", "Resumed", "Job resumed");
}

function tellEnd(job: Job, { succeeded = 0 }: JobStatus, { end, reason, message }: Verdict, events: Pick<EventRecorder, "event">): void {
  if (end === "Failed") {
    events.event(job, "Warning", reason, message);
    return;
  }
  if (succeeded > (job.spec?.completions ?? Number.POSITIVE_INFINITY))
    events.event(job, "Warning", "TooManySucceededPods", "Too many succeeded pods running after completion count reached");
  events.event(job, "Normal", "Completed", "Job completed");
}
