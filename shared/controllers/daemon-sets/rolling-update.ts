import { scaledIntOrPercent } from "../../kubernetes/int-or-string.ts";
import type { DaemonSet, Pod } from "../../kubernetes/types.ts";
import { type DaemonState, isAvailable, isTerminating, isUpdated } from "./daemon-pods.ts";
import { type DaemonPlan, maxSurge } from "./plan.ts";

/** The old and the new pod of a node. `crowded`: there are more, which `planNodes` sees to. */
type NodePods = { readonly kind: "crowded" } | { readonly kind: "pods"; readonly newPod?: Pod; readonly oldPod?: Pod };

/**
 * One step of a rolling update (`rollingUpdate`), to be planned when `planNodes` has nothing left to do. Without surge old pods go, as many
 * as may be unavailable, and those that are not available anyway; with surge a node gets its new pod first, and the old one goes when that
 * is available. Nodes are taken in their order, so that a look at what is no longer quite so takes the same pods.
 */
export function planRollingUpdate(state: DaemonState): DaemonPlan {
  const wanted = [...state.placements].filter(([, placement]) => placement === "run").map(([nodeName]) => nodeName);
  const nodes = new Map(wanted.map((nodeName) => [nodeName, nodePods(state, [])]));
  for (const [nodeName, pods] of state.podsByNode) nodes.set(nodeName, nodePods(state, pods));
  const surge = maxSurge(state.set, wanted.length);
  return surge > 0
    ? surgeOver(state, nodes, surge, wanted.length)
    : { create: [], delete: replaceable(state, nodes, maxUnavailable(state.set, wanted.length)) };
}

/** At least one, or nothing would ever move. */
function maxUnavailable({ spec }: DaemonSet, nodes: number): number {
  return Math.max(1, scaledIntOrPercent(spec?.updateStrategy?.rollingUpdate?.maxUnavailable ?? 0, nodes, "up"));
}

function nodePods(state: DaemonState, pods: readonly Pod[]): NodePods {
  const alive = pods.filter((pod) => !isTerminating(pod));
  const [newPod, ...moreNew] = alive.filter((pod) => isUpdated(state, pod));
  const [oldPod, ...moreOld] = alive.filter((pod) => !isUpdated(state, pod));
  if (moreNew.length + moreOld.length > 0) return { kind: "crowded" };
  return { kind: "pods", ...(newPod && { newPod }), ...(oldPod && { oldPod }) };
}

function replaceable(state: DaemonState, nodes: ReadonlyMap<string, NodePods>, mayBeUnavailable: number): Pod[] {
  let unavailable = 0;
  const broken: Pod[] = [];
  const candidates: Pod[] = [];
  for (const pods of nodes.values()) {
    const only = pods.kind === "crowded" || (pods.newPod && pods.oldPod) ? undefined : (pods.newPod ?? pods.oldPod);
    if (!only || !isAvailable(state, only)) unavailable++;
    if (only === undefined || isUpdated(state, only)) continue;
    if (isAvailable(state, only)) candidates.push(only);
    else broken.push(only);
  }
  return [...broken, ...candidates.slice(0, Math.max(0, mayBeUnavailable - unavailable))];
}

function surgeOver(state: DaemonState, nodes: ReadonlyMap<string, NodePods>, surge: number, desired: number): DaemonPlan {
  const plan = { create: [] as string[], delete: [] as Pod[] };
  const candidates: string[] = [];
  const misplaced: Pod[] = [];
  let [surging, available] = [0, 0];
  for (const [nodeName, pods] of nodes) {
    if (pods.kind === "crowded") {
      surging++;
      continue;
    }
    const { newPod, oldPod } = pods;
    const counted = oldPod ?? newPod;
    if (counted && isAvailable(state, counted)) available++;
    if (!oldPod) continue;
    if (newPod) {
      if (isAvailable(state, newPod)) plan.delete.push(oldPod);
      else surging++;
    } else if (state.placements.get(nodeName) !== "run") {
      (isAvailable(state, oldPod) ? misplaced : plan.delete).push(oldPod);
    } else (isAvailable(state, oldPod) ? candidates : plan.create).push(nodeName);
  }
  // What moves from one node to another goes only when as many as are wanted are available elsewhere.
  plan.delete.push(...misplaced.slice(0, Math.max(0, available - desired)));
  plan.create.push(...candidates.slice(0, Math.max(0, surge - surging)));
  return plan;
}
