import { nodes, pods } from "../kubernetes/known-resources.ts";
import type { Pod } from "../kubernetes/types.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import { forEachBounded } from "./bounded.ts";
import { byCreation } from "./by-creation.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { isPodTerminal } from "./pod-state.ts";
import { isOf } from "./same-resource.ts";
import { withPodCondition } from "./taint-eviction.ts";

/** `--terminated-pod-gc-threshold` */
const terminatedThreshold = 12_500;
/** How long a node must be gone before its pods are (`quarantineTime`). */
const quarantineMs = 40_000;
const outOfServiceTaint = "node.kubernetes.io/out-of-service";
const parallelDeletions = 20;
const done: ReconcileOutcome = { kind: "done" };
const terminatedKey = "terminated";

export interface PodGarbageOptions {
  /** Ended pods that may stay. Default 12,500. */
  readonly terminatedThreshold?: number;
}

/**
 * Removes pods that nobody else will: those of nodes that are gone for 40 s or out of service, ended ones above a threshold (oldest
 * first), and those that are being deleted without ever having had a node.
 */
export function createPodGarbageController({ terminatedThreshold: threshold = terminatedThreshold }: PodGarbageOptions = {}): Controller {
  const ended = new Set<string>();
  const missingSince = new Map<string, number>();
  const note = (key: string, pod: Pod | undefined): boolean => {
    if (pod && isPodTerminal(pod)) ended.add(key);
    else ended.delete(key);
    return ended.size > threshold;
  };
  return {
    name: "pod-garbage-collector",
    *allKeys(view) {
      ended.clear();
      const nodeNames = new Set<string>();
      for (const stored of view.list(pods)) {
        const pod = objectOf<Pod>(stored);
        note(`${stored.key.namespace}/${stored.key.name}`, pod);
        const key = keyOf(pod, view);
        if (key !== undefined) nodeNames.add(key);
      }
      yield* nodeNames;
      if (ended.size > threshold) yield terminatedKey;
    },
    *keysOf(change, view) {
      if (isOf(nodes, change.key)) {
        if (change.type !== "DELETED") missingSince.delete(change.key.name);
        if (change.type === "DELETED" || isOutOfService(change)) yield `node/${change.key.name}`;
      } else if (isOf(pods, change.key)) {
        const pod = change.type === "DELETED" ? undefined : objectOf<Pod>(change);
        if (note(`${change.key.namespace}/${change.key.name}`, pod)) yield terminatedKey;
        const key = pod && keyOf(pod, view);
        if (key !== undefined) yield key;
      }
    },
    async reconcile(key, context) {
      if (key === terminatedKey) return removeEnded(ended, threshold, context);
      const [kind, first = "", second = ""] = key.split("/");
      if (kind === "node") return cleanNode(first, missingSince, context);
      const stored = context.view.get(pods, first, second);
      if (stored && isLost(objectOf<Pod>(stored))) await remove(objectOf<Pod>(stored), undefined, context);
      return done;
    },
  };
}

const isLost = ({ metadata, spec }: Pod): boolean => metadata.deletionTimestamp !== undefined && (spec?.nodeName ?? "") === "";

function isOutOfService({ object }: Pick<Change, "object">): boolean {
  const { spec, status } = object as {
    spec?: { taints?: { key: string }[] };
    status?: { conditions?: { type: string; status: string }[] };
  };
  const isReady = status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
  return !isReady && spec?.taints?.some(({ key }) => key === outOfServiceTaint) === true;
}

function keyOf(pod: Pod, view: ClusterView): string | undefined {
  const { namespace = "", name = "", deletionTimestamp } = pod.metadata;
  const { nodeName = "" } = pod.spec ?? {};
  if (nodeName === "") return deletionTimestamp === undefined ? undefined : `pod/${namespace}/${name}`;
  const node = view.get(nodes, "", nodeName);
  return !node || (deletionTimestamp !== undefined && isOutOfService(node)) ? `node/${nodeName}` : undefined;
}

async function cleanNode(name: string, missingSince: Map<string, number>, context: ControllerContext): Promise<ReconcileOutcome> {
  const { view, clock } = context;
  const node = view.get(nodes, "", name);
  const bound = view.podsOnNode(name).map((stored) => objectOf<Pod>(stored));
  if (node || bound.length === 0) {
    missingSince.delete(name);
    const doomed = node && isOutOfService(node) ? bound.filter(({ metadata }) => metadata.deletionTimestamp !== undefined) : [];
    await removeAll(doomed, undefined, context);
    return done;
  }
  const sinceMs = missingSince.get(name) ?? clock.now();
  missingSince.set(name, sinceMs);
  if (sinceMs + quarantineMs > clock.now()) return { kind: "again", afterMs: sinceMs + quarantineMs - clock.now() };
  await removeAll(bound, "PodGC: node no longer exists", context);
  return done;
}

async function removeEnded(ended: ReadonlySet<string>, threshold: number, context: ControllerContext): Promise<ReconcileOutcome> {
  const surplus = ended.size - threshold;
  if (surplus <= 0) return done;
  const candidates = [...ended]
    .map((key) => key.split("/"))
    .map(([namespace = "", name = ""]) => context.view.get(pods, namespace, name))
    .filter((stored) => stored !== undefined)
    .map((stored) => objectOf<Pod>(stored));
  const isEvicted = ({ status }: Pod): boolean => status?.reason === "Evicted";
  candidates.sort((a, b) => Number(isEvicted(b)) - Number(isEvicted(a)) || byCreation(a, b));
  await removeAll(candidates.slice(0, surplus), undefined, context);
  return done;
}

async function removeAll(doomed: readonly Pod[], reason: string | undefined, context: ControllerContext): Promise<void> {
  const failures = await forEachBounded(doomed, parallelDeletions, (pod) => remove(pod, reason, context));
  if (failures.length > 0) throw failures[0];
}

/** A pod that has not ended is Failed first, so that whoever watches it learns that it did not finish (`markFailedAndDeletePod`). */
async function remove(pod: Pod, reason: string | undefined, { client, clock }: ControllerContext): Promise<void> {
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  if (!isPodTerminal(pod)) {
    const condition = reason && { type: "DisruptionTarget", status: "True", reason: "DeletionByPodGC", message: reason };
    const told = condition ? withPodCondition(pod, condition, clock.now()) : pod;
    const failed: Pod = { ...told, status: { ...told.status, phase: "Failed" } };
    await unlessMissing(client.update(pods, failed, { subresource: "status" }));
  }
  await unlessMissing(client.delete(pods, namespace, name, { uid, gracePeriodSeconds: 0 }));
}
