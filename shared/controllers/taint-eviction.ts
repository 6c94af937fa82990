import { nodes, pods } from "../kubernetes/known-resources.ts";
import type { Node, Pod, PodCondition, Taint } from "../kubernetes/types.ts";
import type { StoredObject } from "../store/store.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import { forEachBounded } from "./bounded.ts";
import type { Controller, ControllerContext } from "./controller.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { unlessMissing } from "./failures.ts";
import { toleratedSeconds } from "./nodes/tolerations.ts";
import { podCondition } from "./pod-state.ts";
import { isOf } from "./same-resource.ts";
import { formatTime, parseTime } from "./timestamp.ts";

const parallelEvictions = 8;

/** Ends pods whose node has a NoExecute taint that they do not tolerate, or no longer. `events` tells as `taint-eviction-controller`. */
export function createTaintEvictionController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  /** Since when a pod has stood taints, by node and uid: a taint that replaces another does not give it time anew. */
  const since = new Map<string, Map<string, number>>();
  /** Nodes that were without such taints since they were last looked at: their pods' time begins anew, also where several changes are one look. */
  const relieved = new Set<string>();
  return {
    name: "taint-eviction",
    allKeys: (view) =>
      view
        .list(nodes)
        .filter((stored) => endingTaints(stored).length > 0)
        .map(({ key }) => key.name),
    keysOf(change, view) {
      if (isOf(nodes, change.key)) {
        const { name } = change.key;
        if (change.type !== "DELETED" && endingTaints(change).length > 0) return [name];
        if (!since.has(name)) return [];
        relieved.add(name);
        return [name];
      }
      return isOf(pods, change.key) ? keysOfPod(change, view) : [];
    },
    async reconcile(name, context) {
      const { view, clock } = context;
      const node = view.get(nodes, "", name);
      const isRelieved = relieved.delete(name);
      if (!node) {
        // What stands on it is the pod garbage collector's: nothing is cancelled.
        since.delete(name);
        return { kind: "done" };
      }
      const taints = endingTaints(node);
      const known = (isRelieved && taints.length > 0 ? undefined : since.get(name)) ?? new Map<string, number>();
      if (taints.length === 0) {
        since.delete(name);
        for (const stored of view.podsOnNode(name)) {
          const { metadata } = stored.object;
          if (!known.has(metadata.uid ?? "") || metadata.deletionTimestamp !== undefined) continue;
          events.event(
            stored.object,
            "Normal",
            "TaintManagerEviction",
            `Cancelling deletion of Pod ${metadata.namespace}/${metadata.name}`,
          );
        }
        return { kind: "done" };
      }
      const addedMs = Math.min(...taints.map(({ timeAdded }) => parseTime(timeAdded) ?? clock.now()));
      const waiting = new Map<string, number>();
      const due: Pod[] = [];
      let nextMs: number | undefined;
      for (const stored of view.podsOnNode(name)) {
        const pod = objectOf<Pod>(stored);
        const { uid = "", deletionTimestamp } = pod.metadata;
        const seconds = toleratedSeconds(pod, taints);
        if (seconds === undefined || deletionTimestamp !== undefined) continue;
        const boundMs = parseTime(podCondition(pod, "PodScheduled")?.lastTransitionTime ?? pod.status?.startTime) ?? clock.now();
        const sinceMs = known.get(uid) ?? Math.max(addedMs, boundMs);
        const endMs = sinceMs + seconds * 1000;
        if (endMs <= clock.now()) due.push(pod);
        else {
          waiting.set(uid, sinceMs);
          nextMs = nextMs === undefined ? endMs : Math.min(nextMs, endMs);
        }
      }
      since.set(name, waiting);
      const failures = await forEachBounded(due, parallelEvictions, (pod) => evict(pod, context, events));
      if (failures.length > 0) throw failures[0];
      return nextMs === undefined ? { kind: "done" } : { kind: "again", afterMs: nextMs - clock.now() };
    },
  };
}

function endingTaints(node: StoredObject): Taint[] {
  return (objectOf<Node>(node).spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");
}

/** A pod that comes to a node with such taints, or tolerates otherwise than before. */
function keysOfPod(change: Change, view: ClusterView): string[] {
  const { nodeName = "", tolerations } = objectOf<Pod>(change).spec ?? {};
  if (change.type === "DELETED" || nodeName === "") return [];
  const before = change.previous && objectOf<Pod>(change.previous).spec;
  if (before?.nodeName === nodeName && before.tolerations?.length === tolerations?.length) return [];
  const node = view.get(nodes, "", nodeName);
  return node && endingTaints(node).length > 0 ? [nodeName] : [];
}

async function evict(pod: Pod, { client, clock }: ControllerContext, events: Pick<EventRecorder, "event">): Promise<void> {
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  events.event(pod, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${namespace}/${name}`);
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "DeletionByTaintManager",
    message: "Taint manager: deleting due to NoExecute taint",
  };
  await unlessMissing(client.update(pods, withPodCondition(pod, condition, clock.now()), { subresource: "status" }));
  await unlessMissing(client.delete(pods, namespace, name, { uid }));
}

/** The pod with the condition; its time of transition is that of the status. */
export function withPodCondition(pod: Pod, condition: PodCondition, nowMs: number): Pod {
  const conditions = pod.status?.conditions ?? [];
  const before = conditions.find(({ type }) => type === condition.type);
  const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : undefined;
  const next = { ...condition, lastTransitionTime: lastTransitionTime ?? formatTime(nowMs) };
  const others = conditions.filter(({ type }) => type !== condition.type);
  return { ...pod, status: { ...pod.status, conditions: [...others, next] } };
}
