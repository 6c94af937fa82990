import { selectOptional } from "../access.ts";
import { lengthOf } from "../actual-cost.ts";
import { compareValues, equalValues, identityOf, keyedBy } from "../compare.ts";
import { type Implementation, type Overload, overload } from "../overload.ts";
import {
  ArrayList,
  type CelValue,
  Duration,
  type EntryMap,
  Failure,
  isMapKey,
  type ListValue,
  type MapValue,
  Timestamp,
  Uint,
} from "../value.ts";

const maxInt = 9223372036854775807n;
const minInt = -9223372036854775808n;
const maxUint = 18446744073709551615n;
const maxDuration = maxInt;
/** The years 1 to 9999, in nanoseconds from 1970. */
const minTimestamp = -62135596800000000000n;
const maxTimestamp = 253402300799999999999n;

export const intResult = (value: bigint): CelValue => (value > maxInt || value < minInt ? new Failure("integer overflow") : value);
export const uintResult = (value: bigint): CelValue =>
  value > maxUint || value < 0n ? new Failure("unsigned integer overflow") : new Uint(value);
export const durationResult = (nanos: bigint): CelValue =>
  nanos > maxDuration || nanos < -maxDuration - 1n ? new Failure("duration overflow") : new Duration(nanos);
export const timestampResult = (nanos: bigint): CelValue =>
  nanos > maxTimestamp || nanos < minTimestamp ? new Failure("timestamp overflow") : new Timestamp(nanos);

/** Two arguments of which the signature says what they are. */
const two =
  <A, B>(call: (a: A, b: B) => CelValue): Implementation =>
  ([a, b]) =>
    call(a as A, b as B);

const comparable = ["bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration"];
const numeric = ["int", "uint", "double"];
const comparisons = [
  ["less", "_<_", (order: number) => order < 0],
  ["less_equals", "_<=_", (order: number) => order <= 0],
  ["greater", "_>_", (order: number) => order > 0],
  ["greater_equals", "_>=_", (order: number) => order >= 0],
] as const;

const comparisonOperators: readonly Overload[] = comparisons.flatMap(([id, operator, holds]) => {
  const call = two<CelValue, CelValue>((a, b) => {
    const order = compareValues(a, b);
    return order !== undefined && holds(order);
  });
  const same = comparable.map((type) => overload(`${id}_${type === "int" ? "int64" : type}`, `${operator}(${type}, ${type}): bool`, call));
  const mixed = numeric.flatMap((left) =>
    numeric
      .filter((right) => right !== left)
      .map((right) => overload(`${id}_${left}_${right}`, `${operator}(${left}, ${right}): bool`, call)),
  );
  return [...same, ...mixed];
});

const divide = (call: (a: bigint, b: bigint) => bigint, zero: string, wrap: (value: bigint) => CelValue) => (a: bigint, b: bigint) =>
  b === 0n ? new Failure(zero) : wrap(call(a, b));

