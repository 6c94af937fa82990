import type { Pod, PodTemplateSpec, StatefulSet } from "../../kubernetes/types.ts";
import type { OwnerKind } from "../owners.ts";
import { isPodAvailable, isPodTerminal } from "../pod-state.ts";
import { areClaimsOwned, type FindClaim, hasStaleClaim, needsClaims } from "./claims.ts";
import { firstOrdinal, isAsNamed, isInRange, ordinalOf, podOf, replicasOf, revisionOf } from "./identity.ts";
import { isHealthy, isRunningAndReady } from "./set-status.ts";

export type Step =
  /** With its claims, which come first. */
  | { readonly kind: "create"; readonly pod: Pod }
  | { readonly kind: "delete"; readonly pod: Pod }
  /** Makes the pod's missing claims, and sees to the owners of those that are there. */
  | { readonly kind: "makeClaims"; readonly pod: Pod }
  /** Gives the pod the labels, volumes and claims of its place; its claims as `makeClaims`. */
  | { readonly kind: "identify"; readonly pod: Pod }
  /** Sees to the owners of the claims of a pod that will go. */
  | { readonly kind: "ownClaims"; readonly pod: Pod };

/** A revision of the set: what its pods are made of, and the name they bear. */
export interface SetRevision {
  readonly name: string;
  readonly template: PodTemplateSpec;
}

export interface SetState {
  readonly kind: OwnerKind;
  readonly set: StatefulSet;
  /** All that the set controls. */
  readonly pods: readonly Pod[];
  readonly current: SetRevision;
  readonly update: SetRevision;
  readonly find: FindClaim;
  readonly nowMs: number;
}

/** Steps of one look at places, however many replicas a set asks for (`MaxBatchSize`). */
const mostAtOnce = 500;

/** There is more to do than the plan says. The next look has to be asked for: changes of claims alone bring none. */
export const isCut = ([first = []]: readonly Step[][]): boolean => first.length >= mostAtOnce;

export const isParallel = ({ spec }: StatefulSet): boolean => spec?.podManagementPolicy === "Parallel";

/**
 * What to do now, in phases: each begins when the one before has succeeded (`updateStatefulSet`). In order, a set has one pod at a time
 * that is not available: the phases end at the first pod to wait for. In parallel, pods are made and ended without regard to others;
 * updates are one by one in both.
 */
export function planSteps(state: SetState): Step[][] {
  const { set, pods } = state;
  const condemned = pods.filter((pod) => ordinalOf(pod) >= 0 && !isInRange(set, pod)).sort((a, b) => ordinalOf(b) - ordinalOf(a));
  const present = new Map(pods.map((pod) => [ordinalOf(pod), pod]));
  const inOrder = !isParallel(set);

  const first: Step[] = [];
  let firstUnhealthy: Pod | undefined;
  for (let place = 0; place < replicasOf(set); place++) {
    const pod = present.get(firstOrdinal(set) + place) ?? newPodAt(state, place);
    if (!isHealthy(pod)) firstUnhealthy ??= pod;
    const { steps, waits } = stepsOf(state, pod);
    first.push(...steps);
    if ((waits && inOrder) || isCut([first])) return [first];
  }
  const ownClaims = condemned.filter((pod) => !areClaimsOwned({ ...state, pod }, state.find));
  const phases: Step[][] = [first, ownClaims.map((pod) => ({ kind: "ownClaims", pod }))];
  if (inOrder) {
    const [next] = condemned;
    firstUnhealthy ??= condemned.findLast((pod) => !isHealthy(pod));
    if (next) return mayGo(state, next, firstUnhealthy) ? [...phases, [{ kind: "delete", pod: next }]] : phases;
  } else {
    phases.push(condemned.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map((pod) => ({ kind: "delete", pod })));
  }
  const outdated = nextToUpdate(state, present);
  return outdated ? [...phases, [{ kind: "delete", pod: outdated }]] : phases;
}

/** The pod that shall be at a place where none is. */
function newPodAt({ kind, set, current, update }: SetState, place: number): Pod {
  const { name, template } = place < currentPlaces(set) ? current : update;
  return podOf(kind, set, template, name, firstOrdinal(set) + place);
}

/** Below the partition, or below what is still of the current revision, new pods are of that too (`newVersionedStatefulSetPod`). */
function currentPlaces({ spec, status }: StatefulSet): number {
  const { type, rollingUpdate } = spec?.updateStrategy ?? {};
  if (rollingUpdate) return rollingUpdate.partition ?? 0;
  return type === "RollingUpdate" ? (status?.currentReplicas ?? 0) : 0;
}

const isCreated = ({ metadata }: Pod): boolean => metadata.uid !== undefined;

/** What a place needs, and whether those after it have to wait for that (`processReplica`). */
function stepsOf(state: SetState, pod: Pod): { readonly steps: Step[]; readonly waits: boolean } {
  const { set, find, nowMs } = state;
  const membership = { ...state, pod };
  const isTerminating = pod.metadata.deletionTimestamp !== undefined;
  if (isPodTerminal(pod)) return { steps: isTerminating ? [] : [{ kind: "delete", pod }], waits: true };
  if (!isCreated(pod)) return { steps: hasStaleClaim(membership, find) ? [] : [{ kind: "create", pod }], waits: true };
  const isAvailable = isRunningAndReady(pod) && isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs);
  const waits = isTerminating || !isAvailable;
  const isAsWanted = isAsNamed(set, pod) && areClaimsOwned(membership, find);
  if (!isAsWanted && (!waits || isParallel(set))) return { steps: [{ kind: "identify", pod }], waits };
  const lacksClaims = pod.status?.phase === "Pending" && needsClaims(membership, find);
  return { steps: lacksClaims ? [{ kind: "makeClaims", pod }] : [], waits };
}

/** The condemned pod of the highest ordinal goes when it is available, or when it is the one that everybody waits for (`processCondemned`). */
function mayGo({ set, nowMs }: SetState, pod: Pod, firstUnhealthy: Pod | undefined): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  return pod === firstUnhealthy || (isRunningAndReady(pod) && isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs));
}

/** The highest ordinal above the partition that is not of the update revision, once all above it are healthy. */
function nextToUpdate({ set, update }: SetState, present: ReadonlyMap<number, Pod>): Pod | undefined {
  const { type, rollingUpdate } = set.spec?.updateStrategy ?? {};
  if (type === "OnDelete") return undefined;
  for (let place = replicasOf(set) - 1; place >= (rollingUpdate?.partition ?? 0); place--) {
    const pod = present.get(firstOrdinal(set) + place);
    if (!pod) return undefined;
    if (pod.metadata.deletionTimestamp === undefined && revisionOf(pod) !== update.name) return pod;
    if (!isHealthy(pod)) return undefined;
  }
  return undefined;
}
