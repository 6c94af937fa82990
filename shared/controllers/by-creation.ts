import type { KubernetesObject } from "../kubernetes/object.ts";

/** Ascending by creation, then by name. */
export function byCreation(a: KubernetesObject, b: KubernetesObject): number {
  return (
    compare(a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "") || compare(a.metadata.name ?? "", b.metadata.name ?? "")
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
