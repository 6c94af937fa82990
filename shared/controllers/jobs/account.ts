import type { Job, JobCondition, JobStatus, Pod, UncountedTerminatedPods } from "../../kubernetes/types.ts";
import { formatTime } from "../timestamp.ts";
import { type Assessment, jobCondition, type Verdict } from "./assess.ts";
import { countIndexes, hasIndex, intervalsOf, mergeIndexes, printIndexes } from "./index-intervals.ts";
import { indexOf, isIndexed, isPodFailed, isTracked, validIndexOf } from "./job-pods.ts";
import { countsAsFailure } from "./policies.ts";

/** The numbers of a round after what it did about pods. */
export interface RoundCounts {
  readonly active: number;
  readonly ready: number;
  readonly terminating: number;
}

/** First half of a job's accounting: `status` is to be written before the pods are let go. */
export interface Accounting {
  readonly status: JobStatus;
  /** Pods that lose their finalizer once the status is written. */
  readonly release: readonly Pod[];
  /** More pods have ended than one round counts. */
  readonly isPartial: boolean;
}

/** `uncountedTerminatedPods` stays below some 20 KB (`MaxUncountedPods`). */
const mostUncounted = 500;

/**
 * Notes the pods that ended in `status.uncountedTerminatedPods`, indexes that succeeded in `completedIndexes`, and the verdict in an interim
 * condition (`trackJobStatusAndRemoveFinalizers`). A pod is counted for good only when it has lost its finalizer and its uid leaves the
 * list, in one write: so none is counted twice, whatever is lost or repeated in between.
 */
export function account(
  job: Job,
  pods: readonly Pod[],
  assessment: Assessment,
  verdict: Verdict | undefined,
  counts: RoundCounts,
  nowMs: number,
): Accounting {
  const { indexes, startTime } = assessment;
  const before = job.status ?? {};
  const counted = countReleased(before, pods.filter(isTracked));
  const succeeded = [...(counted.uncountedTerminatedPods?.succeeded ?? [])];
  const failed = [...(counted.uncountedTerminatedPods?.failed ?? [])];
  const known = { succeeded: new Set(succeeded), failed: new Set(failed) };
  const newIndexes = new Set<number>();
  const release: Pod[] = [];
  let isPartial = false;
  const releasable = pods.filter((pod) => isTracked(pod) && mayRelease(job, pod, assessment, verdict));
  for (const pod of inIndexOrder(job, releasable)) {
    release.push(pod);
    const { uid = "" } = pod.metadata;
    const index = validIndexOf(pod, job);
    const isValid = !isIndexed(job) || index !== undefined;
    if (pod.status?.phase === "Succeeded" && !known.failed.has(uid)) {
      if (index !== undefined && indexes && !hasIndex(indexes.counted, index)) newIndexes.add(index);
      if (!isIndexed(job) && !known.succeeded.has(uid)) succeeded.push(uid);
    } else if ((isPodFailed(pod, job) || verdict?.end === "Failed") && isValid && !known.failed.has(uid) && countsAsFailure(pod, job)) {
      failed.push(uid);
    }
    isPartial = newIndexes.size + succeeded.length + failed.length >= mostUncounted;
    if (isPartial) break;
  }
  const completed = indexes && mergeIndexes(indexes.succeeded, intervalsOf(newIndexes));
  const status = written({
    ...counted,
    ...counts,
    startTime: before.startTime ?? startTime,
    conditions: verdict ? withInterim(job, verdict, nowMs) : before.conditions,
    uncountedTerminatedPods: { succeeded, failed },
    ...(completed && {
      succeeded: countIndexes(completed),
      completedIndexes: printIndexes(completed),
      failedIndexes: indexes.failed && printIndexes(indexes.failed),
    }),
  });
  return { status, release, isPartial };
}

/** Second half: counts the pods that are not among those that still have the finalizer. */
export function countReleased(status: JobStatus, tracked: readonly Pod[]): JobStatus {
  const held = new Set(tracked.map(({ metadata }) => metadata.uid));
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const left = { succeeded: succeeded.filter((uid) => held.has(uid)), failed: failed.filter((uid) => held.has(uid)) };
  return written({
    ...status,
    succeeded: (status.succeeded ?? 0) + succeeded.length - left.succeeded.length,
    failed: (status.failed ?? 0) + failed.length - left.failed.length,
    uncountedTerminatedPods: left,
  });
}

/** The status with its final condition; undefined while pods are not counted yet or have not ended (`enactJobFinished`). */
export function finish(status: JobStatus, { end, reason, message }: Verdict, nowMs: number): JobStatus | undefined {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  if (succeeded.length + failed.length > 0 || (status.terminating ?? 0) > 0) return undefined;
  const conditions = withCondition(status.conditions, { type: end, status: "True", reason, message }, nowMs);
  return { ...status, conditions, ...(end === "Complete" && { completionTime: formatTime(nowMs) }) };
}

/** One condition of a type. What is false and was never true is not worth a condition (`ensureJobConditionStatus`). */
export function withCondition(conditions: readonly JobCondition[] = [], next: JobCondition, nowMs: number): JobCondition[] {
  const now = formatTime(nowMs);
  const at = conditions.findIndex(({ type }) => type === next.type);
  const known = conditions[at];
  if (known?.status === next.status && known.reason === next.reason && known.message === next.message) return [...conditions];
  if (!known && next.status === "False") return [...conditions];
  const stamped = { ...next, lastProbeTime: now, lastTransitionTime: now };
  return known ? conditions.with(at, stamped) : [...conditions, stamped];
}

function withInterim(job: Job, { end, reason, message }: Verdict, nowMs: number): JobCondition[] {
  const type = end === "Complete" ? "SuccessCriteriaMet" : "FailureTarget";
  const { conditions = [] } = job.status ?? {};
  return jobCondition(job, type) ? conditions : withCondition(conditions, { type, status: "True", reason, message }, nowMs);
}

function inIndexOrder(job: Job, pods: readonly Pod[]): readonly Pod[] {
  return isIndexed(job) ? pods.toSorted((a, b) => (indexOf(a) ?? -1) - (indexOf(b) ?? -1)) : pods;
}

/** `canRemoveFinalizer`: a failed pod whose index waits for the next one stays, as only it knows how many failed. */
function mayRelease(job: Job, pod: Pod, { replaced }: Assessment, verdict: Verdict | undefined): boolean {
  if (job.metadata.deletionTimestamp !== undefined || verdict !== undefined || pod.status?.phase === "Succeeded") return true;
  const index = indexOf(pod);
  return isPodFailed(pod, job) && (index === undefined || replaced.get(index)?.metadata.uid !== pod.metadata.uid);
}

/** As Kubernetes prints it: without zeros and empty lists, but with `ready`, `terminating` and `uncountedTerminatedPods`. */
function written(
  status: {
    readonly [Field in keyof JobStatus]: JobStatus[Field] | undefined;
  },
): JobStatus {
  const { succeeded = [], failed = [] }: UncountedTerminatedPods = status.uncountedTerminatedPods ?? {};
  const kept = Object.entries(status).filter(
    ([field, value]) =>
      value !== undefined &&
      !(value === 0 && field !== "ready" && field !== "terminating") &&
      !(field === "completedIndexes" && value === ""),
  );
  return {
    ...Object.fromEntries(kept),
    uncountedTerminatedPods: { ...(succeeded.length > 0 && { succeeded }), ...(failed.length > 0 && { failed }) },
  };
}
