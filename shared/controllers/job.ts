import { jobs, pods } from "../kubernetes/known-resources.ts";
import type { Job, Pod } from "../kubernetes/types.ts";
import type { StoredObject } from "../store/store.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { finishedCondition } from "./jobs/assess.ts";
import { countedEnds, type KnownBackOff, laterBackOff, rememberedBackOff } from "./jobs/back-off.ts";
import { isTracked, trackingFinalizer } from "./jobs/job-pods.ts";
import { jobKind, lookAtJob, releasePod } from "./jobs/round.ts";
import { keysOfOwners, selectsByLabels } from "./owner-keys.ts";
import { claimOwned, controllerOf, createOrphanIndex, resolveController } from "./owners.ts";
import { isOf } from "./same-resource.ts";

const done: ReconcileOutcome = { kind: "done" };
/** The value of `spec.managedBy` that means this controller. */
const ownName = "kubernetes.io/job-controller";

/** Runs Jobs to completion. Keys are `namespace/name` of jobs and `pod/namespace/name` of pods whose job has ended. `events` tells as `job-controller`. */
export function createJobController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  const orphans = createOrphanIndex(pods);
  /** By the uid of the job. */
  const backOffs = new Map<string, KnownBackOff>();
  const keysOfJob = ({ type, key, object }: Change, view: ClusterView): string[] => {
    const keys = [`${key.namespace}/${key.name}`];
    if (type !== "DELETED" && !finishedCondition(object as Job)) return keys;
    const { uid = "" } = object.metadata;
    backOffs.delete(uid);
    const owned = view.ownedBy(uid).filter((stored) => isAbandoned(stored, view));
    return [...keys, ...owned.map(podKey)];
  };

  return {
    name: "job",
    allKeys(view) {
      orphans.rebuild(view);
      const unfinished = view.list(jobs).filter((stored) => !finishedCondition(objectOf<Job>(stored)));
      const abandoned = view.list(pods).filter((stored) => isAbandoned(stored, view));
      return [...unfinished.map(({ key }) => `${key.namespace}/${key.name}`), ...abandoned.map(podKey)];
    },
    keysOf(change, view) {
      if (isOf(jobs, change.key)) return keysOfJob(change, view);
      if (!isOf(pods, change.key)) return [];
      orphans.note(change);
      const keys = keysOfOwners(change, view, jobKind, selectsByLabels);
      return change.type !== "DELETED" && isAbandoned(change, view) ? [...keys, podKey(change)] : keys;
    },
    async reconcile(key, context) {
      const parts = key.split("/");
      if (parts.length === 3) return letGo(parts, context);
      const [namespace = "", name = ""] = parts;
      const stored = context.view.get(jobs, namespace, name);
      if (!stored) return done;
      const job = objectOf<Job>(stored);
      if (finishedCondition(job) || isManagedElsewhere(job)) return done;
      const owned = await claimOwned<Pod>({
        view: context.view,
        client: context.client,
        owner: jobKind,
        claimer: job,
        resource: pods,
        orphans,
        matches: (pod) => selectsByLabels(job, pod),
        finalizer: trackingFinalizer,
      });
      const { uid = "" } = job.metadata;
      const known = backOffs.get(uid);
      const remembered = rememberedBackOff(job, owned);
      // Failures that its policy ignores count here and not in its status.
      const backOff = known?.ends === countedEnds(job.status) ? laterBackOff(known.backOff, remembered) : remembered;
      const remember = (known: KnownBackOff): void => void backOffs.set(uid, known);
      return lookAtJob({ job, pods: owned, backOff, context, events, remember });
    },
  };
}

const podKey = ({ key }: Pick<StoredObject, "key">): string => `pod/${key.namespace}/${key.name}`;

function isManagedElsewhere({ spec }: Job): boolean {
  return (spec?.managedBy ?? ownName) !== ownName;
}

/** A pod that nobody will account for: its job is gone or has ended, or it was left behind (`handleSingleOrphanPod`). */
function isAbandoned({ key, object }: Pick<StoredObject, "key" | "object">, view: ClusterView): boolean {
  if (!isOf(pods, key) || !isTracked(object)) return false;
  const reference = controllerOf(object);
  if (!reference) return true;
  if (reference.kind !== jobKind.kind || reference.apiVersion !== jobKind.apiVersion) return false;
  const stored = resolveController(view, jobKind, key.namespace, reference);
  const job = stored && objectOf<Job>(stored);
  return !job || (!isManagedElsewhere(job) && finishedCondition(job) !== undefined);
}

async function letGo([, namespace = "", name = ""]: readonly string[], context: ControllerContext): Promise<ReconcileOutcome> {
  const stored = context.view.get(pods, namespace, name);
  if (stored && isAbandoned(stored, context.view)) await releasePod(objectOf<Pod>(stored), context);
  return done;
}
