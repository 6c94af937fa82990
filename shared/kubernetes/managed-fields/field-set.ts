import { isJsonObject } from "../schema/schema-node.ts";
import { compareElements, describeElement, type FieldElement, normalizeElement } from "./field-element.ts";
import type { FieldSchema } from "./schema-of.ts";

/**
 * A set of paths of an object, as the JSON of FieldsV1 itself: an element maps to what follows it. `{}` is a member with nothing below,
 * `"."` marks a member with something below. The top is never a member: `{}` there is the empty set. Values are immutable and shared;
 * elements stand in the order in which kube-apiserver prints them.
 */
export interface FieldSet {
  readonly [element: FieldElement]: FieldSet;
}

/** A member with nothing below it. */
export const leaf: FieldSet = Object.freeze({});
export const emptySet: FieldSet = Object.freeze({});

type Children = Record<FieldElement, FieldSet>;

export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether the node itself belongs to the set that holds it. */
export function isMember(node: FieldSet): boolean {
  return node["."] !== undefined || isEmptySet(node);
}

/** A node of these children; undefined when it is neither a member nor has any. `children` is the caller's own. */
export function makeNode(member: boolean, children: Children | undefined): FieldSet | undefined {
  if (children === undefined || isEmptySet(children)) return member ? leaf : undefined;
  return member ? sortElements({ ".": leaf, ...children }) : sortElements(children);
}

/** A set of one path: fields, or elements of lists in their text form when `elements` are given as such. */
export function setOfPath(path: readonly FieldElement[]): FieldSet {
  let node: FieldSet = leaf;
  for (let i = path.length - 1; i >= 0; i--) node = { [path[i] ?? ""]: node };
  return node;
}

/** `a` itself when `b` adds nothing to it. */
export function unionSets(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  return unionChildren(a, b);
}

/** What is in `a` and not in `b`, `a` itself when that is all of it. Below a path of `b` nothing is taken away but what `b` itself has there. */
export function differenceOfSets(a: FieldSet, b: FieldSet): FieldSet {
  return differenceOfChildren(a, b, false) ?? emptySet;
}

/** What is in `a` and neither in `b` nor below a path of `b`; `a` itself when that is all of it. */
export function recursiveDifferenceOfSets(a: FieldSet, b: FieldSet): FieldSet {
  return differenceOfChildren(a, b, true) ?? emptySet;
}

export function intersectionOfSets(a: FieldSet, b: FieldSet): FieldSet {
  return makeNode(false, intersectionOfChildren(a, b)) ?? emptySet;
}

export function setHasPath(set: FieldSet, path: readonly FieldElement[]): boolean {
  let node: FieldSet | undefined = set;
  for (const element of path) node = node?.[element];
  return path.length > 0 && node !== undefined && isMember(node);
}

/** Every path of the set as messages show it, parents first: `.spec.containers[name="main"].image`. */
export function describePaths(set: FieldSet, prefix = ""): string[] {
  const members: string[] = [];
  const below: string[] = [];
  for (const element in set) {
    const node = set[element];
    if (element === "." || node === undefined) continue;
    const path = prefix + describeElement(element);
    if (isMember(node)) members.push(path);
    below.push(...describePaths(node, path));
  }
  return [...members, ...below];
}

/** Adds every field of a struct on the way to a member: what prunes a field must know that its parents are only there for it. */
export function withNamedParents(set: FieldSet, schema: FieldSchema | undefined): FieldSet {
  const children: Children = {};
  for (const element in set) {
    const node = set[element];
    if (node === undefined || element === ".") continue;
    const inner = schemaBelow(schema, element);
    const named = element.startsWith("f:") && schema?.type === "struct" && inner !== undefined;
    const below = withNamedParents(node, inner);
    const made = makeNode(named || isMember(node), { ...below });
    if (made !== undefined) children[element] = made;
  }
  return makeNode(false, children) ?? emptySet;
}

