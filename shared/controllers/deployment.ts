import { deployments, pods, replicaSets } from "../kubernetes/known-resources.ts";
import { requirementsOf } from "../kubernetes/label-selector.ts";
import type { Deployment, DeploymentStatus, Pod, ReplicaSet } from "../kubernetes/types.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import { byCreation } from "./by-creation.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import { byRevision, desiredReplicasAnnotation, intAnnotation } from "./deployments/revisions.ts";
import {
  allSets,
  deploymentKind,
  ensureNewSet,
  openRollout,
  type Rollout,
  resize,
  setCondition,
  writeDeployment,
} from "./deployments/rollout.ts";
import { conditionOf, countedStatus, hasProgressDeadline, isComplete, rolloutStatus, untilDeadline } from "./deployments/rollout-status.ts";
import { activeOf, availableOf, isRollingUpdate, replicasOf, resizeInProportion, resizeNew, resizeOld } from "./deployments/sizes.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { isNamespaceTerminating, unlessMissing } from "./failures.ts";
import { keysOfOwners, selectsByLabels } from "./owner-keys.ts";
import { claimOwned, controllerOf, createOrphanIndex, resolveController } from "./owners.ts";
import { isPodTerminal } from "./pod-state.ts";
import { replicaSetKind } from "./replica-set.ts";
import { isOf } from "./same-resource.ts";

const done: ReconcileOutcome = { kind: "done" };
const unlimited = 2 ** 31 - 1;

/** Rolls Deployments out over ReplicaSets. `events` tells as `deployment-controller`. */
export function createDeploymentController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  const orphans = createOrphanIndex(replicaSets);
  /** Recreate waits for the old pods to be gone. */
  const keysOfPod = (change: Change, view: ClusterView): string[] => {
    if (change.type !== "DELETED" && !isPodTerminal(objectOf<Pod>(change))) return [];
    const { namespace } = change.key;
    const replicaSet = resolveController(view, replicaSetKind, namespace, controllerOf(change.object));
    const deployment = replicaSet && resolveController(view, deploymentKind, namespace, controllerOf(replicaSet.object));
    return deployment && !isRollingUpdate(objectOf<Deployment>(deployment)) ? [`${namespace}/${deployment.key.name}`] : [];
  };

  return {
    name: "deployment",
    allKeys(view) {
      orphans.rebuild(view);
      return view.list(deployments).map(({ key }) => `${key.namespace}/${key.name}`);
    },
    keysOf(change, view) {
      if (isOf(deployments, change.key)) return [`${change.key.namespace}/${change.key.name}`];
      if (isOf(pods, change.key)) return keysOfPod(change, view);
      if (!isOf(replicaSets, change.key)) return [];
      orphans.note(change);
      return keysOfOwners(change, view, deploymentKind, selectsByLabels);
    },
    async reconcile(key, context) {
      const [namespace = "", name = ""] = key.split("/");
      const stored = context.view.get(deployments, namespace, name);
      if (!stored) return done;
      const deployment = objectOf<Deployment>(stored);
      if (requirementsOf(deployment.spec?.selector ?? {}).length === 0) return refuseToSelectAll(deployment, context, events);
      const owned = await claimOwned<ReplicaSet>({
        view: context.view,
        client: context.client,
        owner: deploymentKind,
        claimer: deployment,
        resource: replicaSets,
        orphans,
        matches: (replicaSet) => selectsByLabels(deployment, replicaSet),
      });
      try {
        return await advance(await openRollout(deployment, owned, context, events));
      } catch (error) {
        if (isNamespaceTerminating(error)) return done;
        throw error;
      }
    },
  };
}

async function refuseToSelectAll(
  deployment: Deployment,
  { client }: ControllerContext,
  events: Pick<EventRecorder, "event">,
): Promise<ReconcileOutcome> {
  const message = "This deployment is selecting all pods. A non-empty selector is required.";
  events.event(deployment, "Warning", "SelectingAll", message);
  const { generation = 0 } = deployment.metadata;
  if ((deployment.status?.observedGeneration ?? 0) < generation) {
    const status: DeploymentStatus = { ...deployment.status, observedGeneration: generation };
    await client.update(deployments, { ...deployment, status } as Deployment, { subresource: "status" });
  }
  return done;
}

async function advance(rollout: Rollout): Promise<ReconcileOutcome> {
  const { deployment, context } = rollout;
  const nowMs = context.clock.now();
  if (deployment.metadata.deletionTimestamp !== undefined) {
    await writeDeployment(rollout, countedStatus(deployment, allSets(rollout), rollout.newSet, nowMs));
    return done;
  }
  notePause(rollout);
  if (deployment.spec?.paused === true || isScaling(rollout)) {
    await scale(rollout);
    if (deployment.spec?.paused === true) await cleanUp(rollout);
    await writeDeployment(rollout, countedStatus(deployment, allSets(rollout), rollout.newSet, nowMs));
    return done;
  }
  const isFinished = isRollingUpdate(deployment) ? await rollForward(rollout) : await recreate(rollout);
  if (isFinished && isComplete(deployment, deployment.status)) await cleanUp(rollout);
  const status = rolloutStatus(deployment, allSets(rollout), rollout.newSet, nowMs);
  await writeDeployment(rollout, status);
  const afterMs = untilDeadline(deployment, status, nowMs);
  return afterMs === undefined ? done : { kind: "again", afterMs };
}

