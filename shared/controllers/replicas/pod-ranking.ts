import type { Pod } from "../../kubernetes/types.ts";
import { isPodActive, isPodReady, podCondition } from "../pod-state.ts";
import { parseTime } from "../timestamp.ts";

const deletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost";
const phaseOrder: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * The pods to delete first, `count` of them (`controller.ActivePodsWithRanks`): not assigned before assigned, pending before unknown
 * before running, not ready before ready, lower deletion cost, more related pods on the same node, ready for a shorter time, more
 * restarts, younger. Times are compared by magnitude (logarithmic scale down), so that among pods of about one age the uid decides.
 * `related` are the pods that should spread with these: those of all replica sets of one deployment.
 */
export function podsToDelete(pods: readonly Pod[], related: readonly Pod[], count: number, nowMs: number): Pod[] {
  if (count >= pods.length) return [...pods];
  const perNode = new Map<string, number>();
  for (const pod of related) {
    if (!isPodActive(pod)) continue;
    const node = pod.spec?.nodeName ?? "";
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const ranked = pods.map((pod) => rank(pod, perNode.get(pod.spec?.nodeName ?? "") ?? 0));
  return ranked
    .sort((a, b) => compareRanks(a, b, nowMs))
    .slice(0, count)
    .map(({ pod }) => pod);
}

/**
 * The pods of a job to delete first (`controller.ActivePods`): ranked alike, but by exact times, and neither by deletion cost nor by node.
 * The last of the answer would be the last to go.
 */
export function rankedPods(pods: readonly Pod[]): Pod[] {
  const ranked = pods.map((pod) => ({ ...rank(pod, 0), cost: 0 }));
  return ranked.sort((a, b) => compareRanks(a, b, undefined)).map(({ pod }) => pod);
}

interface Rank {
  readonly pod: Pod;
  readonly assigned: boolean;
  readonly phase: number;
  readonly ready: boolean;
  readonly cost: number;
  readonly onSameNode: number;
  readonly readySinceMs: number | undefined;
  readonly restarts: number;
  readonly sidecarRestarts: number;
  readonly createdMs: number | undefined;
}

function rank(pod: Pod, onSameNode: number): Rank {
  const restarts = restartsOf(pod);
  return {
    pod,
    assigned: (pod.spec?.nodeName ?? "") !== "",
    phase: phaseOrder[pod.status?.phase ?? ""] ?? 0,
    ready: isPodReady(pod),
    cost: deletionCost(pod),
    onSameNode,
    readySinceMs: parseTime(podCondition(pod, "Ready")?.lastTransitionTime),
    restarts: restarts.regular,
    sidecarRestarts: restarts.sidecar,
    createdMs: parseTime(pod.metadata.creationTimestamp),
  };
}

/** Without `nowMs` times are compared as they are. */
function compareRanks(a: Rank, b: Rank, nowMs: number | undefined): number {
  if (a.assigned !== b.assigned) return a.assigned ? 1 : -1;
  if (a.phase !== b.phase) return a.phase - b.phase;
  if (a.ready !== b.ready) return a.ready ? 1 : -1;
  if (a.cost !== b.cost) return a.cost - b.cost;
  if (a.onSameNode !== b.onSameNode) return b.onSameNode - a.onSameNode;
  if (a.ready && a.readySinceMs !== b.readySinceMs) return compareAges(a.readySinceMs, b.readySinceMs, nowMs) || compareUids(a.pod, b.pod);
  if (a.restarts !== b.restarts) return b.restarts - a.restarts;
  if (a.sidecarRestarts !== b.sidecarRestarts) return b.sidecarRestarts - a.sidecarRestarts;
  if (a.createdMs !== b.createdMs) return compareAges(a.createdMs, b.createdMs, nowMs) || compareUids(a.pod, b.pod);
  return 0;
}

function compareUids(a: Pod, b: Pod): number {
  const [first = "", second = ""] = [a.metadata.uid, b.metadata.uid];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** Unknown first, then the shorter time, by orders of magnitude where it is told from when. */
function compareAges(aMs: number | undefined, bMs: number | undefined, nowMs: number | undefined): number {
  if (aMs === undefined) return -1;
  if (bMs === undefined) return 1;
  return nowMs === undefined ? bMs - aMs : magnitude(aMs, nowMs) - magnitude(bMs, nowMs);
}

/** The binary logarithm of how long ago it was, in nanoseconds; -1 for the future. */
function magnitude(sinceMs: number, nowMs: number): number {
  return nowMs > sinceMs ? Math.floor(Math.log2((nowMs - sinceMs) * 1e6)) : -1;
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[deletionCostAnnotation] ?? "";
  return /^(0|-?[1-9][0-9]{0,9})$/.test(text) ? Number(text) : 0;
}

function restartsOf(pod: Pod): { regular: number; sidecar: number } {
  const sidecars = new Set(pod.spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === "Always").map(({ name }) => name));
  const most = (counts: number[]): number => counts.reduce((high, count) => Math.max(high, count), 0);
  return {
    regular: most((pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount)),
    sidecar: most(
      (pod.status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name)).map(({ restartCount }) => restartCount),
    ),
  };
}
