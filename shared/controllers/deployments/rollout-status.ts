import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "../../kubernetes/types.ts";
import { formatTime, parseTime } from "../timestamp.ts";
import { availableOf, maxUnavailable, replicasOf, totalReplicas } from "./sizes.ts";

/** No deadline at all. */
const noDeadline = 2 ** 31 - 1;

export function hasProgressDeadline({ spec }: Deployment): boolean {
  return spec?.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== noDeadline;
}

export function conditionOf(status: DeploymentStatus | undefined, type: string): DeploymentCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

export function newCondition(type: string, status: string, reason: string, message: string, nowMs: number): DeploymentCondition {
  const now = formatTime(nowMs);
  return { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message };
}

/** Sets the condition unless status and reason stand already; the time of transition is kept while the status is (`SetDeploymentCondition`). */
export function withCondition(conditions: readonly DeploymentCondition[], condition: DeploymentCondition): DeploymentCondition[] {
  const current = conditions.find(({ type }) => type === condition.type);
  if (current?.status === condition.status && current.reason === condition.reason) return [...conditions];
  const kept = current?.status === condition.status ? current.lastTransitionTime : condition.lastTransitionTime;
  return [...withoutCondition(conditions, condition.type), { ...condition, ...(kept !== undefined && { lastTransitionTime: kept }) }];
}

function withoutCondition(conditions: readonly DeploymentCondition[], type: string): DeploymentCondition[] {
  return conditions.filter((condition) => condition.type !== type);
}

/** The counts and the Available condition (`calculateStatus`). */
export function countedStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const sum = (count: (replicaSet: ReplicaSet) => number): number => all.reduce((total, each) => total + count(each), 0);
  const availableReplicas = sum(availableOf);
  const readyReplicas = sum(({ status }) => status?.readyReplicas ?? 0);
  const replicas = sum(({ status }) => status?.replicas ?? 0);
  const updatedReplicas = newSet?.status?.replicas ?? 0;
  const unavailableReplicas = Math.max(0, totalReplicas(all) - availableReplicas);
  const available = availableReplicas >= replicasOf(deployment) - maxUnavailable(deployment);
  const condition = available
    ? newCondition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", nowMs)
    : newCondition("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", nowMs);
  const { collisionCount, conditions = [] } = deployment.status ?? {};
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...(replicas > 0 && { replicas }),
    ...(updatedReplicas > 0 && { updatedReplicas }),
    ...(readyReplicas > 0 && { readyReplicas }),
    ...(availableReplicas > 0 && { availableReplicas }),
    ...(unavailableReplicas > 0 && { unavailableReplicas }),
    ...(collisionCount !== undefined && { collisionCount }),
    conditions: withCondition(conditions, condition),
  };
}

/** Everything runs the new template and is available (`DeploymentComplete`). */
export function isComplete(deployment: Deployment, status: DeploymentStatus | undefined): boolean {
  const desired = replicasOf(deployment);
  return (
    (status?.updatedReplicas ?? 0) === desired &&
    (status?.replicas ?? 0) === desired &&
    (status?.availableReplicas ?? 0) === desired &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function isProgressing({ status: before = {} }: Deployment, status: DeploymentStatus): boolean {
  const oldReplicas = ({ replicas = 0, updatedReplicas = 0 }: DeploymentStatus): number => replicas - updatedReplicas;
  return (
    (status.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    oldReplicas(status) < oldReplicas(before) ||
    (status.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function hasTimedOut(deployment: Deployment, status: DeploymentStatus, nowMs: number): boolean {
  const condition = conditionOf(status, "Progressing");
  if (!condition || condition.reason === "NewReplicaSetAvailable") return false;
  if (condition.reason === "ProgressDeadlineExceeded") return true;
  const deadlineMs = deadlineOf(deployment, condition);
  return deadlineMs !== undefined && deadlineMs < nowMs;
}

function deadlineOf({ spec }: Deployment, progressing: DeploymentCondition): number | undefined {
  const fromMs = parseTime(progressing.lastUpdateTime);
  return fromMs === undefined ? undefined : fromMs + (spec?.progressDeadlineSeconds ?? 0) * 1000;
}

/** The status during a rollout: counts, progress and what keeps replica sets from making pods (`syncRolloutStatus`). */
export function rolloutStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const status = countedStatus(deployment, all, newSet, nowMs);
  let conditions = status.conditions ?? [];
  const current = conditionOf(deployment.status, "Progressing");
  if (!hasProgressDeadline(deployment)) conditions = withoutCondition(conditions, "Progressing");
  const wasComplete = (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === "NewReplicaSetAvailable";
  if (hasProgressDeadline(deployment) && !wasComplete) {
    const subject = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
    const progress = (value: string, reason: string, what: string) =>
      newCondition("Progressing", value, reason, `${subject} ${what}`, nowMs);
    if (isComplete(deployment, status)) {
      conditions = withCondition(conditions, progress("True", "NewReplicaSetAvailable", "has successfully progressed."));
    } else if (isProgressing(deployment, status)) {
      const condition = progress("True", "ReplicaSetUpdated", "is progressing.");
      if (current?.status === "True" && current.lastTransitionTime !== undefined) condition.lastTransitionTime = current.lastTransitionTime;
      conditions = [...withoutCondition(conditions, "Progressing"), condition];
    } else if (hasTimedOut(deployment, status, nowMs)) {
      conditions = withCondition(conditions, progress("False", "ProgressDeadlineExceeded", "has timed out progressing."));
    }
  }
  const failure = failureOf(newSet ? [newSet] : []) ?? failureOf(all);
  conditions = failure ? withCondition(conditions, failure) : withoutCondition(conditions, "ReplicaFailure");
  return { ...status, conditions };
}

function failureOf(replicaSets: readonly ReplicaSet[]): DeploymentCondition | undefined {
  const failure = replicaSets.flatMap(({ status }) => status?.conditions ?? []).find(({ type }) => type === "ReplicaFailure");
  if (!failure) return undefined;
  const time = failure.lastTransitionTime;
  return { ...failure, ...(time !== undefined && { lastUpdateTime: time }) };
}

/** In how many milliseconds to look whether the deadline has passed; undefined when nothing can time out. */
export function untilDeadline(deployment: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const condition = conditionOf(status, "Progressing");
  if (!hasProgressDeadline(deployment) || !condition || deployment.spec?.paused === true) return undefined;
  if (isComplete(deployment, status) || condition.reason === "ProgressDeadlineExceeded") return undefined;
  const deadlineMs = deadlineOf(deployment, condition);
  return deadlineMs === undefined ? undefined : Math.max(0, deadlineMs - nowMs) + 1000;
}