const arithmetic: readonly Overload[] = [
  overload(
    "add_int64",
    "_+_(int, int): int",
    two<bigint, bigint>((a, b) => intResult(a + b)),
  ),
  overload(
    "add_uint64",
    "_+_(uint, uint): uint",
    two<Uint, Uint>((a, b) => uintResult(a.value + b.value)),
  ),
  overload(
    "add_double",
    "_+_(double, double): double",
    two<number, number>((a, b) => a + b),
  ),
  overload(
    "add_string",
    "_+_(string, string): string",
    two<string, string>((a, b) => a + b),
  ),
  overload(
    "add_bytes",
    "_+_(bytes, bytes): bytes",
    two<Uint8Array, Uint8Array>((a, b) => Uint8Array.from([...a, ...b])),
  ),
  overload("add_list", "_+_(list(A), list(A)): list(A)", two<ListValue, ListValue>(addLists)),
  overload(
    "add_duration_duration",
    "_+_(duration, duration): duration",
    two<Duration, Duration>((a, b) => durationResult(a.nanos + b.nanos)),
  ),
  overload(
    "add_timestamp_duration",
    "_+_(timestamp, duration): timestamp",
    two<Timestamp, Duration>((a, b) => timestampResult(a.nanos + b.nanos)),
  ),
  overload(
    "add_duration_timestamp",
    "_+_(duration, timestamp): timestamp",
    two<Duration, Timestamp>((a, b) => timestampResult(a.nanos + b.nanos)),
  ),
  overload(
    "subtract_int64",
    "_-_(int, int): int",
    two<bigint, bigint>((a, b) => intResult(a - b)),
  ),
  overload(
    "subtract_uint64",
    "_-_(uint, uint): uint",
    two<Uint, Uint>((a, b) => uintResult(a.value - b.value)),
  ),
  overload(
    "subtract_double",
    "_-_(double, double): double",
    two<number, number>((a, b) => a - b),
  ),
  overload(
    "subtract_duration_duration",
    "_-_(duration, duration): duration",
    two<Duration, Duration>((a, b) => durationResult(a.nanos - b.nanos)),
  ),
  overload(
    "subtract_timestamp_duration",
    "_-_(timestamp, duration): timestamp",
    two<Timestamp, Duration>((a, b) => timestampResult(a.nanos - b.nanos)),
  ),
  overload(
    "subtract_timestamp_timestamp",
    "_-_(timestamp, timestamp): duration",
    two<Timestamp, Timestamp>((a, b) => durationResult(a.nanos - b.nanos)),
  ),
  overload(
    "multiply_int64",
    "_*_(int, int): int",
    two<bigint, bigint>((a, b) => intResult(a * b)),
  ),
  overload(
    "multiply_uint64",
    "_*_(uint, uint): uint",
    two<Uint, Uint>((a, b) => uintResult(a.value * b.value)),
  ),
  overload(
    "multiply_double",
    "_*_(double, double): double",
    two<number, number>((a, b) => a * b),
  ),
  overload("divide_int64", "_/_(int, int): int", two<bigint, bigint>(divide((a, b) => a / b, "division by zero", intResult))),
  overload(
    "divide_uint64",
    "_/_(uint, uint): uint",
    two<Uint, Uint>((a, b) => divide((x, y) => x / y, "division by zero", uintResult)(a.value, b.value)),
  ),
  overload(
    "divide_double",
    "_/_(double, double): double",
    two<number, number>((a, b) => a / b),
  ),
  overload("modulo_int64", "_%_(int, int): int", two<bigint, bigint>(divide((a, b) => a % b, "modulus by zero", intResult))),
  overload(
    "modulo_uint64",
    "_%_(uint, uint): uint",
    two<Uint, Uint>((a, b) => divide((x, y) => x % y, "modulus by zero", uintResult)(a.value, b.value)),
  ),
  overload("negate_int64", "-_(int): int", ([a]) => intResult(-(a as bigint))),
  overload("negate_double", "-_(double): double", ([a]) => -(a as number)),
];

/** Sets grow by what they lack; keyed lists keep the places of the keys they have. */
function addLists(a: ListValue, b: ListValue): CelValue {
  const listType = a.type?.listType;
  if (listType === undefined) return a instanceof ArrayList ? a.concat(b) : new ArrayList([...a]).concat(b);
  const keys = a.type?.listMapKeys ?? [];
  const items = new Map([...a].map((item) => [listType === "set" ? identityOf(item) : keyedBy(item, keys), item]));
  for (const item of b) items.set(listType === "set" ? identityOf(item) : keyedBy(item, keys), item);
  return new ArrayList([...items.values()]);
}

function indexList(list: ListValue, index: CelValue): CelValue {
  const at = typeof index === "bigint" ? index : typeof index === "number" ? BigInt(Math.trunc(index)) : (index as Uint).value;
  if (at < 0n || at >= BigInt(list.size)) return new Failure(`index out of bounds: ${at}`);
  return list.at(Number(at));
}

function insertEntry(map: EntryMap, key: CelValue, value: CelValue): CelValue {
  if (!isMapKey(key)) return new Failure("unsupported key type");
  return map.insert(key, value) ? map : new Failure(`insert failed: key ${String(key)} already exists`);
}

