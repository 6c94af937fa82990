import type { Pod, StatefulSet, StatefulSetStatus } from "../../kubernetes/types.ts";
import { isPodAvailable, isPodReady } from "../pod-state.ts";
import { replicasOf, revisionOf } from "./identity.ts";

export const isRunningAndReady = (pod: Pod): boolean => pod.status?.phase === "Running" && isPodReady(pod);
export const isHealthy = (pod: Pod): boolean => isRunningAndReady(pod) && pod.metadata.deletionTimestamp === undefined;

/** The names of the revisions that the pods are of and shall be of, and how often a hash was taken. */
export interface RevisionNames {
  readonly currentRevision: string;
  readonly updateRevision: string;
  readonly collisionCount: number;
}

/**
 * The status that the pods call for (`updateStatus`, `completeRollingUpdate`): when all are of the update revision and ready, it is the
 * current one. Zeros are left out where Kubernetes leaves them out.
 */
export function setStatus(set: StatefulSet, pods: readonly Pod[], names: RevisionNames, nowMs: number): StatefulSetStatus {
  const { minReadySeconds = 0, updateStrategy } = set.spec ?? {};
  const { conditions } = set.status ?? {};
  const { generation } = set.metadata;
  const { currentRevision, updateRevision, collisionCount } = names;
  const replicas = replicasOf(set);
  const count = (holds: (pod: Pod) => boolean): number => pods.reduce((sum, pod) => (holds(pod) ? sum + 1 : sum), 0);
  const ofRevision = (name: string): number => count((pod) => pod.metadata.deletionTimestamp === undefined && revisionOf(pod) === name);
  const readyReplicas = count(isRunningAndReady);
  const updatedReplicas = ofRevision(updateRevision);
  const isComplete =
    updateStrategy?.type === "RollingUpdate" && [updatedReplicas, readyReplicas, pods.length].every((each) => each === replicas);
  const currentReplicas = isComplete ? updatedReplicas : ofRevision(currentRevision);
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    replicas: pods.length,
    ...(readyReplicas > 0 && { readyReplicas }),
    ...(currentReplicas > 0 && { currentReplicas }),
    ...(updatedReplicas > 0 && { updatedReplicas }),
    currentRevision: isComplete ? updateRevision : currentRevision,
    updateRevision,
    collisionCount,
    ...(conditions && { conditions }),
    availableReplicas: count((pod) => isRunningAndReady(pod) && isPodAvailable(pod, minReadySeconds, nowMs)),
  };
}
