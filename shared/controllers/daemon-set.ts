import { deepEqual } from "../kubernetes/deep-equal.ts";
import { controllerRevisions, daemonSets, nodes, pods } from "../kubernetes/known-resources.ts";
import { requirementsOf } from "../kubernetes/label-selector.ts";
import type { DaemonSet, Node, Pod } from "../kubernetes/types.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import type { Controller, ReconcileOutcome } from "./controller.ts";
import { claimRevisions, type HistoryOwner, keysOfRevision } from "./controller-revisions/history.ts";
import { historyOf, truncate } from "./daemon-sets/daemon-history.ts";
import { hashLabel } from "./daemon-sets/daemon-pods.ts";
import { daemonStatus } from "./daemon-sets/daemon-status.ts";
import { createFailedPodBackOff } from "./daemon-sets/failed-pod-back-off.ts";
import { daemonSetKind, keepPods, podSpecOf, podsOf, stateOf } from "./daemon-sets/keep-pods.ts";
import { placementOn } from "./daemon-sets/placement.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { isNamespaceTerminating } from "./failures.ts";
import { keysOfOwners, selectsByLabels } from "./owner-keys.ts";
import { claimOwned, createOrphanIndex } from "./owners.ts";
import { nextAvailability } from "./pod-state.ts";
import { isOf } from "./same-resource.ts";

const done: ReconcileOutcome = { kind: "done" };

/** Keeps one pod of each DaemonSet on every node where it belongs. `events` tells as `daemonset-controller`. */
export function createDaemonSetController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  const orphanPods = createOrphanIndex(pods);
  const orphanRevisions = createOrphanIndex(controllerRevisions);
  const backOff = createFailedPodBackOff();
  return {
    name: "daemonset",
    allKeys(view) {
      orphanPods.rebuild(view);
      orphanRevisions.rebuild(view);
      return view.list(daemonSets).map(({ key }) => `${key.namespace}/${key.name}`);
    },
    keysOf(change, view) {
      if (isOf(daemonSets, change.key)) return [`${change.key.namespace}/${change.key.name}`];
      if (isOf(nodes, change.key)) return keysOfNode(change, view);
      if (isOf(pods, change.key)) {
        orphanPods.note(change);
        return keysOfOwners(change, view, daemonSetKind, selectsByLabels);
      }
      if (!isOf(controllerRevisions, change.key)) return [];
      orphanRevisions.note(change);
      return keysOfRevision(change, view, daemonSetKind);
    },
    async reconcile(key, context) {
      const [namespace = "", name = ""] = key.split("/");
      const stored = context.view.get(daemonSets, namespace, name);
      // Of a set that is being deleted the garbage collector takes pods and revisions, in an order that nobody knows: its status means nothing.
      if (!stored || stored.object.metadata.deletionTimestamp !== undefined) return done;
      const set = objectOf<DaemonSet>(stored);
      if (requirementsOf(set.spec?.selector ?? {}).length === 0) {
        const message = "This daemon set is selecting all pods. A non-empty selector is required.";
        events.event(set, "Warning", "SelectingAll", message);
        return done;
      }
      try {
        const owned = await claimOwned<Pod>({
          view: context.view,
          client: context.client,
          owner: daemonSetKind,
          claimer: set,
          resource: pods,
          orphans: orphanPods,
          matches: (pod) => selectsByLabels(set, pod),
        });
        const owner: HistoryOwner = { kind: daemonSetKind, object: set, hashLabel };
        const revisions = await claimRevisions(owner, orphanRevisions, context);
        const history = await historyOf(owner, set.spec?.template ?? {}, revisions, owned, set.status?.collisionCount, context);
        const hash = history.current.metadata.labels?.[hashLabel] ?? "";
        const { failure, waitMs } = await keepPods(set, hash, { context, events, backOff });
        const state = stateOf(set, hash, context);
        const status = daemonStatus(state, history.collisionCount);
        if (!deepEqual(status, set.status))
          await context.client.update(daemonSets, { ...set, status } as DaemonSet, { subresource: "status" });
        if (failure) throw failure.cause;
        const remaining = podsOf(set, context.view);
        await truncate(history.old, set.spec?.revisionHistoryLimit ?? 10, remaining, context);
        return again(waitMs, nextAvailability(remaining, set.spec?.minReadySeconds ?? 0, context.clock.now()));
      } catch (error) {
        if (isNamespaceTerminating(error)) return done;
        throw error;
      }
    },
  };
}

/** Every set whose pods belong on the node otherwise than before it changed. */
function keysOfNode({ type, object, previous }: Change, view: ClusterView): string[] {
  const now = type === "DELETED" ? undefined : (object as Node);
  const before = previous && (previous.object as Node);
  if (now && before && deepEqual(now.metadata.labels, before.metadata.labels) && deepEqual(now.spec?.taints, before.spec?.taints))
    return [];
  const place = (set: DaemonSet, node: Node | undefined) => (node ? placementOn(podSpecOf(set), node) : undefined);
  return view
    .list(daemonSets)
    .map((stored) => objectOf<DaemonSet>(stored))
    .filter((set) => place(set, now) !== place(set, before))
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

function again(...waits: readonly (number | undefined)[]): ReconcileOutcome {
  const known = waits.filter((wait) => wait !== undefined);
  return known.length === 0 ? done : { kind: "again", afterMs: Math.min(...known) };
}
