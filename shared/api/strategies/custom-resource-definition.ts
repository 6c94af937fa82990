import { cleanupFinalizer } from "../../kubernetes/custom/cleanup-finalizer.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { CustomResourceDefinition } from "../../kubernetes/types.ts";
import type { Strategy } from "../strategy.ts";

export const definitionStrategy = (counted: Strategy): Strategy => ({
  ...counted,
  prepareCreate(object) {
    // What is stored is stored in the storage version; names and conditions are a controller's to set.
    const definition: KubernetesObject = object;
    const storedVersions = ((definition as CustomResourceDefinition).spec?.versions ?? [])
      .filter(({ storage }) => storage)
      .map(({ name }) => name);
    object.status = { ...object.status, storedVersions };
  },
  prepareUpdate(next) {
    const definition = next as KubernetesObject as CustomResourceDefinition;
    const stored = definition.status?.storedVersions ?? [];
    const missing = (definition.spec.versions ?? [])
      .filter(({ storage, name }) => storage && !stored.includes(name))
      .map(({ name }) => name);
    if (missing.length > 0) next.status = { ...next.status, storedVersions: [...stored, ...missing] };
  },
  prepareDeletion(next, timeIso) {
    const { metadata } = next;
    if (metadata.finalizers?.includes(cleanupFinalizer)) return;
    metadata.finalizers = [...(metadata.finalizers ?? []), cleanupFinalizer];
    const condition = {
      type: "Terminating",
      status: "True",
      lastTransitionTime: timeIso,
      reason: "InstanceDeletionPending",
      message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    };
    const conditions = (next as KubernetesObject as CustomResourceDefinition).status?.conditions ?? [];
    next.status = { ...next.status, conditions: [...conditions.filter(({ type }) => type !== condition.type), condition] };
  },
  resetFields: { status: [["metadata"], ["spec"]] },
});
