import type { KubernetesObject } from "../../object.ts";
import { findKind } from "../../resources.ts";
import type { StatusCause } from "../../status-error.ts";
import type { JsonObject } from "../schema-node.ts";
import { workloadEntries } from "./kind-entries.ts";
import type { KindRules } from "./kind-rules.ts";
import { objectEntries } from "./object-entries.ts";
import { validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.ts";

/** Finds the rules of built-in kinds: those of the version, else of every version, else only metadata is looked at. */
export function createRuleBook(): (group: string, version: string, kind: string) => KindRules {
  const entries = new Map([...workloadEntries, ...objectEntries]);
  return (group, version, kind) => {
    const resource = findKind(group === "" ? version : `${group}/${version}`, kind);
    const stored = resource?.verbs.has("get") === true;
    const own = entries.get(`${group}/${version}/${kind}`) ?? entries.get(`${group}/${kind}`);
    return { namespaced: resource?.namespaced ?? false, name: stored ? "dnsSubdomain" : undefined, ...own };
  };
}

/** What is wrong with a new object: its metadata first, then what its kind demands. */
export function validateNew(rules: KindRules, object: JsonObject): StatusCause[] {
  const metadata = rules.name === undefined ? [] : validateObjectMeta(metadataOf(object), rules.namespaced, rules.name);
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
