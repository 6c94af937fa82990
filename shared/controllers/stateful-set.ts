import { deepEqual } from "../kubernetes/deep-equal.ts";
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from "../kubernetes/known-resources.ts";
import type { ControllerRevision, PersistentVolumeClaim, Pod, StatefulSet } from "../kubernetes/types.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import {
  claimRevisions,
  createRevision,
  deleteRevisions,
  type HistoryOwner,
  keysOfRevision,
  renumber,
} from "./controller-revisions/history.ts";
import { keeps, nextRevision, revisionData, templateOf } from "./controller-revisions/revision-data.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { isNamespaceTerminating } from "./failures.ts";
import { podsControlledBy } from "./owned-pods.ts";
import { keysOfOwners, selectsByLabels } from "./owner-keys.ts";
import { claimOwned, createOrphanIndex, type OwnerKind } from "./owners.ts";
import { nextAvailability } from "./pod-state.ts";
import { isOf } from "./same-resource.ts";
import { carryOut } from "./stateful-sets/carry-out.ts";
import { claimName, isMember, memberOf, revisionOf } from "./stateful-sets/identity.ts";
import { isCut, planSteps, type SetRevision, type SetState } from "./stateful-sets/plan.ts";
import { type RevisionNames, setStatus } from "./stateful-sets/set-status.ts";

const statefulSetKind: OwnerKind = { resource: statefulSets, apiVersion: "apps/v1", kind: "StatefulSet" };
const hashLabel = "controller.kubernetes.io/hash";
const done: ReconcileOutcome = { kind: "done" };

/** Keeps the pods of StatefulSets, each in its place with its claims. `events` tells as `statefulset-controller`. */
export function createStatefulSetController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  const orphanPods = createOrphanIndex(pods);
  const orphanRevisions = createOrphanIndex(controllerRevisions);
  return {
    name: "statefulset",
    allKeys(view) {
      orphanPods.rebuild(view);
      orphanRevisions.rebuild(view);
      return view.list(statefulSets).map(({ key }) => `${key.namespace}/${key.name}`);
    },
    keysOf(change, view) {
      if (isOf(statefulSets, change.key)) return [`${change.key.namespace}/${change.key.name}`];
      if (isOf(persistentVolumeClaims, change.key)) return keysOfClaim(change, view);
      if (isOf(pods, change.key)) {
        orphanPods.note(change);
        return [...keysOfOwners(change, view, statefulSetKind, selectsByLabels), ...keysOfFreedName(change, view)];
      }
      if (!isOf(controllerRevisions, change.key)) return [];
      orphanRevisions.note(change);
      return keysOfRevision(change, view, statefulSetKind);
    },
    async reconcile(key, context) {
      const [namespace = "", name = ""] = key.split("/");
      const stored = context.view.get(statefulSets, namespace, name);
      if (!stored) return done;
      const set = objectOf<StatefulSet>(stored);
      const history: HistoryOwner = { kind: statefulSetKind, object: set, hashLabel };
      try {
        const revisions = await claimRevisions(history, orphanRevisions, context);
        const owned = await claimOwned<Pod>({
          view: context.view,
          client: context.client,
          owner: statefulSetKind,
          claimer: set,
          resource: pods,
          orphans: orphanPods,
          matches: (pod) => isOurs(set, pod as Pod),
        });
        if (set.metadata.deletionTimestamp !== undefined) return await countOnly(set, owned, context);
        return await advance(history, set, revisions, owned, context, events);
      } catch (error) {
        if (isNamespaceTerminating(error)) return done;
        throw error;
      }
    },
  };
}

/** A set does with what its selector selects only where its own name stands in the name. */
const isOurs = (set: StatefulSet, pod: Pod): boolean => isMember(set, pod) && selectsByLabels(set, pod);

/** A pod is gone that kept its name from a set which does not control it. */
function keysOfFreedName({ type, key }: Change, view: ClusterView): string[] {
  const name = type === "DELETED" ? memberOf(key.name)?.set : undefined;
  return name !== undefined && view.get(statefulSets, key.namespace, name) ? [`${key.namespace}/${name}`] : [];
}

