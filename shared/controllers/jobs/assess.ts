import type { Job, JobCondition, Pod } from "../../kubernetes/types.ts";
import { isPodActive, isPodReady } from "../pod-state.ts";
import { formatTime, parseTime } from "../timestamp.ts";
import { absoluteFailuresOf, afterEnds, type BackOff, finishedAt } from "./back-off.ts";
import { countIndexes, hasIndex, type IndexIntervals, intervalsOf, mergeIndexes, parseIndexes } from "./index-intervals.ts";
import {
  failuresOf,
  indexOf,
  isIndexed,
  isPodFailed,
  isPodTerminating,
  isSuspended,
  isTracked,
  replacesOnlyFailed,
  validIndexOf,
} from "./job-pods.ts";
import { countsAsFailure, judgeFailure, metSuccessPolicy } from "./policies.ts";

/** How a job ends. It is told by an interim condition first, and by the final one of type `end` when its pods are gone and counted. */
export interface Verdict {
  readonly end: "Complete" | "Failed";
  readonly reason: string;
  readonly message: string;
}

/** What there is to say of a job's pods before anything is done about them. */
export interface Assessment {
  /** Neither ended nor being deleted. */
  readonly active: readonly Pod[];
  readonly ready: number;
  readonly terminating: number;
  /** Counted and not yet counted ones; of an indexed job, indexes. */
  readonly succeeded: number;
  /** Only of an indexed job. */
  readonly indexes: JobIndexes | undefined;
  /** With `backoffLimitPerIndex`: the last failed pod of each index that waits for its next one, which has to know how many failed. */
  readonly replaced: ReadonlyMap<number, Pod>;
  readonly backOff: BackOff;
  /** Of a job that has none; of one that is being resumed, from when its deadline counts. */
  readonly startTime: string | undefined;
  readonly verdict: Verdict | undefined;
  /** When `activeDeadlineSeconds` will have passed, in milliseconds since 1970. */
  readonly deadlineMs: number | undefined;
}

export interface JobIndexes {
  /** Those that the status names already. */
  readonly counted: IndexIntervals;
  readonly succeeded: IndexIntervals;
  /** Undefined without `backoffLimitPerIndex`. */
  readonly failed: IndexIntervals | undefined;
}

/** Kubernetes' default of `spec.backoffLimit`. */
const defaultBackOffLimit = 6;

/** `pods` are all that the job controls; `before` is the record of failures up to those of the status. The order of the rules is `syncJob`'s. */
export function assess(job: Job, pods: readonly Pod[], before: BackOff, nowMs: number): Assessment {
  const { spec, status } = job;
  const uncounted = status?.uncountedTerminatedPods ?? {};
  const uncountedSucceeded = new Set(uncounted.succeeded);
  const uncountedFailed = new Set(uncounted.failed);
  const active = pods.filter(isPodActive);
  const fresh = pods.filter((pod) => isTracked(pod) && (!isIndexed(job) || validIndexOf(pod, job) !== undefined));
  const newSucceeded = fresh.filter((pod) => pod.status?.phase === "Succeeded" && !uncountedSucceeded.has(pod.metadata.uid ?? ""));
  const newFailed = fresh.filter((pod) => isPodFailed(pod, job) && !uncountedFailed.has(pod.metadata.uid ?? ""));
  const failed = (status?.failed ?? 0) + newFailed.filter((pod) => countsAsFailure(pod, job)).length + uncountedFailed.size;
  const indexes = isIndexed(job) ? indexesOf(job, pods) : undefined;
  const succeeded = indexes ? countIndexes(indexes.succeeded) : (status?.succeeded ?? 0) + newSucceeded.length + uncountedSucceeded.size;
  const startTime = isSuspended(job) ? status?.startTime : isResuming(job) ? formatTime(nowMs) : (status?.startTime ?? formatTime(nowMs));
  const deadlineMs =
    spec?.activeDeadlineSeconds === undefined || isSuspended(job)
      ? undefined
      : (parseTime(startTime) ?? nowMs) + spec.activeDeadlineSeconds * 1000;
  const verdict =
    givenVerdict(job) ??
    policyFailure(job, pods) ??
    limitFailure(job, pods, failed, deadlineMs !== undefined && deadlineMs <= nowMs) ??
    (indexes && (indexFailure(job, indexes) ?? policySuccess(job, indexes)));
  return {
    active,
    ready: active.filter(isPodReady).length,
    terminating: pods.filter(isPodTerminating).length,
    succeeded,
    indexes,
    replaced: indexes?.failed ? replacedPods(job, fresh, active, indexes) : new Map(),
    backOff: afterEnds(before, newSucceeded, newFailed),
    startTime,
    verdict,
    deadlineMs: verdict ? undefined : deadlineMs,
  };
}

export function jobCondition({ status }: Job, type: string): JobCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type && condition.status === "True");
}

/** How a job ended; undefined while it has not. */
export function finishedCondition(job: Job): JobCondition | undefined {
  return jobCondition(job, "Complete") ?? jobCondition(job, "Failed");
}

