import { cloneJson } from "../../kubernetes/clone.ts";
import { deepEqual } from "../../kubernetes/deep-equal.ts";
import { templateHash } from "../../kubernetes/hash.ts";
import { deployments, replicaSets } from "../../kubernetes/known-resources.ts";
import { isStatus } from "../../kubernetes/status-error.ts";
import type { Deployment, DeploymentStatus, LabelSelector, ReplicaSet } from "../../kubernetes/types.ts";
import { objectOf } from "../../store/view.ts";
import type { ControllerContext } from "../controller.ts";
import type { EventRecorder } from "../event-recorder.ts";
import { isNamespaceTerminating, messageOf } from "../failures.ts";
import { controllerOf, controllerReference, type OwnerKind } from "../owners.ts";
import {
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  maxRevision,
  newReplicaSetOf,
  revisedAnnotations,
  revisionAnnotation,
  sizeAnnotations,
  templateHashLabel,
} from "./revisions.ts";
import { conditionOf, hasProgressDeadline, newCondition, withCondition } from "./rollout-status.ts";
import { maxSurge, newReplicaSetSize, type Resize, replicasOf } from "./sizes.ts";

export const deploymentKind: OwnerKind = { resource: deployments, apiVersion: "apps/v1", kind: "Deployment" };

const longestName = 253;

/**
 * One look at a deployment: the replica sets it controls as they are after each write, and the status that will be written at the end.
 * The deployment it holds is its own copy.
 */
export interface Rollout {
  readonly deployment: Deployment;
  /** What `deployment` was before this look changed its status. */
  readonly stored: Deployment;
  newSet: ReplicaSet | undefined;
  oldSets: ReplicaSet[];
  readonly context: ControllerContext;
  readonly events: Pick<EventRecorder, "event">;
}

export const allSets = ({ newSet, oldSets }: Rollout): ReplicaSet[] => (newSet ? [...oldSets, newSet] : oldSets);

export async function openRollout(
  stored: Deployment,
  owned: readonly ReplicaSet[],
  context: ControllerContext,
  events: Pick<EventRecorder, "event">,
): Promise<Rollout> {
  const deployment = cloneJson(stored);
  const newSet = newReplicaSetOf(deployment, owned);
  const oldSets = owned.filter((each) => each !== newSet);
  const rollout: Rollout = { deployment, stored, newSet, oldSets, context, events };
  if (newSet) await syncRevision(rollout, newSet);
  return rollout;
}

export function setCondition({ deployment, context }: Rollout, type: string, status: string, reason: string, message: string): void {
  const conditions = deployment.status?.conditions ?? [];
  const condition = newCondition(type, status, reason, message, context.clock.now());
  deployment.status = { ...deployment.status, conditions: withCondition(conditions, condition) };
}

/** Brings the existing new replica set's annotations and minReadySeconds up to date, and the deployment's revision with them. */
async function syncRevision(rollout: Rollout, newSet: ReplicaSet): Promise<void> {
  const { deployment, oldSets } = rollout;
  const annotations = revisedAnnotations(deployment, newSet, maxRevision(oldSets) + 1n);
  const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
  if (!deepEqual(annotations, newSet.metadata.annotations ?? {}) || (newSet.spec?.minReadySeconds ?? 0) !== minReadySeconds) {
    const next = cloneJson(newSet);
    next.metadata.annotations = annotations;
    if (next.spec && minReadySeconds > 0) next.spec.minReadySeconds = minReadySeconds;
    else delete next.spec?.minReadySeconds;
    await updateSet(rollout, newSet, next);
  }
  setRevision(deployment, annotations[revisionAnnotation]);
  if (hasProgressDeadline(deployment) && !conditionOf(deployment.status, "Progressing")) {
    setCondition(rollout, "Progressing", "True", "FoundNewReplicaSet", `Found new replica set "${newSet.metadata.name}"`);
  }
}

function setRevision({ metadata }: Deployment, revision: string | undefined): void {
  if (revision !== undefined) metadata.annotations = { ...metadata.annotations, [revisionAnnotation]: revision };
}

async function updateSet(rollout: Rollout, before: ReplicaSet, next: ReplicaSet): Promise<ReplicaSet> {
  const updated = objectOf<ReplicaSet>(await rollout.context.client.update(replicaSets, next));
  if (rollout.newSet === before) rollout.newSet = updated;
  else rollout.oldSets = rollout.oldSets.map((each) => (each === before ? updated : each));
  return updated;
}

