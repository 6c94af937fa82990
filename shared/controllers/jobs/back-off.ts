import type { ContainerStatus, Job, JobStatus, Pod } from "../../kubernetes/types.ts";
import { podCondition } from "../pod-state.ts";
import { parseTime } from "../timestamp.ts";
import { failuresOf, ignoredFailuresOf, isTracked } from "./job-pods.ts";

/** How long a job waits before it makes pods again: 10 s after the first failure in a row, twice as long after each more. */
const firstMs = 10_000;
const longestMs = 600_000;

/** The failures of a job's pods since one last succeeded. */
export interface BackOff {
  readonly failures: number;
  readonly lastFailureMs: number;
}

export const noBackOff: BackOff = { failures: 0, lastFailureMs: 0 };

/** The record after these pods have ended too (`backoffStore.newBackoffRecord`): what failed before the last success is forgotten. */
export function afterEnds(before: BackOff, succeeded: readonly Pod[], failed: readonly Pod[]): BackOff {
  const failureTimes = failed.map(finishedAt);
  const latest = (times: readonly number[]): number => times.reduce((high, ms) => Math.max(high, ms), 0);
  if (succeeded.length === 0) {
    return failed.length === 0 ? before : { failures: before.failures + failed.length, lastFailureMs: latest(failureTimes) };
  }
  const successMs = latest(succeeded.map(finishedAt));
  const since = failureTimes.filter((ms) => ms > successMs);
  return { failures: since.length, lastFailureMs: latest(since) };
}

/** The record and how many ends it accounts for: with others that the job's status counts it is another process's, and this one out of date. */
export interface KnownBackOff {
  readonly backOff: BackOff;
  readonly ends: number;
}

/** How many ends of pods a status has counted, or is about to. */
export function countedEnds({ succeeded = 0, failed = 0, uncountedTerminatedPods: waiting }: JobStatus = {}): number {
  return succeeded + failed + (waiting?.succeeded?.length ?? 0) + (waiting?.failed?.length ?? 0);
}

/**
 * The record of a job whose ends this process has not counted itself: what its pods that are accounted for still show. Pods that the
 * controller took back (suspension, fewer pods wanted) are on their way out and have not failed.
 */
export function rememberedBackOff({ status }: Job, pods: readonly Pod[]): BackOff {
  const uncounted = status?.uncountedTerminatedPods;
  const hasEnded = (pod: Pod, phase: "Succeeded" | "Failed", uids: readonly string[] = []): boolean =>
    uids.includes(pod.metadata.uid ?? "") ||
    (pod.status?.phase === phase && !isTracked(pod) && pod.metadata.deletionTimestamp === undefined);
  return afterEnds(
    noBackOff,
    pods.filter((pod) => hasEnded(pod, "Succeeded", uncounted?.succeeded)),
    pods.filter((pod) => hasEnded(pod, "Failed", uncounted?.failed)),
  );
}

/** Of two records of a job the one that waits longer, in each respect: each may lack failures that the other knows. */
export function laterBackOff(one: BackOff, other: BackOff): BackOff {
  return { failures: Math.max(one.failures, other.failures), lastFailureMs: Math.max(one.lastFailureMs, other.lastFailureMs) };
}

export function backOffMs({ failures, lastFailureMs }: BackOff, nowMs: number): number {
  return failures === 0 ? 0 : Math.max(0, Math.min(firstMs * 2 ** (failures - 1), longestMs) - (nowMs - lastFailureMs));
}

/** The wait of one index, whose last failed pod says how many failed before it. */
export function indexBackOffMs(lastFailed: Pod | undefined, nowMs: number): number {
  if (lastFailed === undefined) return 0;
  return backOffMs({ failures: absoluteFailuresOf(lastFailed) + 1, lastFailureMs: finishedAt(lastFailed) }, nowMs);
}

export function absoluteFailuresOf(pod: Pod): number {
  return failuresOf(pod) + ignoredFailuresOf(pod);
}

/**
 * When a pod ended, in milliseconds since 1970 (`getFinishedTime`): when the last of its containers, sidecars included, did; else since when
 * it is not ready; else when its deletion was asked for; else, which no kubelet and no pod garbage collection leaves, when it was made.
 */
export function finishedAt(pod: Pod): number {
  const { metadata, spec, status } = pod;
  const sidecars = new Set(spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === "Always").map(({ name }) => name));
  const ends = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name))];
  const times = ends.map(({ state }: ContainerStatus) => parseTime(state?.terminated?.finishedAt));
  const known = times.filter((ms) => ms !== undefined);
  if (known.length > 0 && known.length === times.length) return Math.max(...known);
  const ready = podCondition(pod, "Ready");
  const unreadyMs = ready?.status === "False" ? parseTime(ready.lastTransitionTime) : undefined;
  const deletedMs = parseTime(metadata.deletionTimestamp);
  if (unreadyMs !== undefined) return unreadyMs;
  if (deletedMs !== undefined) return deletedMs - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return parseTime(metadata.creationTimestamp) ?? 0;
}
