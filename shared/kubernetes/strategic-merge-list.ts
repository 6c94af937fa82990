import type { PatchSchema } from "./patch-schema.ts";
import { goText } from "./schema/go-text.ts";
import { isJsonObject, type JsonObject } from "./schema/schema-node.ts";
import { StatusError, UnexplainedError } from "./status-error.ts";
import { plainObject, unknownPatchType } from "./strategic-merge-value.ts";

type MergeObjects = (original: JsonObject, patch: JsonObject, schema: PatchSchema | undefined) => JsonObject;

/**
 * Two lists merged with strategy `merge`: objects by the merge key, scalars as a set. `$patch: delete` elements delete, a
 * `$patch: replace` element makes the patch the whole list. What the patch names keeps the patch's order, the rest the original's, and
 * both are woven by the original's (apimachinery strategicpatch `mergeSlice`).
 */
export function mergeLists(
  original: readonly unknown[],
  patch: readonly unknown[],
  schema: PatchSchema | undefined,
  mergeObjects: MergeObjects,
): unknown[] {
  if (original.length === 0 && patch.length === 0) return [...original];
  if (!elementsAreObjects(original, patch)) return orderElements([...new Set([...original, ...patch])], patch, original, undefined);
  const mergeKey = schema?.mergeKey;
  if (mergeKey === undefined || mergeKey === "") throw new UnexplainedError("cannot merge lists without merge key for type struct");
  const directives = splitDirectives(patch, mergeKey);
  const kept = directives.replaces ? directives.elements : dropMatching(original, mergeKey, directives.deleted);
  const elements = directives.replaces ? [] : directives.elements;
  const merged = [...kept];
  const places = new Map<unknown, number>();
  merged.forEach((element, i) => {
    const key = keyOf(element, mergeKey);
    if (!places.has(key)) places.set(key, i);
  });
  for (const element of elements) {
    const key = requiredKeyOf(element, mergeKey);
    const place = places.get(key);
    const found = place === undefined ? undefined : merged[place];
    if (place !== undefined && isJsonObject(found)) {
      merged[place] = mergeObjects(found, objectOrRefuse(element), schema?.items);
    } else {
      places.set(key, merged.length);
      merged.push(plainObject(objectOrRefuse(element)));
    }
  }
  return orderElements(merged, elements, kept, mergeKey);
}

/** `$deleteFromPrimitiveList`: the list without these scalars. */
export function deleteScalars(original: readonly unknown[], deleted: readonly unknown[]): unknown[] {
  const gone = new Set(deleted);
  return original.filter((element) => !gone.has(element));
}

/**
 * The elements in the order of `first` for those it names and of `second` for the others, woven so that an element not in `first` stands
 * before those that follow it in `second`. Elements are told apart by `mergeKey`, scalars by themselves.
 */
export function orderElements(
  elements: readonly unknown[],
  first: readonly unknown[],
  second: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const keyed = (element: unknown): unknown => (mergeKey === undefined ? element : requiredKeyOf(element, mergeKey));
  const firstPlaces = placesOf(first, keyed);
  const secondPlaces = placesOf(second, keyed);
  const named: unknown[] = [];
  const others: unknown[] = [];
  for (const element of elements) (firstPlaces.has(keyed(element)) ? named : others).push(element);
  sortByPlace(named, keyed, firstPlaces);
  sortByPlace(others, keyed, secondPlaces);
  const woven: unknown[] = [];
  let next = 0;
  for (const element of named) {
    const place = secondPlaces.get(keyed(element));
    while (place !== undefined && next < others.length && (secondPlaces.get(keyed(others[next])) ?? Number.POSITIVE_INFINITY) < place) {
      woven.push(others[next++]);
    }
    woven.push(element);
  }
  return [...woven, ...others.slice(next)];
}

/** Refuses a patch list that is in another order than its `$setElementOrder`, or names what that does not. Deletions may stand anywhere. */
export function checkElementOrder(patch: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): void {
  if (patch.length === 0 || order.length === 0) return;
  const keyed = (element: unknown): unknown => (mergeKey === undefined ? element : requiredKeyOf(element, mergeKey));
  const plain = patch.filter((element) => !(isJsonObject(element) && "$patch" in element));
  let matched = 0;
  for (const element of order) if (matched < plain.length && keyed(plain[matched]) === keyed(element)) matched++;
  if (matched < plain.length) {
    throw new UnexplainedError(`The order in patch list:\n${goText(patch)}\n doesn't match $setElementOrder list:\n${goText(order)}\n`);
  }
}

function elementsAreObjects(...lists: (readonly unknown[])[]): boolean {
  let type: string | undefined;
  for (const list of lists) {
    for (const element of list) {
      if (Array.isArray(element)) throw new StatusError("Invalid", "the server rejected our request due to an error in our request", {});
      const elementType = isJsonObject(element) ? "object" : element === null ? "null" : typeof element;
      type ??= elementType;
      if (type !== elementType) {
        throw new UnexplainedError(`list element types are not identical: ${goText(lists)}`);
      }
    }
  }
  return type === "object";
}

function splitDirectives(patch: readonly unknown[], mergeKey: string): { elements: unknown[]; deleted: Set<unknown>; replaces: boolean } {
  const elements: unknown[] = [];
  const deleted = new Set<unknown>();
  let replaces = false;
  for (const element of patch) {
    const directive = isJsonObject(element) ? element.$patch : undefined;
    if (directive === undefined) elements.push(element);
    else if (directive === "delete") deleted.add(requiredKeyOf(element, mergeKey));
    else if (directive === "replace") replaces = true;
    else if (directive === "merge") throw new UnexplainedError("merging lists cannot yet be specified in the patch");
    else throw unknownPatchType(directive, element);
  }
  return { elements, deleted, replaces };
}

function dropMatching(list: readonly unknown[], mergeKey: string, keys: ReadonlySet<unknown>): readonly unknown[] {
  return keys.size === 0 ? list : list.filter((element) => !keys.has(keyOf(element, mergeKey)));
}

function placesOf(list: readonly unknown[], keyed: (element: unknown) => unknown): Map<unknown, number> {
  const places = new Map<unknown, number>();
  list.forEach((element, i) => {
    const key = keyed(element);
    if (!places.has(key)) places.set(key, i);
  });
  return places;
}

function sortByPlace(list: unknown[], keyed: (element: unknown) => unknown, places: ReadonlyMap<unknown, number>): void {
  list.sort((a, b) => (places.get(keyed(a)) ?? list.length) - (places.get(keyed(b)) ?? list.length));
}

function keyOf(element: unknown, mergeKey: string): unknown {
  return isJsonObject(element) ? element[mergeKey] : undefined;
}

function requiredKeyOf(element: unknown, mergeKey: string): unknown {
  const key = keyOf(element, mergeKey);
  if (key === undefined) throw new UnexplainedError(`map: ${goText(element)} does not contain declared merge key: ${mergeKey}`);
  return key;
}

function objectOrRefuse(element: unknown): JsonObject {
  if (isJsonObject(element)) return element;
  throw new UnexplainedError(`expected a map[string]interface {}, but received a ${goText(element)}`);
}
