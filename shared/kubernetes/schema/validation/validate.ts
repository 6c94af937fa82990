import type { KubernetesObject } from "../../object.ts";
import type { StatusCause } from "../../status-error.ts";
import type { JsonObject } from "../schema-node.ts";
import type { KindRules } from "./kind-rules.ts";
import { validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.ts";

/** What is wrong with a new object: its metadata first, then what its kind demands. */
export function validateNew(rules: KindRules, object: JsonObject): StatusCause[] {
  const metadata = validateObjectMeta(metadataOf(object), rules.namespaced, rules.name);
  return [...metadata, ...(rules.create?.(object) ?? [])];
}

/**
 * What is wrong with a new state of an object. Metadata problems are named twice, as kube-apiserver does: once by the generic registry and
 * once by the kind's strategy (`rest.BeforeUpdate`).
 */
export function validateNext(rules: KindRules, next: JsonObject, live: JsonObject, subresource?: "status"): StatusCause[] {
  const metadata = validateObjectMetaUpdate(metadataOf(next), metadataOf(live));
  const specific = subresource === "status" ? rules.status?.(next, live) : (rules.update?.(next, live) ?? rules.create?.(next));
  return [...metadata, ...metadata, ...(specific ?? [])];
}

function metadataOf(object: JsonObject): KubernetesObject["metadata"] {
  return (object.metadata ?? {}) as KubernetesObject["metadata"];
}
