import type { Job, Pod } from "../../kubernetes/types.ts";
import { rankedPods } from "../replicas/pod-ranking.ts";
import { type Assessment, holdingPods, wantedPods } from "./assess.ts";
import { backOffMs, indexBackOffMs } from "./back-off.ts";
import { firstFreeIndexes, intervalsOf, mergeIndexes } from "./index-intervals.ts";
import { indexOf, isIndexed, isSuspended, validIndexOf } from "./job-pods.ts";

/** What to do about the number of pods. `indexes` are those of the pods to make, undefined for pods without one. */
export type PodPlan =
  | { readonly kind: "none" }
  | { readonly kind: "delete"; readonly pods: readonly Pod[] }
  | { readonly kind: "create"; readonly indexes: readonly (number | undefined)[] }
  | { readonly kind: "wait"; readonly afterMs: number };

/** At most so many pods are made or deleted in one go (`MaxPodCreateDeletePerSync`). */
const mostPerRound = 500;

/** Pods are either deleted or made in one round, deletions first (`manageJob`). */
export function planPods(job: Job, pods: readonly Pod[], assessment: Assessment, nowMs: number): PodPlan {
  const { active, backOff } = assessment;
  if (isSuspended(job)) return active.length > 0 ? { kind: "delete", pods: active } : { kind: "none" };
  const wanted = wantedPods(job, assessment);
  const doomed = podsToRemove(job, active, Math.max(0, active.length - wanted)).slice(0, mostPerRound);
  if (doomed.length > 0) return { kind: "delete", pods: doomed };
  const missing = wanted - active.length - holdingPods(job, pods).length;
  if (missing <= 0) return { kind: "none" };
  const isPerIndex = job.spec?.backoffLimitPerIndex !== undefined;
  const afterMs = isPerIndex ? 0 : backOffMs(backOff, nowMs);
  if (afterMs > 0) return { kind: "wait", afterMs };
  const count = Math.min(missing, mostPerRound);
  if (!isIndexed(job)) return { kind: "create", indexes: Array.from({ length: count }, () => undefined) };
  return planIndexes(missingIndexes(job, pods, assessment, count), assessment, nowMs);
}

function missingIndexes(job: Job, pods: readonly Pod[], { active, indexes }: Assessment, count: number): number[] {
  const occupied = [...active, ...holdingPods(job, pods)].map(indexOf).filter((index) => index !== undefined);
  const taken = mergeIndexes(indexes?.succeeded ?? [], indexes?.failed ?? [], intervalsOf(occupied));
  return firstFreeIndexes(taken, count, job.spec?.completions ?? 0);
}

/** Of the missing indexes those that need not wait; where each has to, until the first need not. */
function planIndexes(missing: readonly number[], { replaced }: Assessment, nowMs: number): PodPlan {
  const waits = missing.map((index) => ({ index, afterMs: indexBackOffMs(replaced.get(index), nowMs) }));
  const indexes = waits.filter(({ afterMs }) => afterMs === 0).map(({ index }) => index);
  if (indexes.length > 0) return { kind: "create", indexes };
  return waits.length > 0 ? { kind: "wait", afterMs: Math.min(...waits.map(({ afterMs }) => afterMs)) } : { kind: "none" };
}

/** At least so many; of an indexed job whatever has no valid index, and all but one of each index (`activePodsForRemoval`). */
function podsToRemove(job: Job, active: readonly Pod[], atLeast: number): readonly Pod[] {
  const { surplus, kept } = isIndexed(job) ? surplusOfIndexes(job, active) : { surplus: [], kept: active };
  const more = atLeast - surplus.length;
  return more > 0 ? [...surplus, ...rankedPods(kept).slice(0, more)] : surplus;
}

/** Only pods that share an index are ranked: where each has its own, as nearly always, a look at many costs little. */
function surplusOfIndexes(job: Job, active: readonly Pod[]): { readonly surplus: readonly Pod[]; readonly kept: readonly Pod[] } {
  const surplus: Pod[] = [];
  const kept: Pod[] = [];
  for (const [index, pods] of Map.groupBy(active, (pod) => validIndexOf(pod, job))) {
    const ranked = pods.length > 1 ? rankedPods(pods) : pods;
    surplus.push(...(index === undefined ? ranked : ranked.slice(0, -1)));
    if (index !== undefined) kept.push(...ranked.slice(-1));
  }
  return { surplus, kept };
}
