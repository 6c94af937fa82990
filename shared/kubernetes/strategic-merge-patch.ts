import type { PatchSchema } from "./patch-schema.ts";
import { goTypeOf } from "./schema/go-text.ts";
import { isJsonObject, type JsonObject } from "./schema/schema-node.ts";
import { StatusError, UnexplainedError } from "./status-error.ts";
import { checkElementOrder, deleteScalars, mergeLists, orderElements } from "./strategic-merge-list.ts";
import { plainElements, plainObject, plainValue, unknownPatchType } from "./strategic-merge-value.ts";

const deletePrefix = "$deleteFromPrimitiveList";
const orderPrefix = "$setElementOrder";

/**
 * A strategic merge patch applied to a document: objects are merged, lists are replaced or merged by their key as the schema says, and
 * the directives `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/…` and `$setElementOrder/…` are obeyed (apimachinery `strategicpatch`).
 * Neither argument is changed; the answer shares with both what it takes from them.
 * @throws StatusError `BadRequest`, `Invalid` or, where kube-apiserver does so too, `InternalError`, for a patch that makes no sense.
 */
export function applyStrategicMergePatch(original: unknown, patch: unknown, schema: PatchSchema | undefined): JsonObject {
  if (!isJsonObject(original) || !isJsonObject(patch)) throw new StatusError("BadRequest", "invalid JSON document");
  return mergeObjects(original, patch, schema);
}

function mergeObjects(original: JsonObject, patch: JsonObject, schema: PatchSchema | undefined): JsonObject {
  if ("$patch" in patch) return obeyDirective(patch);
  const merged = { ...original };
  retainKeys(merged, patch);
  const ordered = mergeOrderedLists(merged, patch, schema);
  for (const name of Object.keys(patch)) {
    if (name === "$retainKeys" || name.startsWith(orderPrefix) || ordered.has(name)) continue;
    if (name === "__proto__") throw new StatusError("BadRequest", 'invalid patch: "__proto__" cannot be set');
    if (name.startsWith(deletePrefix)) deleteFromList(merged, listNameOf(name, deletePrefix, patch[name]), patch[name]);
    else mergeProperty(merged, name, patch[name], schema);
  }
  return merged;
}

function mergeProperty(merged: JsonObject, name: string, value: unknown, schema: PatchSchema | undefined): void {
  if (value === null || value === undefined) {
    delete merged[name];
    return;
  }
  const held = Object.hasOwn(merged, name) ? merged[name] : undefined;
  const property = schema?.property(name);
  if (isJsonObject(held) && isJsonObject(value)) {
    merged[name] = property?.strategies.includes("replace") ? value : mergeObjects(held, value, property);
  } else if (Array.isArray(held) && Array.isArray(value)) {
    merged[name] = property?.strategies.includes("merge") ? mergeLists(held, value, property, mergeObjects) : value;
  } else {
    const plain = plainValue(value);
    if (plain === undefined) delete merged[name];
    else merged[name] = plain;
  }
}

function obeyDirective(patch: JsonObject): JsonObject {
  const { $patch: directive, ...rest } = patch;
  if (directive === "replace") return plainObject(rest);
  if (directive === "delete") return {};
  throw unknownPatchType(directive, patch);
}

/** `$retainKeys` lists the fields that stay; the patch may set no others. */
function retainKeys(merged: JsonObject, patch: JsonObject): void {
  if (!("$retainKeys" in patch)) return;
  const retained = patch.$retainKeys;
  if (!Array.isArray(retained)) throw badFormat("retainKeys");
  const names = new Set<unknown>(retained);
  for (const name of Object.keys(patch)) {
    const directive = name === "$retainKeys" || name.startsWith(deletePrefix) || name.startsWith(orderPrefix);
    if (!directive && patch[name] !== null && !names.has(name)) throw badFormat("retainKeys");
  }
  for (const name of Object.keys(merged)) if (!names.has(name)) delete merged[name];
}

/** Merges each list that has a `$setElementOrder` and puts it in that order. Answers the names of the lists it has dealt with. */
function mergeOrderedLists(merged: JsonObject, patch: JsonObject, schema: PatchSchema | undefined): ReadonlySet<string> {
  const done = new Set<string>();
  for (const directive of Object.keys(patch)) {
    if (!directive.startsWith(orderPrefix)) continue;
    const name = listNameOf(directive, orderPrefix, patch[directive]);
    const order = listOrRefuse(patch[directive]);
    const held = Object.hasOwn(merged, name) ? listOrRefuse(merged[name]) : undefined;
    const given = Object.hasOwn(patch, name) ? listOrRefuse(patch[name]) : undefined;
    const property = schema?.property(name);
    const mergeKey = property?.mergeKey === "" ? undefined : property?.mergeKey;
    checkElementOrder(given ?? [], order, mergeKey);
    done.add(name);
    if (held === undefined && given === undefined) continue;
    merged[name] = orderElements(mergedList(held, given, property), order, held ?? [], mergeKey);
  }
  return done;
}

function mergedList(held: unknown[] | undefined, given: unknown[] | undefined, property: PatchSchema | undefined): unknown[] {
  if (given === undefined) return held ?? [];
  if (held === undefined) return plainElements(given);
  return property?.strategies.includes("merge") ? mergeLists(held, given, property, mergeObjects) : given;
}

function deleteFromList(merged: JsonObject, name: string, deleted: unknown): void {
  if (deleted === null) {
    delete merged[name];
    return;
  }
  const held = merged[name];
  if (Array.isArray(held) && Array.isArray(deleted)) merged[name] = deleteScalars(held, deleted);
}

function listNameOf(directive: string, prefix: string, value: unknown): string {
  if (directive === orderPrefix && !Array.isArray(value))
    throw new UnexplainedError(`expected a []interface {}, but received a ${goTypeOf(value)}`);
  if (!directive.startsWith(`${prefix}/`)) throw badFormat(prefix === orderPrefix ? "setElementOrder list" : "primitive list");
  return directive.slice(prefix.length + 1);
}

function listOrRefuse(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw badFormat("setElementOrder list");
}

function badFormat(of: string): StatusError {
  return new StatusError("BadRequest", `invalid patch format of ${of}`);
}