/** A claim is gone: a pod lacks it, or a new pod waited for that. */
function keysOfClaim({ type, key }: Change, view: ClusterView): string[] {
  const member = type === "DELETED" ? memberOf(key.name) : undefined;
  if (!member) return [];
  return view
    .list(statefulSets, key.namespace)
    .map((stored) => objectOf<StatefulSet>(stored))
    .filter((set) => set.spec?.volumeClaimTemplates?.some((template) => claimName(set, template, member.ordinal) === key.name))
    .map(({ metadata }) => `${key.namespace}/${metadata.name}`);
}

/** A set that is being deleted makes and ends nothing: the garbage collector takes its pods and revisions. */
async function countOnly(set: StatefulSet, owned: readonly Pod[], context: ControllerContext): Promise<ReconcileOutcome> {
  const { currentRevision = "", updateRevision = "", collisionCount = 0 } = set.status ?? {};
  if (updateRevision !== "") await writeStatus(set, owned, { currentRevision, updateRevision, collisionCount }, context);
  return done;
}

async function advance(
  history: HistoryOwner,
  set: StatefulSet,
  revisions: readonly ControllerRevision[],
  owned: readonly Pod[],
  context: ControllerContext,
  events: Pick<EventRecorder, "event">,
): Promise<ReconcileOutcome> {
  const { view, clock } = context;
  const { namespace = "", uid = "" } = set.metadata;
  const { update, collisionCount } = await updateRevisionOf(history, set, revisions, context);
  const current = revisions.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;
  const state: SetState = {
    kind: statefulSetKind,
    set,
    pods: owned,
    current: asSetRevision(set, current),
    update: asSetRevision(set, update),
    find(name) {
      const stored = view.get(persistentVolumeClaims, namespace, name);
      return stored && objectOf<PersistentVolumeClaim>(stored);
    },
    nowMs: clock.now(),
  };
  const phases = planSteps(state);
  const failure = await carryOut(phases, state, context, events);
  const names = { currentRevision: state.current.name, updateRevision: state.update.name, collisionCount };
  const remaining = podsControlledBy(view, uid).filter((pod) => isOurs(set, pod));
  await writeStatus(set, remaining, names, context);
  await truncate(set, revisions, [current.metadata.name, update.metadata.name, ...owned.map(revisionOf)], context);
  if (failure) throw failure.cause;
  const afterMs = isCut(phases) ? 0 : nextAvailability(remaining, set.spec?.minReadySeconds ?? 0, clock.now());
  return afterMs === undefined ? done : { kind: "again", afterMs };
}

/** The revision that keeps the set's template: the last one, an earlier one taken up again, or a new one (`getStatefulSetRevisions`). */
async function updateRevisionOf(
  history: HistoryOwner,
  set: StatefulSet,
  revisions: readonly ControllerRevision[],
  context: ControllerContext,
): Promise<{ readonly update: ControllerRevision; readonly collisionCount: number }> {
  const { collisionCount = 0 } = set.status ?? {};
  const data = revisionData(set.spec?.template ?? {});
  const equal = revisions.findLast((revision) => keeps(revision, data));
  if (equal === undefined) {
    const created = await createRevision(history, data, nextRevision(revisions), collisionCount, context);
    return { update: created.revision, collisionCount: created.collisionCount ?? 0 };
  }
  const isLast = equal === revisions.at(-1);
  return { update: isLast ? equal : await renumber(equal, nextRevision(revisions), context), collisionCount };
}

function asSetRevision(set: StatefulSet, revision: ControllerRevision): SetRevision {
  return { name: revision.metadata.name ?? "", template: templateOf(revision) ?? set.spec?.template ?? {} };
}

async function writeStatus(
  set: StatefulSet,
  owned: readonly Pod[],
  names: RevisionNames,
  { client, clock }: ControllerContext,
): Promise<void> {
  const status = setStatus(set, owned, names, clock.now());
  if (!deepEqual(status, set.status)) await client.update(statefulSets, { ...set, status } as StatefulSet, { subresource: "status" });
}

/** Deletes the oldest revisions beyond `spec.revisionHistoryLimit` that neither the set nor a pod is of (`truncateHistory`). */
async function truncate(
  { spec }: StatefulSet,
  revisions: readonly ControllerRevision[],
  live: readonly (string | undefined)[],
  context: ControllerContext,
): Promise<void> {
  const limit = spec?.revisionHistoryLimit ?? 10;
  const past = revisions.filter(({ metadata }) => !live.includes(metadata.name));
  if (limit >= 0) await deleteRevisions(past.slice(0, Math.max(0, past.length - limit)), context);
}
