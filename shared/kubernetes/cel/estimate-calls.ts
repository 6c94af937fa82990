import { regexFactor, traversalFactor } from "./actual-cost.ts";
import { add, fixed, multiply, type Range, scale, unknown } from "./range.ts";
import type { Expression } from "./syntax.ts";
import type { CelType } from "./type.ts";

/** An argument as estimates know it. */
export interface Argument {
  readonly expression: Expression;
  readonly type: CelType;
  readonly size: Range | undefined;
  /** The size of an element of it, where the schema tells. */
  readonly elementSize: Range | undefined;
}

/** `cost` is without that of the arguments. */
export interface CallEstimate {
  readonly cost: Range;
  readonly resultSize?: Range;
}

const sizeOf = (argument: Argument | undefined): Range => argument?.size ?? unknown;
const traverse = (argument: Argument | undefined): CallEstimate => ({ cost: scale(sizeOf(argument), traversalFactor) });
const regexCost = (text: Range, pattern: Range): Range =>
  multiply(scale(add(text, fixed(1)), traversalFactor), scale(pattern, regexFactor));

/** What one overload may cost: Kubernetes' `cel/library/cost.go` before cel-go's `checker/cost.go`. A receiver is the first argument. */
export function estimateCall(name: string, id: string, member: boolean, args: readonly Argument[]): CallEstimate {
  const [first, second, third] = args;
  switch (name) {
    case "check":
      return { cost: fixed(350_000) };
    case "isSorted":
    case "sum":
    case "max":
    case "min":
    case "indexOf":
    case "lastIndexOf":
      return member ? { cost: searchCost(first) } : one;
    case "url":
    case "jsonpatch.escapeKey":
      return { ...traverse(first), resultSize: sizeOf(first) };
    case "lowerAscii":
    case "upperAscii":
    case "substring":
    case "trim":
      return { ...traverse(first), resultSize: sizeOf(first) };
    case "replace":
      return { cost: scale(sizeOf(first), 2 * traversalFactor), resultSize: replacedSize(sizeOf(first), sizeOf(second), sizeOf(third)) };
    case "split": {
      const literal =
        third?.expression.kind === "literal" && typeof third.expression.value === "bigint" ? Number(third.expression.value) : undefined;
      const size = sizeOf(first);
      return { cost: scale(size, 2 * traversalFactor), resultSize: { min: 0, max: literal ?? size.max } };
    }
    case "join": {
      const count = sizeOf(first);
      const separators = { min: Math.max(0, count.min - 1), max: Math.max(0, count.max - 1) };
      const items = multiply(count, first?.elementSize ?? unknown);
      const size = second === undefined ? items : add(items, multiply(sizeOf(second), separators));
      return { cost: scale(size, traversalFactor), resultSize: size };
    }
    case "find":
    case "findAll":
      return { cost: regexCost(sizeOf(first), sizeOf(second)), resultSize: { min: 0, max: sizeOf(first).max } };
    case "cidr":
    case "isIP":
    case "isCIDR":
    case "quantity":
    case "isQuantity":
      return traverse(first);
    case "ip":
      return id === "cidr_ip" ? one : traverse(first);
    case "ip.isCanonical":
      return { cost: scale(sizeOf(first), 2 * traversalFactor) };
    case "containsIP":
    case "containsCIDR":
      return { cost: containsCost(name, id, second) };
    case "validate":
      return { cost: scale(scale(sizeOf(second), traversalFactor), 128 * regexFactor) };
    case "fieldSelector":
    case "labelSelector":
      return { cost: add(fixed(10), scale(sizeOf(second), traversalFactor), scale(scale(sizeOf(second), 0.5), 50)) };
    case "sets.contains":
    case "sets.intersects":
      return { cost: add(multiply(sizeOf(first), sizeOf(second)), fixed(1)) };
    case "sets.equivalent":
      return { cost: add(scale(multiply(sizeOf(first), sizeOf(second)), 2), fixed(1)) };
    default:
      return estimateOperator(id, member, args);
  }
}

const one: CallEstimate = { cost: fixed(1) };

function estimateOperator(id: string, member: boolean, args: readonly Argument[]): CallEstimate {
  const [first, second] = args;
  switch (id) {
    case "string_format":
    case "starts_with_string":
    case "ends_with_string":
      return traverse(id === "string_format" ? first : second);
    case "string_to_bytes":
      return { ...traverse(first), resultSize: { min: sizeOf(first).min, max: sizeOf(first).max * 4 } };
    case "bytes_to_string":
      return { ...traverse(first), resultSize: { min: Math.floor(sizeOf(first).min / 4), max: sizeOf(first).max } };
    case "strings_quote":
      return { ...traverse(first), resultSize: { min: sizeOf(first).min + 2, max: sizeOf(first).max * 2 + 2 } };
    case "in_list":
      return { cost: sizeOf(second) };
    case "matches_string":
      return member ? { cost: regexCost(sizeOf(first), sizeOf(second)) } : one;
    case "contains_string":
      return { cost: multiply(scale(sizeOf(first), traversalFactor), scale(sizeOf(second), traversalFactor)) };
    case "add_list":
      return { cost: fixed(1), resultSize: add(sizeOf(first), sizeOf(second)) };
    case "add_string":
    case "add_bytes": {
      const resultSize = add(sizeOf(first), sizeOf(second));
      return { cost: scale(resultSize, traversalFactor), resultSize };
    }
    case "equals":
    case "not_equals":
      if (first?.type.kind === "opaque" && first.type.name !== "optional_type") return one;
      return comparison(first, second);
    default:
      return /^(?:less|greater)(?:_equals)?_(?:string|bytes)$/.test(id) ? comparison(first, second) : one;
  }
}

function comparison(first: Argument | undefined, second: Argument | undefined): CallEstimate {
  const most = Math.min(sizeOf(first).max, sizeOf(second).max);
  return { cost: scale({ min: most > 0 ? 1 : 0, max: most }, traversalFactor) };
}

function searchCost(list: Argument | undefined): Range {
  const element = list?.type.kind === "list" ? list.type.parameters[0] : undefined;
  if (element === undefined) return scale(sizeOf(list), traversalFactor);
  const texts = element.kind === "string" || element.kind === "bytes";
  return multiply(sizeOf(list), texts ? add(fixed(1), scale(list?.elementSize ?? unknown, traversalFactor)) : fixed(1));
}

function containsCost(name: string, id: string, other: Argument | undefined): Range {
  const bytes = { min: 4, max: 16 };
  const compare = scale(add(bytes, bytes), traversalFactor);
  const mask = name === "containsCIDR" ? add(scale(bytes, traversalFactor), fixed(1)) : fixed(0);
  return add(compare, mask, id.endsWith("_string") ? scale(sizeOf(other), traversalFactor) : fixed(0));
}

/** The longest result replaces the shortest parts by the longest text, the shortest result the other way round. */
function replacedSize(text: Range, old: Range, by: Range): Range {
  const most =
    old.min === 0
      ? add(fixed(text.max), multiply(fixed(text.max + 1), fixed(by.max)))
      : by.max <= old.min
        ? fixed(text.max)
        : multiply(fixed(Math.ceil(text.max / old.min)), fixed(by.max));
  const least = old.max === 0 ? text.min + (text.min + 1) * by.min : old.max <= by.min ? text.min : Math.ceil(text.min / old.max) * by.min;
  return { min: least, max: most.max };
}
