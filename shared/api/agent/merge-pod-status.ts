import type { Pod, PodCondition, PodStatus } from "../../kubernetes/types.ts";
import { nodeOwnedPodConditions, type PodStatusReport } from "./pod-status-report.ts";

const owned: ReadonlySet<string> = new Set(nodeOwnedPodConditions);
const terminal = (phase: string | undefined): boolean => phase === "Succeeded" || phase === "Failed";

/**
 * The pod's status with a node's report in it, or `undefined` when that changes nothing. Conditions of others are kept, as kubelet's
 * `mergePodStatus` does; a pod that has ended never runs again, nor does it end in another way: who says so has forgotten how it did. What the API or
 * the scheduler wrote (qosClass, PodScheduled, nominatedNodeName, …) stays.
 */
export function mergePodStatus(pod: Pod, report: PodStatusReport): PodStatus | undefined {
  const current = pod.status ?? {};
  if (terminal(current.phase) && report.phase !== current.phase) return undefined;
  const before = new Map((current.conditions ?? []).map((condition) => [condition.type, condition]));
  const reported = report.conditions.map((condition): PodCondition => {
    const old = before.get(condition.type);
    return old?.status === condition.status && old.lastTransitionTime !== undefined
      ? { ...condition, lastTransitionTime: old.lastTransitionTime }
      : condition;
  });
  const kept = (current.conditions ?? []).filter(
    ({ type }) => !owned.has(type) && !report.conditions.some((condition) => condition.type === type),
  );
  const { conditions: _, reason, message, containerStatuses, initContainerStatuses, ...plain } = report;
  const { reason: _reason, message: _message, ...base } = current;
  const next: PodStatus = {
    ...base,
    ...plain,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    conditions: [...reported, ...kept],
    ...(initContainerStatuses.length === 0 && current.initContainerStatuses === undefined ? {} : { initContainerStatuses }),
    ...(containerStatuses.length === 0 && current.containerStatuses === undefined ? {} : { containerStatuses }),
  };
  return canonical(next) === canonical(current) ? undefined : next;
}

/** Keys in order, nulls left out: the API writes `lastProbeTime: null` where a node says nothing. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null) return undefined;
    if (typeof inner !== "object" || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
