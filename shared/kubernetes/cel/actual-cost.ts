import { type CelValue, ListValue, MapValue, ObjectValue, OpaqueValue, OptionalValue } from "./value.ts";

/** What things cost, in the units of cel-go's `common/cost.go`. */
export const accessCost = 1;
export const listCost = 10;
export const mapCost = 30;
export const structCost = 40;
export const traversalFactor = 0.1;
export const regexFactor = 0.25;

export function sizeOf(value: CelValue | undefined): number {
  if (typeof value === "string") return lengthOf(value);
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof ListValue || value instanceof MapValue) return value.size;
  if (value instanceof ObjectValue) return value.type.fields?.size ?? 1;
  if (value instanceof OpaqueValue) return value.key.length;
  if (value instanceof OptionalValue && value.value !== undefined) return sizeOf(value.value);
  return 1;
}

/** In code points. */
export function lengthOf(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length; at++) if ((text.charCodeAt(at) & 0xfc00) === 0xd800) length--;
  return length;
}

const traverse = (...sizes: number[]): number => Math.ceil(sizes.reduce((sum, size) => sum + size, 0) * traversalFactor);
const regexCost = (text: number, pattern: number): number => Math.ceil((1 + text) * traversalFactor) * Math.ceil(pattern * regexFactor);

/**
 * What a call costs, by cel-go's `interpreter/runtimecost.go` and Kubernetes' `cel/library/cost.go`: before it is made, so that a call that
 * is too dear is not.
 */
export function callCost(id: string, name: string, args: readonly CelValue[]): number {
  const [first, second] = args;
  switch (name) {
    case "check":
      return 350_000;
    case "isSorted":
    case "sum":
    case "max":
    case "min":
    case "indexOf":
    case "lastIndexOf":
      return first instanceof ListValue ? first.size : traverse(sizeOf(first));
    case "url":
    case "jsonpatch.escapeKey":
    case "lowerAscii":
    case "upperAscii":
    case "substring":
    case "trim":
    case "cidr":
    case "ip":
    case "isIP":
    case "isCIDR":
    case "quantity":
    case "isQuantity":
      return id === "cidr_ip" ? 1 : traverse(sizeOf(first));
    case "replace":
    case "split":
    case "ip.isCanonical":
      return Math.ceil(sizeOf(first) * 2 * traversalFactor);
    case "join":
      return joinCost(first, second);
    case "find":
    case "findAll":
    case "matches":
      return regexCost(sizeOf(first), sizeOf(second));
    case "validate":
      return regexCost(sizeOf(second), 128);
    case "containsIP":
    case "containsCIDR":
      return traverse(2 * sizeOf(first)) + traverse(sizeOf(second)) + 1;
    case "contains":
      return traverse(sizeOf(first)) * traverse(sizeOf(second));
    case "startsWith":
    case "endsWith":
    case "format":
    case "strings.quote":
      return traverse(sizeOf(first));
    case "fieldSelector":
    case "labelSelector":
      return 10 + Math.ceil(sizeOf(second) * (traversalFactor + 25));
    case "sets.contains":
    case "sets.intersects":
      return sizeOf(first) * sizeOf(second) + 1;
    case "sets.equivalent":
      return 2 * sizeOf(first) * sizeOf(second) + 1;
    default:
      return operatorCost(id, first, second);
  }
}

function operatorCost(id: string, first: CelValue | undefined, second: CelValue | undefined): number {
  switch (id) {
    case "in_list":
      return sizeOf(second);
    case "equals":
    case "not_equals":
    case "less_string":
    case "less_equals_string":
    case "greater_string":
    case "greater_equals_string":
    case "less_bytes":
    case "less_equals_bytes":
    case "greater_bytes":
    case "greater_equals_bytes":
      return Math.ceil(Math.min(sizeOf(first), sizeOf(second)) * traversalFactor);
    case "add_string":
    case "add_bytes":
      return traverse(sizeOf(first), sizeOf(second));
    case "string_to_bytes":
    case "bytes_to_string":
      return traverse(sizeOf(first));
    default:
      return 1;
  }
}

function joinCost(list: CelValue | undefined, separator: CelValue | undefined): number {
  if (!(list instanceof ListValue)) return 1;
  let size = list.size * (separator === undefined ? 0 : sizeOf(separator));
  for (const item of list) size += sizeOf(item);
  return Math.ceil(size * 2 * traversalFactor);
}