/** The time of a suspension does not count toward the deadline: the job starts anew. */
function isResuming(job: Job): boolean {
  return !isSuspended(job) && jobCondition(job, "Suspended") !== undefined;
}

/** What an earlier look decided stands. */
function givenVerdict(job: Job): Verdict | undefined {
  const success = jobCondition(job, "SuccessCriteriaMet");
  const { reason = "", message = "" } = success ?? jobCondition(job, "FailureTarget") ?? {};
  if (success) return { end: "Complete", reason, message };
  return jobCondition(job, "FailureTarget") && { end: "Failed", reason, message };
}

const failure = (reason: string, message: string): Verdict => ({ end: "Failed", reason, message });

function policyFailure(job: Job, pods: readonly Pod[]): Verdict | undefined {
  if (job.spec?.podFailurePolicy === undefined) return undefined;
  for (const pod of pods) {
    const judged = isPodFailed(pod, job) ? judgeFailure(pod, job) : undefined;
    if (judged?.action === "FailJob") return failure("PodFailurePolicy", judged.message);
  }
  return undefined;
}

function limitFailure(job: Job, pods: readonly Pod[], failed: number, isLate: boolean): Verdict | undefined {
  const limit = job.spec?.backoffLimit ?? defaultBackOffLimit;
  if (failed > limit || exceedsRestarts(job, pods, limit))
    return failure("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  return isLate ? failure("DeadlineExceeded", "Job was active longer than specified deadline") : undefined;
}

/** With `restartPolicy: OnFailure` it is restarts of containers that count (`pastBackoffLimitOnFailure`). */
function exceedsRestarts({ spec }: Job, pods: readonly Pod[], limit: number): boolean {
  if (spec?.template.spec?.restartPolicy !== "OnFailure") return false;
  const restarts = pods
    .filter(({ status }) => status?.phase === "Running" || status?.phase === "Pending")
    .flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

function indexFailure({ spec }: Job, { failed, succeeded }: JobIndexes): Verdict | undefined {
  const count = countIndexes(failed ?? []);
  if (count > (spec?.maxFailedIndexes ?? Number.POSITIVE_INFINITY) && failed)
    return failure("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
  return count > 0 && count + countIndexes(succeeded) >= (spec?.completions ?? 0)
    ? failure("FailedIndexes", "Job has failed indexes")
    : undefined;
}

function policySuccess(job: Job, { succeeded }: JobIndexes): Verdict | undefined {
  const message = metSuccessPolicy(job, succeeded);
  return message === undefined ? undefined : { end: "Complete", reason: "SuccessPolicy", message };
}

function indexesOf(job: Job, pods: readonly Pod[]): JobIndexes {
  const { spec, status } = job;
  const completions = spec?.completions ?? 0;
  const counted = parseIndexes(status?.completedIndexes, completions);
  const newOf = (holds: (pod: Pod) => boolean): IndexIntervals =>
    intervalsOf(
      pods
        .filter((pod) => isTracked(pod) && holds(pod))
        .map((pod) => validIndexOf(pod, job))
        .filter((index) => index !== undefined),
    );
  return {
    counted,
    succeeded: mergeIndexes(
      counted,
      newOf((pod) => pod.status?.phase === "Succeeded"),
    ),
    failed:
      spec?.backoffLimitPerIndex === undefined
        ? undefined
        : mergeIndexes(
            parseIndexes(status?.failedIndexes, completions),
            newOf((pod) => failsIndex(pod, job)),
          ),
  };
}

function failsIndex(pod: Pod, job: Job): boolean {
  if (!isPodFailed(pod, job)) return false;
  const { action } = judgeFailure(pod, job);
  return action === "FailIndex" || (action !== "Ignore" && failuresOf(pod) >= (job.spec?.backoffLimitPerIndex ?? 0));
}

/** `getPodsWithDelayedDeletionPerIndex`: of several the one that failed last. An index that has an active pod waits for none. */
function replacedPods(
  job: Job,
  fresh: readonly Pod[],
  active: readonly Pod[],
  { succeeded, failed = [] }: JobIndexes,
): ReadonlyMap<number, Pod> {
  const settled = mergeIndexes(succeeded, failed, intervalsOf(active.map(indexOf).filter((index) => index !== undefined)));
  const replaced = new Map<number, Pod>();
  for (const pod of fresh) {
    const index = validIndexOf(pod, job);
    if (index === undefined || !isPodFailed(pod, job) || hasIndex(settled, index)) continue;
    const known = replaced.get(index);
    if (!known || (absoluteFailuresOf(known) <= absoluteFailuresOf(pod) && finishedAt(known) <= finishedAt(pod))) replaced.set(index, pod);
  }
  return replaced;
}

/** How many pods should be active at once: no more than are still to succeed. */
export function wantedPods({ spec }: Job, { active, succeeded }: Assessment): number {
  const { completions, parallelism = 1 } = spec ?? {};
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(completions - succeeded, parallelism));
}

/** The pods that are being deleted and hold their place until they have ended. */
export function holdingPods(job: Job, pods: readonly Pod[]): Pod[] {
  return replacesOnlyFailed(job) ? pods.filter(isPodTerminating) : [];
}
