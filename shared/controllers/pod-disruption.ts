import { deepEqual } from "../kubernetes/deep-equal.ts";
import { scaledIntOrPercent } from "../kubernetes/int-or-string.ts";
import { podDisruptionBudgets, pods } from "../kubernetes/known-resources.ts";
import { matchesSelector } from "../kubernetes/label-selector.ts";
import type { Condition, Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from "../kubernetes/types.ts";
import type { StoredObject } from "../store/store.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { messageOf } from "./failures.ts";
import { resourceOfKind } from "./garbage/resource-of-kind.ts";
import { controllerOf } from "./owners.ts";
import { isPodReady } from "./pod-state.ts";
import { isOf } from "./same-resource.ts";
import { formatTime, parseTime } from "./timestamp.ts";

/** How long an eviction may take until the pod counts as healthy again (`DeletionTimeout`). */
const deletionTimeoutMs = 120_000;

/** Keeps the status of PodDisruptionBudgets, by which evictions are allowed. `events` tells as `controllermanager`. */
export function createPodDisruptionController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  return {
    name: "disruption",
    allKeys: (view) => view.list(podDisruptionBudgets).map(keyText),
    keysOf(change, view) {
      if (isOf(podDisruptionBudgets, change.key)) return change.type === "DELETED" ? [] : [keyText(change)];
      if (isOf(pods, change.key)) return budgetsOf(change, view);
      return changesReplicas(change) ? budgetsInNamespace(view, change.key.namespace).map(keyText) : [];
    },
    async reconcile(key, context) {
      const [namespace = "", name = ""] = key.split("/");
      const stored = context.view.get(podDisruptionBudgets, namespace, name);
      return stored ? settle(objectOf<PodDisruptionBudget>(stored), context, events) : { kind: "done" };
    },
  };
}

const keyText = ({ key }: StoredObject): string => `${key.namespace}/${key.name}`;

function budgetsInNamespace(view: ClusterView, namespace: string): readonly StoredObject[] {
  return view.count(podDisruptionBudgets) === 0 ? [] : view.list(podDisruptionBudgets, namespace);
}

function budgetsOf({ key, object, previous }: Change, view: ClusterView): string[] {
  return budgetsInNamespace(view, key.namespace)
    .filter((stored) => {
      const selector = objectOf<PodDisruptionBudget>(stored).spec?.selector;
      return matchesSelector(selector, object.metadata.labels) || (previous && matchesSelector(selector, previous.object.metadata.labels));
    })
    .map(keyText);
}

/** Something that controls pods is to have another number of them. */
function changesReplicas({ key, object, previous }: Change): boolean {
  if (key.namespace === "" || !previous) return false;
  const replicas = (stored: object): unknown => (stored as { spec?: { replicas?: number } }).spec?.replicas;
  return replicas(object) !== replicas(previous.object);
}

async function settle(
  budget: PodDisruptionBudget,
  context: ControllerContext,
  events: Pick<EventRecorder, "event">,
): Promise<ReconcileOutcome> {
  const { view, clock } = context;
  const selected = view
    .list(pods, budget.metadata.namespace ?? "")
    .map((stored) => objectOf<Pod>(stored))
    .filter(({ metadata }) => matchesSelector(budget.spec?.selector, metadata.labels));
  if (selected.length === 0) events.event(budget, "Normal", "NoPods", "No matching pods found");
  let expected: Expected;
  try {
    expected = expectedPods(budget, selected, view);
  } catch (error) {
    const message = messageOf(error);
    events.event(budget, "Warning", "CalculateExpectedPodCountFailed", `Failed to calculate the number of expected pods: ${message}`);
    const status = { ...zeroStatus(budget), disruptionsAllowed: 0 };
    const conditions = conditionsOf(budget, "False", "SyncFailed", message, clock.now());
    await write(budget, { ...status, conditions }, context);
    throw error;
  }
  if (expected.unmanaged.length > 0) {
    const message = `Pods selected by this PodDisruptionBudget (selector: ${JSON.stringify(budget.spec?.selector)}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`;
    events.event(budget, "Warning", "UnmanagedPods", message);
  }
  const { disruptedPods, nextMs } = pendingDisruptions(budget, selected, clock.now(), events);
  const isHealthy = (pod: Pod): boolean =>
    pod.metadata.deletionTimestamp === undefined && disruptedPods[pod.metadata.name ?? ""] === undefined && isPodReady(pod);
  const currentHealthy = selected.filter(isHealthy).length;
  const disruptionsAllowed = expected.pods > 0 ? Math.max(0, currentHealthy - expected.desiredHealthy) : 0;
  const [status, reason] = disruptionsAllowed > 0 ? ["True", "SufficientPods"] : ["False", "InsufficientPods"];
  const next: PodDisruptionBudgetStatus = {
    currentHealthy,
    desiredHealthy: expected.desiredHealthy,
    expectedPods: expected.pods,
    disruptionsAllowed,
    ...(Object.keys(disruptedPods).length > 0 && { disruptedPods }),
    observedGeneration: budget.metadata.generation ?? 0,
    conditions: conditionsOf(budget, status ?? "", reason ?? "", "", clock.now()),
  };
  await write(budget, next, context);
  return nextMs === undefined ? { kind: "done" } : { kind: "again", afterMs: nextMs - clock.now() };
}

