import { cloneJson } from "../../../kubernetes/clone.ts";
import { convert } from "../../../kubernetes/conversion.ts";
import type { VersionConversion } from "../../../kubernetes/custom/definitions.ts";
import type { KubernetesObject } from "../../../kubernetes/object.ts";
import { oncePer } from "../../../kubernetes/once-per.ts";
import { apiVersionOf, type ResourceDefinition } from "../../../kubernetes/resources.ts";
import { scaleOf, withReplicas } from "../../../kubernetes/scale.ts";
import type { Scale } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { convertObjects } from "../../conversion/convert-objects.ts";
import { readCustom } from "../../custom-reading.ts";
import type { AdmissionAttributes } from "../attributes.ts";

/** The request with its objects in the version of `resource`, where that takes a webhook of the definition; else as it is. @throws UnexplainedError */
export async function inVersionOf(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  resource: ResourceDefinition,
): Promise<AdmissionAttributes> {
  const { conversion } = resource.custom ?? {};
  if (!conversion || attributes.subresource === "scale" || resource.version === attributes.definition.version) return attributes;
  const convert = (one: KubernetesObject): Promise<KubernetesObject> =>
    convertOnce(cluster, attributes, conversion, one, apiVersionOf(resource));
  if (attributes.operation === "CONNECT") return attributes;
  if (attributes.operation === "DELETE") return { ...attributes, oldObject: await convert(attributes.oldObject) };
  if (attributes.operation === "CREATE") return { ...attributes, object: await convert(attributes.object) };
  return { ...attributes, object: await convert(attributes.object), oldObject: await convert(attributes.oldObject) };
}

/** What the webhooks of definitions made of the objects of a write. It goes with the write: a request may delete a whole collection. */
const conversionsOf = oncePer((_write: AdmissionAttributes) => new Map<string, Promise<KubernetesObject>>());

/**
 * However many policies and webhooks look at an object of a write in a version, its definition's webhook is asked once (apiserver's
 * `VersionedAttributeAccessor`); and again where the object has changed since, which is worked on in place.
 */
async function convertOnce(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  conversion: VersionConversion,
  object: KubernetesObject,
  desired: string,
): Promise<KubernetesObject> {
  if (object.apiVersion === desired) return object;
  const conversions = conversionsOf(attributes);
  const asked = `${desired} ${JSON.stringify(object)}`;
  const known = conversions.get(asked);
  if (known) return known;
  const made = convertObjects(cluster, conversion, [object], desired).then(([converted]) => converted ?? object);
  conversions.set(asked, made);
  // Whoever waits for it hears of the failure; the next one asks anew.
  made.catch(() => conversions.delete(asked));
  return made;
}

/** A copy of a request's object as a client of `resource` would see it: in its version, and as a Scale where that is what is written. */
export function shownAs(
  { definition, operation, subresource }: AdmissionAttributes,
  resource: ResourceDefinition,
  object: KubernetesObject | undefined,
): KubernetesObject | undefined {
  if (!object) return undefined;
  if (operation === "CONNECT") {
    const { metadata: _, ...options } = object;
    return options as KubernetesObject;
  }
  if (subresource === "scale") return scaleOf(definition, object) as KubernetesObject;
  const copy = cloneJson(object);
  const { apiVersion = apiVersionOf(definition) } = object;
  // Below a resource stands an object of another kind, which has the one version.
  const isOwn = object.kind === undefined || object.kind === definition.kind;
  if (!isOwn || apiVersion === apiVersionOf(resource)) return copy;
  return resource.custom ? readCustom(resource, copy) : convert(copy, apiVersion, resource);
}

/** Back into the version that the request is worked on in. @throws UnexplainedError */
export async function storedFrom(
  cluster: ApiCluster,
  { definition, subresource, object }: AdmissionAttributes,
  resource: ResourceDefinition,
  shown: KubernetesObject,
): Promise<KubernetesObject> {
  if (subresource === "scale") return object ? withReplicas(definition, object, (shown as Scale).spec?.replicas ?? 0) : shown;
  if (resource.version === definition.version && resource.group === definition.group) return shown;
  const { conversion } = resource.custom ?? {};
  if (!conversion) return convert(shown, apiVersionOf(resource), definition);
  const [converted] = await convertObjects(cluster, conversion, [shown], apiVersionOf(definition));
  return converted ?? shown;
}