/** Declared for the checker alone: they are evaluated where evaluation of their arguments is decided. */
const lazy: Implementation = () => new Failure("no such overload");

export const operatorLibrary: readonly Overload[] = [
  overload("logical_and", "_&&_(bool, bool): bool", lazy),
  overload("logical_or", "_||_(bool, bool): bool", lazy),
  overload("conditional", "_?_:_(bool, A, A): A", lazy),
  overload("not_strictly_false", "@not_strictly_false(bool): bool", lazy),
  overload("logical_not", "!_(bool): bool", ([a]) => !(a as boolean)),
  overload("equals", "_==_(A, A): bool", two<CelValue, CelValue>(equalValues)),
  overload(
    "not_equals",
    "_!=_(A, A): bool",
    two<CelValue, CelValue>((a, b) => !equalValues(a, b)),
  ),
  ...comparisonOperators,
  ...arithmetic,
  overload(
    "in_list",
    "@in(A, list(A)): bool",
    two<CelValue, ListValue>((a, list) => [...list].some((item) => equalValues(item, a))),
  ),
  overload(
    "in_map",
    "@in(A, map(A, B)): bool",
    two<CelValue, MapValue>((a, map) => map.get(a) !== undefined),
  ),
  overload("index_list", "_[_](list(A), int): A", two<ListValue, CelValue>(indexList)),
  overload(
    "index_map",
    "_[_](map(A, B), A): B",
    two<MapValue, CelValue>((map, key) => map.get(key) ?? new Failure(`no such key: ${String(key)}`)),
  ),
  overload("optional_list_index_int", "_[_](optional_type(list(A)), int): optional_type(A)", two<CelValue, CelValue>(selectOptional)),
  overload("optional_map_index_value", "_[_](optional_type(map(A, B)), A): optional_type(B)", two<CelValue, CelValue>(selectOptional)),
  overload("list_optindex_optional_int", "_[?_](list(A), int): optional_type(A)", two<CelValue, CelValue>(selectOptional)),
  overload(
    "optional_list_optindex_optional_int",
    "_[?_](optional_type(list(A)), int): optional_type(A)",
    two<CelValue, CelValue>(selectOptional),
  ),
  overload("map_optindex_optional_value", "_[?_](map(A, B), A): optional_type(B)", two<CelValue, CelValue>(selectOptional)),
  overload(
    "optional_map_optindex_optional_value",
    "_[?_](optional_type(map(A, B)), A): optional_type(B)",
    two<CelValue, CelValue>(selectOptional),
  ),
  overload("size_string", "size(string): int", ([a]) => BigInt(lengthOf(a as string))),
  overload("size_bytes", "size(bytes): int", ([a]) => BigInt((a as Uint8Array).length)),
  overload("size_list", "size(list(A)): int", ([a]) => BigInt((a as ListValue).size)),
  overload("size_map", "size(map(A, B)): int", ([a]) => BigInt((a as MapValue).size)),
  overload("string_size", "(string).size(): int", ([a]) => BigInt(lengthOf(a as string))),
  overload("bytes_size", "(bytes).size(): int", ([a]) => BigInt((a as Uint8Array).length)),
  overload("list_size", "(list(A)).size(): int", ([a]) => BigInt((a as ListValue).size)),
  overload("map_size", "(map(A, B)).size(): int", ([a]) => BigInt((a as MapValue).size)),
  overload("@mapInsert_map_key_value", "cel.@mapInsert(map(A, B), A, B): map(A, B)", ([map, key, value]) =>
    insertEntry(map as EntryMap, key ?? null, value ?? null),
  ),
  overload("@mapInsert_map_map", "cel.@mapInsert(map(A, B), map(A, B)): map(A, B)", ([map, more]) => {
    let result: CelValue = map as EntryMap;
    for (const key of (more as MapValue).keys()) {
      result = insertEntry(map as EntryMap, key, (more as MapValue).get(key) ?? null);
      if (result instanceof Failure) break;
    }
    return result;
  }),
];