async function write(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus, { client }: ControllerContext): Promise<void> {
  if (deepEqual(status, budget.status)) return;
  await client.update(podDisruptionBudgets, { ...budget, status } as PodDisruptionBudget, { subresource: "status" });
}

interface Expected {
  readonly pods: number;
  readonly desiredHealthy: number;
  /** Pods without a controller, where the number of its replicas is asked for. */
  readonly unmanaged: readonly Pod[];
}

/** How many pods there should be, and how many of them healthy (`getExpectedPodCount`). */
function expectedPods({ spec }: PodDisruptionBudget, selected: readonly Pod[], view: ClusterView): Expected {
  const { maxUnavailable, minAvailable } = spec ?? {};
  if (maxUnavailable !== undefined) {
    const { count, unmanaged } = expectedScale(selected, view);
    return { pods: count, desiredHealthy: Math.max(0, count - scaledIntOrPercent(maxUnavailable, count, "up")), unmanaged };
  }
  if (typeof minAvailable === "string") {
    const { count, unmanaged } = expectedScale(selected, view);
    return { pods: count, desiredHealthy: scaledIntOrPercent(minAvailable, count, "up"), unmanaged };
  }
  return { pods: selected.length, desiredHealthy: minAvailable ?? 0, unmanaged: [] };
}

/** The replicas of all controllers of these pods together. A replica set of a deployment counts as the deployment. */
function expectedScale(selected: readonly Pod[], view: ClusterView): { count: number; unmanaged: Pod[] } {
  const scales = new Map<string, number>();
  const unmanaged: Pod[] = [];
  for (const pod of selected) {
    const reference = controllerOf(pod);
    if (!reference) unmanaged.push(pod);
    if (!reference || scales.has(reference.uid)) continue;
    const { namespace = "", name } = pod.metadata;
    const direct = findOwner(reference, namespace, view);
    const above = direct && controllerOf(direct.object);
    const owner = above?.kind === "Deployment" ? (findOwner(above, namespace, view) ?? direct) : direct;
    const replicas = (owner?.object as { spec?: { replicas?: number } } | undefined)?.spec?.replicas;
    if (owner === undefined || replicas === undefined) throw new Error(`found no controllers for pod "${name}"`);
    scales.set(owner.object.metadata.uid ?? reference.uid, replicas);
  }
  return { count: [...scales.values()].reduce((sum, replicas) => sum + replicas, 0), unmanaged };
}

function findOwner(
  reference: { apiVersion: string; kind: string; name: string; uid: string },
  namespace: string,
  view: ClusterView,
): StoredObject | undefined {
  const resource = resourceOfKind(view, reference.apiVersion, reference.kind);
  const stored = resource && view.get(resource, namespace, reference.name);
  return stored?.object.metadata.uid === reference.uid ? stored : undefined;
}

/** Evictions that were allowed and have not shown yet, and when the first of them counts as failed. */
function pendingDisruptions(
  budget: PodDisruptionBudget,
  selected: readonly Pod[],
  nowMs: number,
  events: Pick<EventRecorder, "event">,
): { disruptedPods: Record<string, string>; nextMs: number | undefined } {
  const disruptedPods: Record<string, string> = {};
  let nextMs: number | undefined;
  for (const pod of selected) {
    const { name = "", deletionTimestamp } = pod.metadata;
    const time = budget.status?.disruptedPods?.[name];
    if (time === undefined || deletionTimestamp !== undefined) continue;
    const endMs = (parseTime(time) ?? 0) + deletionTimeoutMs;
    if (endMs <= nowMs) events.event(pod, "Warning", "NotDeleted", "Pod was expected by PDB to be deleted but it wasn't");
    else {
      disruptedPods[name] = time;
      nextMs = nextMs === undefined ? endMs : Math.min(nextMs, endMs);
    }
  }
  return { disruptedPods, nextMs };
}

function zeroStatus({ status, metadata }: PodDisruptionBudget): PodDisruptionBudgetStatus {
  const known = status ?? { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, disruptionsAllowed: 0 };
  return { ...known, observedGeneration: metadata.generation ?? 0 };
}

function conditionsOf(
  { status: known, metadata }: PodDisruptionBudget,
  status: string,
  reason: string,
  message: string,
  nowMs: number,
): Condition[] {
  const conditions = known?.conditions ?? [];
  const before = conditions.find(({ type }) => type === "DisruptionAllowed");
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : formatTime(nowMs);
  const others = conditions.filter(({ type }) => type !== "DisruptionAllowed");
  return [
    ...others,
    { type: "DisruptionAllowed", status, reason, message, lastTransitionTime, observedGeneration: metadata.generation ?? 0 },
  ];
}
