import { deepEqual } from "../../kubernetes/deep-equal.ts";
import type { Pod, ReplicaSetCondition, ReplicaSetStatus } from "../../kubernetes/types.ts";
import { isPodAvailable, isPodReady } from "../pod-state.ts";
import { formatTime } from "../timestamp.ts";
import type { ReplicaOwner } from "./replica-controller.ts";

export interface ReplicaFailure {
  readonly reason: string;
  readonly message: string;
}

/** The status that the pods call for (`calculateStatus`). Zeros are left out where Kubernetes leaves them out. */
export function replicaStatus(
  owner: ReplicaOwner,
  pods: readonly Pod[],
  failure: ReplicaFailure | undefined,
  nowMs: number,
): ReplicaSetStatus {
  const { minReadySeconds = 0, template } = owner.spec ?? {};
  const templateLabels = Object.entries(template?.metadata?.labels ?? {});
  const count = (holds: (pod: Pod) => boolean): number => pods.reduce((sum, pod) => (holds(pod) ? sum + 1 : sum), 0);
  const fullyLabeledReplicas = count(({ metadata }) => templateLabels.every(([name, value]) => metadata.labels?.[name] === value));
  const readyReplicas = count(isPodReady);
  const availableReplicas = count((pod) => isPodAvailable(pod, minReadySeconds, nowMs));
  const conditions = conditionsOf(owner, failure, nowMs);
  const { generation } = owner.metadata;
  return {
    replicas: pods.length,
    ...(fullyLabeledReplicas > 0 && { fullyLabeledReplicas }),
    ...(readyReplicas > 0 && { readyReplicas }),
    ...(availableReplicas > 0 && { availableReplicas }),
    ...(generation !== undefined && { observedGeneration: generation }),
    ...(conditions.length > 0 && { conditions }),
  };
}

/** `ReplicaFailure` stands from the first failure, with that failure's words, until a round without one. */
function conditionsOf(owner: ReplicaOwner, failure: ReplicaFailure | undefined, nowMs: number): ReplicaSetCondition[] {
  const conditions = owner.status?.conditions ?? [];
  const known = conditions.some(({ type }) => type === "ReplicaFailure");
  if (!failure) return conditions.filter(({ type }) => type !== "ReplicaFailure");
  if (known) return conditions;
  return [...conditions, { type: "ReplicaFailure", status: "True", lastTransitionTime: formatTime(nowMs), ...failure }];
}

export function sameStatus({ status }: ReplicaOwner, next: ReplicaSetStatus): boolean {
  return deepEqual(status, next);
}
