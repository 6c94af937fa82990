import { scaledIntOrPercent } from "../../kubernetes/int-or-string.ts";
import type { Deployment, ReplicaSet } from "../../kubernetes/types.ts";
import { byCreation } from "../by-creation.ts";
import { intAnnotation, maxReplicasAnnotation } from "./revisions.ts";

/** A replica set that shall have so many replicas. */
export interface Resize {
  readonly replicaSet: ReplicaSet;
  readonly replicas: number;
}

export const replicasOf = ({ spec }: ReplicaSet | Deployment): number => spec?.replicas ?? 1;
export const availableOf = ({ status }: ReplicaSet): number => status?.availableReplicas ?? 0;
export const totalReplicas = (replicaSets: readonly ReplicaSet[]): number => replicaSets.reduce((sum, each) => sum + replicasOf(each), 0);
export const activeOf = (replicaSets: readonly ReplicaSet[]): ReplicaSet[] => replicaSets.filter((each) => replicasOf(each) > 0);

export function isRollingUpdate({ spec }: Deployment): boolean {
  return (spec?.strategy?.type ?? "RollingUpdate") === "RollingUpdate";
}

/** Surge rounds up, unavailable down; when both come to 0, one pod may be unavailable, or nothing would ever move (`ResolveFenceposts`). */
function fenceposts(deployment: Deployment): { surge: number; unavailable: number } {
  const { maxSurge = 0, maxUnavailable = 0 } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const desired = replicasOf(deployment);
  const surge = scaledIntOrPercent(maxSurge, desired, "up");
  const unavailable = scaledIntOrPercent(maxUnavailable, desired, "down");
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** How many pods above `spec.replicas` may exist. */
export function maxSurge(deployment: Deployment): number {
  return isRollingUpdate(deployment) ? fenceposts(deployment).surge : 0;
}

/** How many pods below `spec.replicas` need not be available. */
export function maxUnavailable(deployment: Deployment): number {
  const desired = replicasOf(deployment);
  if (!isRollingUpdate(deployment) || desired === 0) return 0;
  return Math.min(fenceposts(deployment).unavailable, desired);
}

/** How many replicas the new replica set may have now (`NewRSNewReplicas`); `all` includes it. */
export function newReplicaSetSize(deployment: Deployment, all: readonly ReplicaSet[], newReplicas: number): number {
  const desired = replicasOf(deployment);
  if (!isRollingUpdate(deployment)) return desired;
  const room = desired + scaledIntOrPercent(deployment.spec?.strategy?.rollingUpdate?.maxSurge ?? 0, desired, "up") - totalReplicas(all);
  return room <= 0 ? newReplicas : newReplicas + Math.min(room, desired - newReplicas);
}

/** The first step of a rolling update: grow the new replica set as far as the surge allows, or shrink it to what is wanted. */
export function resizeNew(deployment: Deployment, newSet: ReplicaSet, all: readonly ReplicaSet[]): Resize | undefined {
  const [current, desired] = [replicasOf(newSet), replicasOf(deployment)];
  const replicas = current > desired ? desired : newReplicaSetSize(deployment, all, current);
  return current === desired || replicas === current ? undefined : { replicaSet: newSet, replicas };
}

/**
 * The second step: shrink old replica sets as far as availability allows, those replicas first that are not available anyway, so that
 * a broken old version cannot hold up its own replacement (`reconcileOldReplicaSets`).
 */
export function resizeOld(deployment: Deployment, newSet: ReplicaSet, oldSets: readonly ReplicaSet[]): Resize[] {
  const old = activeOf(oldSets).sort(byCreation);
  const minAvailable = replicasOf(deployment) - maxUnavailable(deployment);
  const newUnavailable = replicasOf(newSet) - availableOf(newSet);
  const maxScaledDown = totalReplicas([...old, newSet]) - minAvailable - newUnavailable;
  if (old.length === 0 || maxScaledDown <= 0) return [];
  const sizes = new Map(old.map((each) => [each, replicasOf(each)]));
  const shrink = (replicaSet: ReplicaSet, by: number): void => void sizes.set(replicaSet, (sizes.get(replicaSet) ?? 0) - by);

  let cleaned = 0;
  for (const each of old) {
    const unhealthy = Math.max(0, Math.min(maxScaledDown - cleaned, replicasOf(each) - availableOf(each)));
    shrink(each, unhealthy);
    cleaned += unhealthy;
  }
  let removable = [...old, newSet].reduce((sum, each) => sum + availableOf(each), 0) - minAvailable;
  for (const each of old) {
    const by = Math.max(0, Math.min(sizes.get(each) ?? 0, removable));
    shrink(each, by);
    removable -= by;
  }
  return old
    .map((replicaSet) => ({ replicaSet, replicas: sizes.get(replicaSet) ?? 0 }))
    .filter(({ replicaSet, replicas }) => replicas !== replicasOf(replicaSet));
}

/**
 * In the middle of a rollout a new `spec.replicas` is shared out over the replica sets in proportion to their sizes; what rounding leaves
 * goes to the largest (`scale` of the deployment controller). Every active replica set is in the answer, resized or not.
 */
export function resizeInProportion(deployment: Deployment, replicaSets: readonly ReplicaSet[]): Resize[] {
  const active = activeOf(replicaSets);
  const desired = replicasOf(deployment);
  const allowed = desired > 0 ? desired + maxSurge(deployment) : 0;
  const toAdd = allowed - totalReplicas(active);
  const newestFirst = toAdd > 0;
  active.sort((a, b) => replicasOf(b) - replicasOf(a) || (newestFirst ? byCreation(b, a) : byCreation(a, b)));
  let added = 0;
  const resizes = active.map((replicaSet) => {
    const share = proportionOf(deployment, replicaSet, toAdd, added);
    added += share;
    return { replicaSet, replicas: replicasOf(replicaSet) + share };
  });
  const [largest, ...others] = resizes;
  if (!largest) return [];
  return [{ ...largest, replicas: Math.max(0, largest.replicas + toAdd - added) }, ...others];
}

function proportionOf(deployment: Deployment, replicaSet: ReplicaSet, toAdd: number, added: number): number {
  if (replicasOf(replicaSet) === 0 || toAdd === 0 || toAdd === added) return 0;
  const fraction = fractionOf(deployment, replicaSet);
  const allowed = toAdd - added;
  return toAdd > 0 ? Math.min(fraction, allowed) : Math.max(fraction, allowed);
}

function fractionOf(deployment: Deployment, replicaSet: ReplicaSet): number {
  const [desired, current] = [replicasOf(deployment), replicasOf(replicaSet)];
  if (desired === 0) return -current;
  const before = intAnnotation(replicaSet, maxReplicasAnnotation) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  return Math.floor((current * (desired + maxSurge(deployment))) / before + 0.5) - current;
}
