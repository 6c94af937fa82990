import { customScaleOf, withCustomReplicas } from "./custom/scale.ts";
import { formatLabelSelector, requirementsOf } from "./label-selector.ts";
import type { ReplicasPaths } from "./managed-fields/scale-managers.ts";
import type { KubernetesObject } from "./object.ts";
import { apiVersionOf, type ResourceDefinition } from "./resources.ts";
import type { LabelSelector, Scale } from "./types.ts";

/** What the four scalable kinds have in common. */
interface Scalable extends KubernetesObject {
  spec?: { replicas?: number; selector?: LabelSelector | Readonly<Record<string, string>> };
  status?: { replicas?: number };
}

/**
 * The `Scale` of a ReplicationController, ReplicaSet, Deployment or StatefulSet, or of a custom object that has one. Its metadata names the object itself: name,
 * namespace, uid, resourceVersion and creationTimestamp.
 */
export function scaleOf(resource: ResourceDefinition, object: KubernetesObject): Scale {
  if (resource.custom?.scale) return customScaleOf(resource.custom.scale, object);
  const { spec, status } = object as Scalable;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = formatLabelSelector(
    requirementsOf(resource.collection === "replicationcontrollers" ? { matchLabels: labelsOf(spec) } : selectorOf(spec)),
  );
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: {
      ...(name !== undefined && { name }),
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
    },
    spec: { ...(spec?.replicas && { replicas: spec.replicas }) },
    status: { replicas: status?.replicas ?? 0, ...(selector !== "" && { selector }) },
  };
}

/** A copy of the object that wants this many replicas; the rest is shared with `object`. */
export function withReplicas({ custom }: ResourceDefinition, object: KubernetesObject, replicas: number): KubernetesObject {
  if (custom?.scale) return withCustomReplicas(custom.scale, object, replicas);
  const { spec } = object as Scalable;
  return Object.assign({}, object, { spec: { ...spec, replicas } });
}

function labelsOf(spec: Scalable["spec"]): Record<string, string> {
  return { ...(spec?.selector as Readonly<Record<string, string>> | undefined) };
}

function selectorOf(spec: Scalable["spec"]): LabelSelector {
  return { ...(spec?.selector as LabelSelector | undefined) };
}

/** Where an object says how many it wants, by each version of its kind. */
export const replicasPathsOf = (definition: ResourceDefinition): ReplicasPaths =>
  definition.custom?.replicasPaths ?? { [apiVersionOf(definition)]: ["spec", "replicas"] };
