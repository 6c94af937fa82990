import { deepEqual } from "../deep-equal.ts";
import { isJsonObject, type JsonObject } from "../schema/schema-node.ts";
import { fieldElement, itemElement } from "./field-element.ts";
import { emptySet, type FieldSet, isMember, leaf, makeNode, sortElements } from "./field-set.ts";
import type { FieldSchema } from "./schema-of.ts";

/** What one object has that another had not. `changed` are paths added or with another value, `removed` paths that are gone. */
export interface Comparison {
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

interface NodeComparison {
  changed: FieldSet | undefined;
  removed: FieldSet | undefined;
}

type Children = Record<string, FieldSet>;

const noChange: NodeComparison = { changed: undefined, removed: undefined };
const untracked: ReadonlySet<string> = new Set(["apiVersion", "kind"]);
/** What the server itself keeps in metadata belongs to no manager (apimachinery `stripMetaManager`). */
const untrackedMetadata: ReadonlySet<string> = new Set([
  "name",
  "namespace",
  "creationTimestamp",
  "selfLink",
  "uid",
  "clusterName",
  "generation",
  "managedFields",
  "resourceVersion",
]);
const nothing: ReadonlySet<string> = new Set();

/** Compares two whole objects of the API by structured-merge-diff's rules, leaving out what no manager owns. */
export function compareObjects(schema: FieldSchema | undefined, before: JsonObject, after: JsonObject): Comparison {
  const { changed, removed } = compareMaps(schema, before, after, untracked);
  return { changed: withoutMetadata(changed), removed: withoutMetadata(removed) };
}

/** Every path that a configuration sets (structured-merge-diff `ToFieldSet`), leaving out what no manager owns. */
export function fieldsOf(schema: FieldSchema | undefined, object: JsonObject): FieldSet {
  return withoutMetadata(makeNode(false, fieldsOfMap(schema, object, untracked)));
}

function withoutMetadata(set: FieldSet | undefined): FieldSet {
  const metadata = set?.["f:metadata"];
  if (set === undefined || metadata === undefined || !isMember(metadata)) return set ?? emptySet;
  const { "f:metadata": _, ...others } = set;
  const { ".": __, ...below } = metadata;
  const node = makeNode(false, below);
  return node === undefined ? others : (makeNode(false, { ...others, "f:metadata": node }) ?? emptySet);
}

function compareValues(schema: FieldSchema | undefined, before: unknown, after: unknown, skip: ReadonlySet<string>): NodeComparison {
  if (before === after) return noChange;
  if (before === undefined) return { changed: wholeOf(schema, after, skip), removed: undefined };
  if (after === undefined) return { changed: undefined, removed: wholeOf(schema, before, skip) };
  const type = typeOf(schema, after === null ? before : after);
  if (before !== null && typeOf(schema, before) !== type) return compareKinds(schema, before, after);
  if (!isGranular(type)) return compareLeaves(before, after);
  if (isEmptyValue(before) && isEmptyValue(after)) return compareLeaves(before, after);
  if (type === "struct" || type === "map") return compareMaps(schema, objectOr(before), objectOr(after), skip);
  return compareLists(schema, listOr(before), listOr(after));
}

/** A value that became one of another kind, which only undeclared ones can: what was below the old one is gone. */
function compareKinds(schema: FieldSchema | undefined, before: unknown, after: unknown): NodeComparison {
  const { ".": _, ...below } = wholeOf(schema, before, nothing);
  return { changed: wholeOf(schema, after, nothing), removed: makeNode(false, below) };
}

/** Everything in a value that was not there before, or is not any more: the value itself and all below it. */
function wholeOf(schema: FieldSchema | undefined, value: unknown, skip: ReadonlySet<string>): FieldSet {
  if (typeof value !== "object" || value === null) return leaf;
  const type = typeOf(schema, value);
  if (type === "struct" || type === "map") return wholeOfMap(schema, objectOr(value), skip);
  return schema !== undefined && isGranular(type) ? wholeOfList(schema, listOr(value)) : leaf;
}

function wholeOfMap(schema: FieldSchema | undefined, object: JsonObject, skip: ReadonlySet<string>): FieldSet {
  const children: Children = { ".": leaf };
  let previous = "";
  let sorted = true;
  let empty = true;
  for (const name of Object.keys(object)) {
    const value = object[name];
    if (value === undefined || skip.has(name)) continue;
    empty = false;
    children[schema?.elementOf(name) ?? fieldElement(name)] =
      typeof value === "object" && value !== null ? wholeOf(schema?.property(name), value, nothing) : leaf;
    sorted &&= previous <= name;
    previous = name;
  }
  if (empty) return leaf;
  return sorted ? children : sortElements(children);
}

function wholeOfList(schema: FieldSchema, list: readonly unknown[]): FieldSet {
  const children: Children = { ".": leaf };
  let count = 0;
  for (const item of list) {
    const element = itemElement(schema, item);
    if (element === undefined) continue;
    children[element] = children[element] === undefined ? wholeOf(schema.items, item, nothing) : leaf;
    count++;
  }
  if (count === 0) return leaf;
  return count === 1 ? children : sortElements(children);
}

function isGranular(type: FieldSchema["type"]): boolean {
  return type === "struct" || type === "map" || type === "list" || type === "set";
}

function compareLeaves(before: unknown, after: unknown): NodeComparison {
  return deepEqual(before, after) ? noChange : { changed: leaf, removed: undefined };
}

function compareMaps(schema: FieldSchema | undefined, before: JsonObject, after: JsonObject, skip: ReadonlySet<string>): NodeComparison {
  let changed: Children | undefined;
  let removed: Children | undefined;
  for (const name of Object.keys(after)) {
    const has = after[name];
    if (has === undefined || skip.has(name)) continue;
    const had = Object.hasOwn(before, name) ? before[name] : undefined;
    if (had === has) continue;
    const inner = skip === untracked && name === "metadata" ? untrackedMetadata : nothing;
    const found = compareValues(schema?.property(name), had, has, inner);
    if (found.changed !== undefined) {
      changed ??= {};
      changed[schema?.elementOf(name) ?? fieldElement(name)] = found.changed;
    }
    if (found.removed !== undefined) {
      removed ??= {};
      removed[schema?.elementOf(name) ?? fieldElement(name)] = found.removed;
    }
  }
  for (const name of Object.keys(before)) {
    const had = before[name];
    if (had === undefined || skip.has(name) || (Object.hasOwn(after, name) && after[name] !== undefined)) continue;
    removed ??= {};
    removed[schema?.elementOf(name) ?? fieldElement(name)] = wholeOf(
      schema?.property(name),
      had,
      skip === untracked && name === "metadata" ? untrackedMetadata : nothing,
    );
  }
  return { changed: makeNode(false, changed), removed: makeNode(false, removed) };
}

function compareLists(schema: FieldSchema | undefined, before: readonly unknown[], after: readonly unknown[]): NodeComparison {
  if (schema === undefined || deepEqual(before, after)) return noChange;
  const had = itemsByElement(schema, before);
  const has = itemsByElement(schema, after);
  const changed: Children = {};
  const removed: Children = {};
  for (const [element, items] of has) {
    const found = compareItems(schema.items, had.get(element), items);
    if (found.changed !== undefined) changed[element] = found.changed;
    if (found.removed !== undefined) removed[element] = found.removed;
  }
  for (const [element, items] of had) {
    if (!has.has(element)) removed[element] = items.length > 1 ? leaf : wholeOf(schema.items, items[0], nothing);
  }
  return { changed: makeNode(false, changed), removed: makeNode(false, removed) };
}

/** Elements with the same key, which only objects from before the key was declared can have, are compared as a whole. */
function compareItems(schema: FieldSchema | undefined, before: readonly unknown[] = [], after: readonly unknown[]): NodeComparison {
  if (before.length <= 1 && after.length <= 1) return compareValues(schema, before[0], after[0], nothing);
  return compareLeaves(before, after);
}

function itemsByElement(schema: FieldSchema, list: readonly unknown[]): Map<string, unknown[]> {
  const items = new Map<string, unknown[]>();
  for (const item of list) {
    const element = itemElement(schema, item);
    if (element === undefined) continue;
    const known = items.get(element);
    if (known === undefined) items.set(element, [item]);
    else known.push(item);
  }
  return items;
}

function fieldsOfMap(schema: FieldSchema | undefined, object: JsonObject, skip: ReadonlySet<string>): Children {
  const children: Children = {};
  for (const name of Object.keys(object)) {
    const value = object[name];
    if (value === undefined || skip.has(name)) continue;
    const inner = schema?.property(name);
    const ownItself =
      value === null || (isJsonObject(value) && Object.keys(value).length === 0) || schema?.type !== "struct" || inner === undefined;
    const node = fieldsOfValue(inner, value, ownItself, skip === untracked && name === "metadata" ? untrackedMetadata : nothing);
    if (node !== undefined) children[schema?.elementOf(name) ?? fieldElement(name)] = node;
  }
  return children;
}

function fieldsOfValue(
  schema: FieldSchema | undefined,
  value: unknown,
  ownItself: boolean,
  skip: ReadonlySet<string>,
): FieldSet | undefined {
  const type = typeOf(schema, value);
  if (type === "struct" || type === "map") return makeNode(ownItself, fieldsOfMap(schema, objectOr(value), skip));
  if (schema !== undefined && (type === "list" || type === "set")) return makeNode(ownItself, fieldsOfList(schema, listOr(value)));
  return leaf;
}

function fieldsOfList(schema: FieldSchema, list: readonly unknown[]): Children {
  const children: Children = {};
  for (const [element, items] of itemsByElement(schema, list)) {
    const node = items.length > 1 ? leaf : fieldsOfValue(schema.items, items[0], true, nothing);
    if (node !== undefined) children[element] = node;
  }
  return children;
}

/** Of a value without declared type, maps are granular and lists atomic. */
export function typeOf(schema: FieldSchema | undefined, value: unknown): FieldSchema["type"] {
  if (schema !== undefined && schema.type !== "deduced") return schema.type;
  if (isJsonObject(value)) return "map";
  return Array.isArray(value) ? "atomic" : "scalar";
}

function isEmptyValue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return !isJsonObject(value) || Object.keys(value).length === 0;
}

export function objectOr(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

export function listOr(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
