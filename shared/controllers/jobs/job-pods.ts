import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { Job, Pod } from "../../kubernetes/types.ts";
import { isPodTerminal } from "../pod-state.ts";

/** A pod that has it has not been accounted for in its job's status yet. */
export const trackingFinalizer = "batch.kubernetes.io/job-tracking";

/** Annotation, and label, of a pod of an indexed job. */
export const completionIndexName = "batch.kubernetes.io/job-completion-index";

export const failureCountAnnotation = "batch.kubernetes.io/job-index-failure-count";
export const ignoredFailureCountAnnotation = "batch.kubernetes.io/job-index-ignored-failure-count";

export function isTracked({ metadata }: KubernetesObject): boolean {
  return metadata.finalizers?.includes(trackingFinalizer) === true;
}

export function isIndexed({ spec }: Job): boolean {
  return spec?.completionMode === "Indexed";
}

export function isSuspended({ spec }: Job): boolean {
  return spec?.suspend === true;
}

/** Whether a pod is replaced only once it has ended, and not as soon as it is being deleted. A pod failure policy implies it. */
export function replacesOnlyFailed({ spec }: Job): boolean {
  return spec?.podReplacementPolicy === "Failed" || spec?.podFailurePolicy !== undefined;
}

/** Pods that are being deleted count as failed too: those that were orphaned would never get so far. */
export function isPodFailed({ metadata, status }: Pod, job: Job): boolean {
  if (status?.phase === "Failed") return true;
  return !replacesOnlyFailed(job) && metadata.deletionTimestamp !== undefined && status?.phase !== "Succeeded";
}

export function isPodTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && !isPodTerminal(pod);
}

/** The completion index of a pod; undefined where it has none. */
export function indexOf({ metadata }: KubernetesObject): number | undefined {
  return countIn(metadata.annotations?.[completionIndexName]);
}

/** The index of a pod that counts: one below `spec.completions`. */
export function validIndexOf(pod: KubernetesObject, { spec }: Job): number | undefined {
  const index = indexOf(pod);
  return index !== undefined && index < (spec?.completions ?? 0) ? index : undefined;
}

/** How often pods of this index failed before this one, without the failures that are ignored. */
export function failuresOf({ metadata }: KubernetesObject): number {
  return countIn(metadata.annotations?.[failureCountAnnotation]) ?? 0;
}

export function ignoredFailuresOf({ metadata }: KubernetesObject): number {
  return countIn(metadata.annotations?.[ignoredFailureCountAnnotation]) ?? 0;
}

function countIn(text: string | undefined): number | undefined {
  const count = text !== undefined && /^\+?\d+$/.test(text) ? Number(text) : undefined;
  return count !== undefined && count < 2 ** 31 ? count : undefined;
}
