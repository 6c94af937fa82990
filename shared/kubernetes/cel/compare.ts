import { sameType } from "./type.ts";
import {
  type CelValue,
  Duration,
  Failure,
  ListValue,
  MapValue,
  ObjectValue,
  OpaqueValue,
  OptionalValue,
  StructValue,
  Timestamp,
  TypeValue,
  Uint,
} from "./value.ts";

/** CEL's equality: numbers are equal across their types, values of different types are not, and nothing fails. */
export function equalValues(a: CelValue, b: CelValue): boolean {
  const [left, right] = [numberIn(a), numberIn(b)];
  // biome-ignore lint/suspicious/noDoubleEquals: across bigint and number, `==` compares the mathematical values.
  if (left !== undefined && right !== undefined) return left == right;
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof ListValue) return b instanceof ListValue && equalLists(a, b);
  if (a instanceof MapValue) return b instanceof MapValue && equalMaps(a, b);
  if (a instanceof ObjectValue) return b instanceof ObjectValue && equalObjects(a, b);
  if (a instanceof OpaqueValue) return b instanceof OpaqueValue && a.type.name === b.type.name && a.key === b.key;
  if (a instanceof TypeValue) return b instanceof TypeValue && (sameType(a.type, b.type) || a.type.name === b.type.name);
  if (a instanceof OptionalValue) {
    if (!(b instanceof OptionalValue)) return false;
    return a.value === undefined || b.value === undefined ? a.value === b.value : equalValues(a.value, b.value);
  }
  return false;
}

function equalLists(a: ListValue, b: ListValue): boolean {
  if (a.size !== b.size) return false;
  const listType = a.type?.listType;
  if (listType === "set") {
    const there = new Set([...b].map(identityOf));
    return [...a].every((item) => there.has(identityOf(item)));
  }
  if (listType === "map") {
    const keys = a.type?.listMapKeys ?? [];
    const there = new Map([...b].map((item) => [keyedBy(item, keys), item]));
    return [...a].every((item) => {
      const other = there.get(keyedBy(item, keys));
      return other !== undefined && equalValues(item, other);
    });
  }
  for (let index = 0; index < a.size; index++) if (!equalValues(a.at(index), b.at(index))) return false;
  return true;
}

function equalMaps(a: MapValue, b: MapValue): boolean {
  if (a.size !== b.size) return false;
  return a.keys().every((key) => {
    const [left, right] = [a.get(key), b.get(key)];
    return left !== undefined && right !== undefined && equalValues(left, right);
  });
}

function equalObjects(a: ObjectValue, b: ObjectValue): boolean {
  if (a.type.name !== b.type.name) return false;
  for (const name of a instanceof StructValue ? new Set([...a.fieldNames(), ...b.fieldNames()]) : a.fieldNames()) {
    const [left, right] = [a.field(name), b.field(name)];
    if (left === undefined || right === undefined) {
      if (left !== right) return false;
    } else if (!equalValues(left, right)) return false;
  }
  return true;
}

/** Equal scalars have equal texts. */
export function identityOf(value: CelValue): string {
  const number = numberIn(value);
  return number === undefined ? `${typeof value}:${String(value)}` : `number:${number}`;
}

/** What an element of a keyed list is found by. */
export function keyedBy(item: CelValue, keys: readonly string[]): string {
  const values = keys.map((key) => (item instanceof ObjectValue ? item.field(key) : item instanceof MapValue ? item.get(key) : undefined));
  return JSON.stringify(values.map((value) => (value === undefined ? "" : identityOf(value))));
}

function numberIn(value: CelValue): number | bigint | undefined {
  if (typeof value === "bigint" || typeof value === "number") return value;
  return value instanceof Uint ? value.value : undefined;
}

/** Negative, zero or positive; undefined when the two have no order. NaN has none, and so is neither less nor greater. */
export function compareValues(a: CelValue, b: CelValue): number | undefined {
  const [left, right] = [numberIn(a), numberIn(b)];
  if (left !== undefined && right !== undefined)
    return left < right ? -1 : left > right ? 1 : left === right || isEqual(left, right) ? 0 : undefined;
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (a instanceof Timestamp && b instanceof Timestamp) return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  if (a instanceof Duration && b instanceof Duration) return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  return undefined;
}

// biome-ignore lint/suspicious/noDoubleEquals: across bigint and number, `==` compares the mathematical values.
const isEqual = (a: number | bigint, b: number | bigint): boolean => a == b;

/** By code points, as Go compares the bytes of UTF-8. */
function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (x === y) continue;
    const rank = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x2000 : unit >= 0xe000 ? unit - 0x800 : unit);
    return rank(x) - rank(y);
  }
  return a.length - b.length;
}

export const isFailure = (value: CelValue | undefined): value is Failure => value instanceof Failure;
