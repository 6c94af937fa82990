import type { Pod } from "../../kubernetes/types.ts";
import type { ObjectReference } from "./protocol.ts";

/**
 * The ConfigMaps and Secrets that a pod names, each once. These and no others may its node read
 * (as the node authorizer of Kubernetes decides by its graph).
 */
export function podReferences(pod: Pod): ObjectReference[] {
  const namespace = pod.metadata.namespace ?? "";
  const found = new Map<string, ObjectReference>();
  const add = (resource: "configmaps" | "secrets", name: string | undefined): void => {
    if (name !== undefined && name !== "") found.set(`${resource}/${name}`, { resource, namespace, name });
  };
  for (const secret of pod.spec?.imagePullSecrets ?? []) add("secrets", secret.name);
  for (const volume of pod.spec?.volumes ?? []) {
    add("configmaps", volume.configMap?.name);
    add("secrets", volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add("configmaps", source.configMap?.name);
      add("secrets", source.secret?.name);
    }
  }
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? []), ...(pod.spec?.ephemeralContainers ?? [])];
  for (const container of containers) {
    for (const { valueFrom } of container.env ?? []) {
      add("configmaps", valueFrom?.configMapKeyRef?.name);
      add("secrets", valueFrom?.secretKeyRef?.name);
    }
    for (const source of container.envFrom ?? []) {
      add("configmaps", source.configMapRef?.name);
      add("secrets", source.secretRef?.name);
    }
  }
  return [...found.values()];
}

export function referenceKey({ resource, namespace, name }: ObjectReference): string {
  return `${resource}/${namespace}/${name}`;
}
