import { configMapNamesOf, secretNamesOf } from "../../kubernetes/pod-references.ts";
import type { Pod } from "../../kubernetes/types.ts";
import type { ObjectReference } from "./protocol.ts";

/**
 * The ConfigMaps and Secrets that a pod names, each once. These and no others may its node read
 * (as the node authorizer of Kubernetes decides by its graph).
 */
export function podReferences(pod: Pod): ObjectReference[] {
  const namespace = pod.metadata.namespace ?? "";
  return [
    ...[...secretNamesOf(pod)].map((name) => ({ resource: "secrets" as const, namespace, name })),
    ...[...configMapNamesOf(pod)].map((name) => ({ resource: "configmaps" as const, namespace, name })),
  ];
}

export function referenceKey({ resource, namespace, name }: ObjectReference): string {
  return `${resource}/${namespace}/${name}`;
}
