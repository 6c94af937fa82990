import { scaledIntOrPercent } from "../../kubernetes/int-or-string.ts";
import type { DaemonSet, Pod } from "../../kubernetes/types.ts";
import { isPodReady } from "../pod-state.ts";
import { byAge, type DaemonState, hashLabel, isAvailable, isTerminating } from "./daemon-pods.ts";

/** Nodes that get a pod, and pods that go. */
export interface DaemonPlan {
  readonly create: string[];
  readonly delete: Pod[];
}

/** A pod that has failed or succeeded although daemons run forever: it is replaced. */
export interface EndedPod {
  readonly nodeName: string;
  readonly pod: Pod;
}

/** How many pods may be there beyond one a node while a rolling update goes on, of so many nodes; 0: none (`SurgeCount`). */
export function maxSurge({ spec }: DaemonSet, nodes: number): number {
  const { type, rollingUpdate } = spec?.updateStrategy ?? {};
  return type === "RollingUpdate" ? scaledIntOrPercent(rollingUpdate?.maxSurge ?? 0, nodes, "up") : 0;
}

/** One pod on each node where one belongs, whatever its revision (`manage`). Pods that have ended come apart: failures are answered with patience. */
export function planNodes(state: DaemonState): DaemonPlan & { readonly ended: EndedPod[] } {
  const plan = { create: [] as string[], delete: [] as Pod[], ended: [] as EndedPod[] };
  const surges = maxSurge(state.set, 1) > 0;
  for (const [nodeName, placement] of state.placements) {
    const pods = state.podsByNode.get(nodeName);
    const alive = (pods ?? []).filter((pod) => !isTerminating(pod));
    if (placement === "leave") {
      plan.delete.push(...alive);
      continue;
    }
    const hasEnded = ({ status }: Pod): boolean => status?.phase === "Failed" || status?.phase === "Succeeded";
    for (const pod of alive.filter(hasEnded)) plan.ended.push({ nodeName, pod });
    const running = alive.filter((pod) => !hasEnded(pod)).sort(byAge);
    if (placement === "run" && (pods === undefined || (surges && running.length === 0))) plan.create.push(nodeName);
    plan.delete.push(...(surges ? surplusOfSurge(state, running) : running.slice(1)));
  }
  for (const [nodeName, pods] of state.podsByNode)
    if (!state.placements.has(nodeName)) plan.delete.push(...pods.filter(({ spec }) => !spec?.nodeName));
  return plan;
}

/**
 * With surge a node may have two pods while the new one is not available and the old one is ready; else the old one goes, and whatever
 * is beyond the oldest of each.
 */
function surplusOfSurge(state: DaemonState, running: readonly Pod[]): Pod[] {
  if (running.length < 2) return [];
  const isNew = ({ metadata }: Pod): boolean => metadata.labels?.[hashLabel] === state.hash;
  const newPod = running.find(isNew);
  const oldPod = running.find((pod) => !isNew(pod));
  const surplus = running.filter((pod) => pod !== newPod && pod !== oldPod);
  if (newPod && oldPod && (!isPodReady(oldPod) || isAvailable(state, newPod))) surplus.push(oldPod);
  return surplus;
}