function schemaBelow(schema: FieldSchema | undefined, element: FieldElement): FieldSchema | undefined {
  return element.startsWith("f:") ? schema?.property(element.slice(2)) : schema?.items;
}

/** FieldsV1 that came from outside, in this server's spelling; undefined when it is malformed. */
export function parseFieldSet(json: unknown): FieldSet | undefined {
  if (!isJsonObject(json)) return undefined;
  const children: Children = {};
  for (const element of Object.keys(json)) {
    if (element === ".") continue;
    const normal = normalizeElement(element);
    const value = json[element];
    const below = parseFieldSet(value);
    if (normal === undefined || below === undefined || !isJsonObject(value)) return undefined;
    const node = makeNode(value["."] !== undefined || Object.keys(value).length === 0, { ...below });
    if (node !== undefined) children[normal] = node;
  }
  return makeNode(false, children) ?? emptySet;
}

/** The children in printing order; the same object when they stand in it already. */
export function sortElements(children: Children): FieldSet {
  let previous: string | undefined;
  for (const element in children) {
    if (previous !== undefined && compareElements(previous, element) > 0) {
      const sorted: Children = {};
      for (const name of Object.keys(children).sort(compareElements)) sorted[name] = children[name] ?? leaf;
      return sorted;
    }
    previous = element;
  }
  return children;
}

function unionNodes(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  if (isEmptySet(a)) return asMember(b);
  if (isEmptySet(b)) return asMember(a);
  return unionChildren(a, b);
}

const asMember = (node: FieldSet): FieldSet => (isMember(node) ? node : { ".": leaf, ...node });

/** Of two that have elements, one of which may be the mark of a member. */
function unionChildren(a: FieldSet, b: FieldSet): FieldSet {
  let union: Children | undefined;
  let hasMore = false;
  for (const element in b) {
    const inA = a[element];
    const inB = b[element];
    if (inB === undefined) continue;
    const both = inA === undefined ? inB : unionNodes(inA, inB);
    if (both === inA) continue;
    union ??= { ...a };
    union[element] = both;
    hasMore ||= inA === undefined;
  }
  if (union === undefined) return a;
  return hasMore ? sortElements(union) : union;
}

function differenceOfNodes(a: FieldSet, b: FieldSet, recursive: boolean): FieldSet | undefined {
  if (!isMember(b)) return differenceOfChildren(a, b, recursive);
  if (recursive || isEmptySet(a)) return undefined;
  const left = differenceOfChildren(a, b, false);
  if (left === undefined || isEmptySet(left)) return undefined;
  if (left["."] === undefined) return left;
  const { ".": _, ...below } = left;
  return below;
}

/** Looks only at what `b` has, which is most often little. Undefined: nothing is left, and `a` is no member itself. */
function differenceOfChildren(a: FieldSet, b: FieldSet, recursive: boolean): FieldSet | undefined {
  let changed: Map<FieldElement, FieldSet | undefined> | undefined;
  for (const element in b) {
    const inA = a[element];
    const inB = b[element];
    if (element === "." || inA === undefined || inB === undefined) continue;
    const left = differenceOfNodes(inA, inB, recursive);
    if (left === inA) continue;
    changed ??= new Map();
    changed.set(element, left);
  }
  if (changed === undefined) return a;
  const difference: Children = {};
  let isEmpty = true;
  for (const element in a) {
    const left = changed.has(element) ? changed.get(element) : a[element];
    if (left === undefined) continue;
    difference[element] = left;
    isEmpty &&= element === ".";
  }
  if (!isEmpty) return difference;
  return a["."] === undefined ? undefined : leaf;
}

function intersectionOfChildren(a: FieldSet, b: FieldSet): Children {
  const children: Children = {};
  for (const element in a) {
    const inA = a[element];
    const inB = b[element];
    if (element === "." || inA === undefined || inB === undefined) continue;
    const both = makeNode(isMember(inA) && isMember(inB), intersectionOfChildren(inA, inB));
    if (both !== undefined) children[element] = both;
  }
  return children;
}