/** A pause stops the clock of the progress deadline, a resumption starts it anew (`checkPausedConditions`). */
function notePause(rollout: Rollout): void {
  const { deployment } = rollout;
  if (!hasProgressDeadline(deployment)) return;
  const progressing = conditionOf(deployment.status, "Progressing");
  if (progressing?.reason === "ProgressDeadlineExceeded") return;
  const isPaused = deployment.spec?.paused === true;
  const wasPaused = progressing?.reason === "DeploymentPaused";
  if (isPaused && !wasPaused) setCondition(rollout, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused");
  if (!isPaused && wasPaused) setCondition(rollout, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed");
}

/** Some replica set was sized for another `spec.replicas`. */
function isScaling(rollout: Rollout): boolean {
  const desired = replicasOf(rollout.deployment);
  return activeOf(allSets(rollout)).some((each) => {
    const noted = intAnnotation(each, desiredReplicasAnnotation);
    return noted !== undefined && noted !== desired;
  });
}

async function scale(rollout: Rollout): Promise<void> {
  const { deployment, newSet, oldSets } = rollout;
  const desired = replicasOf(deployment);
  const active = activeOf(allSets(rollout));
  const only = active.length === 0 ? (newSet ?? [...oldSets].sort(byCreation).at(-1)) : active.length === 1 ? active[0] : undefined;
  if (only) {
    if (replicasOf(only) !== desired) await resize(rollout, [{ replicaSet: only, replicas: desired }]);
    else await resize(rollout, [{ replicaSet: only, replicas: desired }], true);
    return;
  }
  if (newSet && isSaturated(deployment, newSet)) {
    await resize(
      rollout,
      activeOf(oldSets).map((replicaSet) => ({ replicaSet, replicas: 0 })),
    );
  } else if (isRollingUpdate(deployment)) await resize(rollout, resizeInProportion(deployment, active), true);
}

function isSaturated(deployment: Deployment, newSet: ReplicaSet): boolean {
  const desired = replicasOf(deployment);
  return replicasOf(newSet) === desired && intAnnotation(newSet, desiredReplicasAnnotation) === desired && availableOf(newSet) === desired;
}

/** One step of a rolling update. True when there was nothing to resize. */
async function rollForward(rollout: Rollout): Promise<boolean> {
  const { deployment } = rollout;
  const newSet = await ensureNewSet(rollout);
  const grown = resizeNew(deployment, newSet, allSets(rollout));
  if (grown && (await resize(rollout, [grown]))) return false;
  return !(await resize(rollout, resizeOld(deployment, newSet, rollout.oldSets)));
}

/** One step of Recreate: first every old pod ends, then the new ones start. True when there was nothing left to wait for. */
async function recreate(rollout: Rollout): Promise<boolean> {
  const { deployment, context } = rollout;
  const down = activeOf(rollout.oldSets).map((replicaSet) => ({ replicaSet, replicas: 0 }));
  if (await resize(rollout, down)) return false;
  if (rollout.oldSets.some((each) => (each.status?.replicas ?? 0) > 0 || hasLivePods(context.view, each))) return false;
  const newSet = await ensureNewSet(rollout);
  await resize(rollout, [{ replicaSet: newSet, replicas: replicasOf(deployment) }]);
  return true;
}

function hasLivePods(view: ClusterView, { metadata }: ReplicaSet): boolean {
  return view.ownedBy(metadata.uid ?? "").some((stored) => isOf(pods, stored.key) && !isPodTerminal(objectOf<Pod>(stored)));
}

/** Deletes the oldest replica sets beyond `spec.revisionHistoryLimit` that are empty and settled (`cleanupDeployment`). */
async function cleanUp({ deployment, oldSets, context }: Rollout): Promise<void> {
  const limit = deployment.spec?.revisionHistoryLimit;
  if (limit === undefined || limit === unlimited) return;
  const candidates = oldSets.filter(({ metadata }) => metadata.deletionTimestamp === undefined).sort(byRevision);
  for (const { metadata, spec, status } of candidates.slice(0, Math.max(0, candidates.length - limit))) {
    const isEmpty = (status?.replicas ?? 0) === 0 && (spec?.replicas ?? 1) === 0;
    if (!isEmpty || (metadata.generation ?? 0) > (status?.observedGeneration ?? 0)) continue;
    const { namespace = "", name = "", uid = "" } = metadata;
    await unlessMissing(context.client.delete(replicaSets, namespace, name, { uid }));
  }
}
