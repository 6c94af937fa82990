import { cloneJson } from "../../../kubernetes/clone.ts";
import { convert } from "../../../kubernetes/conversion.ts";
import type { KubernetesObject } from "../../../kubernetes/object.ts";
import { apiVersionOf, type ResourceDefinition } from "../../../kubernetes/resources.ts";
import { scaleOf, withReplicas } from "../../../kubernetes/scale.ts";
import type { Scale } from "../../../kubernetes/types.ts";
import { readCustom } from "../../custom-reading.ts";
import type { AdmissionAttributes } from "../attributes.ts";

/** A copy of a request's object as a client of `resource` would see it: in its version, and as a Scale where that is what is written. */
export function shownAs(
  { definition, subresource }: AdmissionAttributes,
  resource: ResourceDefinition,
  object: KubernetesObject | undefined,
): KubernetesObject | undefined {
  if (!object) return undefined;
  if (subresource === "scale") return scaleOf(definition, object) as KubernetesObject;
  const copy = cloneJson(object);
  const { apiVersion = apiVersionOf(definition) } = object;
  // Below a resource stands an object of another kind, which has the one version.
  const isOwn = object.kind === undefined || object.kind === definition.kind;
  if (!isOwn || apiVersion === apiVersionOf(resource)) return copy;
  return resource.custom ? readCustom(resource, copy) : convert(copy, apiVersion, resource);
}

/** Back into what is stored. */
export function storedFrom(
  { definition, subresource, object }: AdmissionAttributes,
  resource: ResourceDefinition,
  shown: KubernetesObject,
): KubernetesObject {
  if (subresource === "scale") return object ? withReplicas(definition, object, (shown as Scale).spec?.replicas ?? 0) : shown;
  if (resource.version === definition.version && resource.group === definition.group) return shown;
  return convert(shown, apiVersionOf(resource), definition);
}
