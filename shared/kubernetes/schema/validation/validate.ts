import { once } from "../../facts.ts";
import type { KubernetesObject } from "../../object.ts";
import { findKind } from "../../resources.ts";
import type { StatusCause } from "../../status-error.ts";
import type { JsonObject } from "../schema-node.ts";
import { batchEntries } from "./batch-entries.ts";
import { workloadEntries } from "./kind-entries.ts";
import type { JudgedSubresource, KindRules, UpdateStage } from "./kind-rules.ts";
import { objectEntries } from "./object-entries.ts";
import { checkFinalizersKnown, validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.ts";

/** Finds the rules of built-in kinds: those of the version, else of every version, else only metadata is looked at. */
export function createRuleBook(): (group: string, version: string, kind: string) => KindRules {
  const workloads = new Map(workloadEntries);
  const others = once(() => new Map([...batchEntries(), ...objectEntries()]));
  return (group, version, kind) => {
    const resource = findKind(group === "" ? version : `${group}/${version}`, kind);
    const stored = resource?.verbs.has("get") === true;
    const own = workloads.get(`${group}/${kind}`) ?? others().get(`${group}/${version}/${kind}`) ?? others().get(`${group}/${kind}`);
    return { namespaced: resource?.namespaced ?? false, name: stored ? "dnsSubdomain" : undefined, ...own };
  };
}

const defaultStages: readonly UpdateStage[] = ["metaUpdate", "update"];

/** What is wrong with a new object: its metadata first, then what its kind demands. */
export function validateNew(rules: KindRules, object: JsonObject): StatusCause[] {
  const generic = rules.name === undefined ? [] : validateObjectMeta(metadataOf(object), rules.namespaced, rules.name);
  const known = rules.name === undefined || rules.metadataLast === true ? [] : checkFinalizersKnown(metadataOf(object));
  const metadata = known.length === 0 ? generic : [...generic, ...known];
  const own = rules.create?.(object) ?? [];
  if (rules.metadataLast === true) return own.length > 0 ? own : metadata;
  return metadata.length === 0 ? own : [...metadata, ...own];
}

/**
 * What is wrong with a new state of an object. The generic registry looks at the metadata first, as of a new object and as of a changed
 * one (`rest.BeforeUpdate`); then the kind's strategy does what it does.
 */
export function validateNext(rules: KindRules, next: JsonObject, live: JsonObject, subresource?: JudgedSubresource): StatusCause[] {
  const changes = validateObjectMetaUpdate(metadataOf(next), metadataOf(live));
  const meta = rules.name === undefined ? [] : validateObjectMeta(metadataOf(next), rules.namespaced, "pathSegment");
  const causes = [...meta, ...changes];
  const strict = [...meta, ...checkFinalizersKnown(metadataOf(next))];
  if (subresource === "status") return [...causes, ...changes, ...(rules.status?.(next, live) ?? [])];
  if (subresource !== undefined) return [...causes, ...changes, ...strict, ...(rules[subresource]?.(next, live) ?? [])];
  for (const stage of rules.stages ?? defaultStages) {
    if (stage === "meta") causes.push(...strict);
    else if (stage === "metaUpdate") causes.push(...changes);
    else if (stage === "create") causes.push(...(rules.create?.(next) ?? []));
    else causes.push(...(rules.update?.(next, live) ?? rules.create?.(next) ?? []));
  }
  return causes;
}

function metadataOf(object: JsonObject): KubernetesObject["metadata"] {
  return (object.metadata ?? {}) as KubernetesObject["metadata"];
}