/** Makes the new replica set if there is none (`getNewReplicaSet` with createIfNotExisted). */
export async function ensureNewSet(rollout: Rollout): Promise<ReplicaSet> {
  if (rollout.newSet) return rollout.newSet;
  const { deployment, context, events } = rollout;
  const wanted = newReplicaSet(rollout);
  const name = wanted.metadata.name ?? "";
  let created: ReplicaSet;
  try {
    created = objectOf<ReplicaSet>(await context.client.create(replicaSets, wanted));
    const replicas = replicasOf(wanted);
    if (replicas > 0) events.event(deployment, "Normal", "ScalingReplicaSet", `Scaled up replica set ${name} from 0 to ${replicas}`);
    if (hasProgressDeadline(deployment)) {
      setCondition(rollout, "Progressing", "True", "NewReplicaSetCreated", `Created new replica set "${name}"`);
    }
  } catch (error) {
    created = await takeExisting(rollout, name, error);
  }
  rollout.newSet = created;
  setRevision(deployment, created.metadata.annotations?.[revisionAnnotation]);
  return created;
}

/** A replica set of that name is ours from a look that was cut short, or the hash collides: then the next look takes another hash. */
async function takeExisting(rollout: Rollout, name: string, error: unknown): Promise<ReplicaSet> {
  const { deployment, context, events } = rollout;
  const { namespace = "", uid } = deployment.metadata;
  if (isStatus(error, "AlreadyExists")) {
    const stored = context.view.get(replicaSets, namespace, name);
    const existing = stored && objectOf<ReplicaSet>(stored);
    if (existing && controllerOf(existing)?.uid === uid && newReplicaSetOf(deployment, [existing])) return existing;
    const status: DeploymentStatus = { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
    await writeDeployment(rollout, status);
    throw error;
  }
  const message = `Failed to create new replica set "${name}": ${messageOf(error)}`;
  if (isNamespaceTerminating(error)) throw error;
  if (hasProgressDeadline(deployment)) {
    setCondition(rollout, "Progressing", "False", "ReplicaSetCreateError", message);
    await writeDeployment(rollout, deployment.status ?? {});
  }
  events.event(deployment, "Warning", "ReplicaSetCreateError", message);
  throw error;
}

function newReplicaSet({ deployment, oldSets }: Rollout): ReplicaSet {
  const { namespace = "", name = "" } = deployment.metadata;
  const template = cloneJson(deployment.spec?.template ?? {});
  const hash = templateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [templateHashLabel]: hash };
  const selector = cloneJson(deployment.spec?.selector ?? {}) as LabelSelector;
  const { minReadySeconds } = deployment.spec ?? {};
  const wanted: ReplicaSet = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${name.slice(0, longestName - hash.length - 1)}-${hash}`,
      namespace,
      labels,
      ownerReferences: [controllerReference(deploymentKind, deployment)],
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds !== undefined && { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [templateHashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
  const annotations = revisedAnnotations(deployment, wanted, maxRevision(oldSets) + 1n);
  wanted.metadata.annotations = { ...annotations, ...sizeAnnotations(replicasOf(deployment), maxSurge(deployment)) };
  if (wanted.spec) wanted.spec.replicas = newReplicaSetSize(deployment, [...oldSets, wanted], 0);
  return wanted;
}

/** Writes the sizes that differ, tells each, and answers whether any did (`scaleReplicaSet`). */
export async function resize(rollout: Rollout, resizes: readonly Resize[], refreshAnnotations = false): Promise<boolean> {
  const { deployment, events } = rollout;
  const marks = sizeAnnotations(replicasOf(deployment), maxSurge(deployment));
  let resized = false;
  for (const { replicaSet, replicas } of resizes) {
    const before = replicasOf(replicaSet);
    const { annotations } = replicaSet.metadata;
    const isStale = [desiredReplicasAnnotation, maxReplicasAnnotation].some((name) => annotations?.[name] !== marks[name]);
    if (before === replicas && !(refreshAnnotations && isStale)) continue;
    const next = cloneJson(replicaSet);
    next.metadata.annotations = { ...annotations, ...marks };
    if (next.spec) next.spec.replicas = replicas;
    await updateSet(rollout, replicaSet, next);
    if (before === replicas) continue;
    resized = true;
    const direction = before < replicas ? "up" : "down";
    const message = `Scaled ${direction} replica set ${replicaSet.metadata.name} from ${before} to ${replicas}`;
    events.event(deployment, "Normal", "ScalingReplicaSet", message);
  }
  return resized;
}

/** Writes the status, and with it the revision, which the status endpoint of deployments lets through. Nothing when nothing changed. */
export async function writeDeployment({ deployment, stored, context }: Rollout, status: DeploymentStatus): Promise<void> {
  const isRevised = deployment.metadata.annotations?.[revisionAnnotation] !== stored.metadata.annotations?.[revisionAnnotation];
  if (!isRevised && deepEqual(status, stored.status ?? {})) return;
  await context.client.update(deployments, { ...deployment, status } as Deployment, { subresource: "status" });
}
