import type { Taint, Toleration } from "../kubernetes/types.ts";

/** The first taint of effect NoSchedule or NoExecute that no toleration tolerates. */
export function untoleratedTaint(taints: readonly Taint[], tolerations: readonly Toleration[]): Taint | undefined {
  return taints.find((taint) => taint.effect !== "PreferNoSchedule" && !tolerations.some((toleration) => tolerates(toleration, taint)));
}

/** How many PreferNoSchedule taints speak against the node. */
export function countUntoleratedPreferences(taints: readonly Taint[], tolerations: readonly Toleration[]): number {
  let count = 0;
  for (const taint of taints) {
    if (taint.effect === "PreferNoSchedule" && !tolerations.some((toleration) => tolerates(toleration, taint))) count++;
  }
  return count;
}

/** `Toleration.ToleratesTaint` of k8s.io/api/core/v1: an empty effect or key matches every one. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === "Exists") return true;
  return (toleration.value ?? "") === (taint.value ?? "");
}
