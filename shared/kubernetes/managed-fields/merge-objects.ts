import { isJsonObject, type JsonObject } from "../schema/schema-node.ts";
import { listOr, objectOr, typeOf } from "./compare-objects.ts";
import { fieldElement, itemElement } from "./field-element.ts";
import { type FieldSet, isEmptySet, isMember } from "./field-set.ts";
import type { FieldSchema } from "./schema-of.ts";

/**
 * An object with a configuration laid over it (structured-merge-diff `Merge`): nothing is removed, what both set is the configuration's,
 * elements of lists are matched by their keys. Neither argument is changed.
 */
export function mergeObjects(schema: FieldSchema | undefined, live: JsonObject, config: JsonObject): JsonObject {
  return mergeMaps(schema, live, config);
}

/** An object without what the set names. Of what is emptied a null stays, as of a Go value without content. */
export function removeFields(schema: FieldSchema | undefined, object: JsonObject, set: FieldSet): JsonObject {
  return objectOr(removeFromMap(schema, object, set));
}

function mergeValues(schema: FieldSchema | undefined, live: unknown, config: unknown): unknown {
  if (config === undefined) return live;
  const type = typeOf(schema, config === null ? live : config);
  const emptyConfig = config === null || isEmptyContainer(config);
  if (type === "struct" || type === "map") {
    if (emptyConfig && isEmptyContainer(live)) return config;
    return isJsonObject(live) || isJsonObject(config) ? mergeMaps(schema, objectOr(live), objectOr(config)) : config;
  }
  if (schema !== undefined && (type === "list" || type === "set")) {
    if (emptyConfig && isEmptyContainer(live)) return config;
    return mergeLists(schema, listOr(live), listOr(config));
  }
  return config;
}

function mergeMaps(schema: FieldSchema | undefined, live: JsonObject, config: JsonObject): JsonObject {
  const merged = { ...live };
  for (const name of Object.keys(config)) {
    merged[name] = mergeValues(schema?.property(name), Object.hasOwn(live, name) ? live[name] : undefined, config[name]);
  }
  return merged;
}

/**
 * The order of structured-merge-diff: shared elements stand in the configuration's order, elements of only one side keep their place among
 * their neighbours of that side, the live ones first.
 */
function mergeLists(schema: FieldSchema, live: readonly unknown[], config: readonly unknown[]): unknown[] {
  const ofLive = keyed(schema, live);
  const ofConfig = keyed(schema, config);
  const liveOrder = [...ofLive.keys()];
  const configOrder = [...ofConfig.keys()];
  const shared = configOrder.filter((element) => ofLive.has(element));
  const merged: unknown[] = [];
  const take = (element: string): void => {
    merged.push(mergeValues(schema.items, ofLive.get(element), ofConfig.get(element)));
  };
  let nextShared = 0;
  let l = 0;
  let c = 0;
  while (l < liveOrder.length || c < configOrder.length) {
    const liveElement = liveOrder[l];
    const configElement = configOrder[c];
    if (liveElement !== undefined && liveElement === configElement) {
      take(liveElement);
      l++;
      c++;
      nextShared++;
    } else if (
      liveElement !== undefined &&
      configElement !== undefined &&
      ofConfig.has(liveElement) &&
      liveElement !== shared[nextShared]
    ) {
      l++;
    } else if (liveElement !== undefined && !ofConfig.has(liveElement)) {
      take(liveElement);
      l++;
    } else if (configElement !== undefined) {
      take(configElement);
      c++;
      if (configElement === shared[nextShared]) nextShared++;
    } else {
      l++;
    }
  }
  return merged;
}

/** The first element of each key, in order. */
function keyed(schema: FieldSchema, list: readonly unknown[]): Map<string, unknown> {
  const items = new Map<string, unknown>();
  for (const item of list) {
    const element = itemElement(schema, item);
    if (element !== undefined && !items.has(element)) items.set(element, item);
  }
  return items;
}

function removeFrom(schema: FieldSchema | undefined, value: unknown, set: FieldSet): unknown {
  const type = typeOf(schema, value);
  if (type === "struct" || type === "map") return removeFromMap(schema, objectOr(value), set);
  if (schema !== undefined && (type === "list" || type === "set")) return removeFromList(schema, listOr(value), set);
  return type === "atomic" ? null : value;
}

function removeFromMap(schema: FieldSchema | undefined, object: JsonObject, set: FieldSet): JsonObject | null {
  const left: JsonObject = {};
  for (const name of Object.keys(object)) {
    const node = set[fieldElement(name)];
    if (node === undefined) left[name] = object[name];
    else if (!isMember(node)) left[name] = removeFrom(schema?.property(name), object[name], node);
  }
  return Object.keys(left).length === 0 ? null : left;
}

function removeFromList(schema: FieldSchema, list: readonly unknown[], set: FieldSet): unknown[] | null {
  const left: unknown[] = [];
  for (const item of list) {
    const element = itemElement(schema, item);
    const node = element === undefined ? undefined : set[element];
    if (node === undefined) left.push(item);
    else if (!isMember(node)) left.push(isEmptySet(node) ? item : removeFrom(schema.items, item, node));
  }
  return left.length === 0 ? null : left;
}

function isEmptyContainer(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return !isJsonObject(value) || Object.keys(value).length === 0;
}
