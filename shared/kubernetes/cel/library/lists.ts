import { compareValues, equalValues } from "../compare.ts";
import { type Implementation, type Overload, overload } from "../overload.ts";
import { type CelValue, Duration, Failure, type ListValue, Uint } from "../value.ts";
import { durationResult, intResult, uintResult } from "./operators.ts";

const comparable = ["int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes"];

const isSorted: Implementation = ([list]) => {
  let previous: CelValue | undefined;
  for (const item of list as ListValue) {
    if (previous !== undefined && (compareValues(previous, item) ?? 0) > 0) return false;
    previous = item;
  }
  return true;
};

const extreme =
  (name: string, sign: number): Implementation =>
  ([list]) => {
    let best: CelValue | undefined;
    for (const item of list as ListValue) if (best === undefined || (compareValues(item, best) ?? 0) * sign > 0) best = item;
    return best ?? new Failure(`${name} called on empty list`);
  };

const sums: readonly (readonly [string, CelValue, (a: CelValue, b: CelValue) => CelValue])[] = [
  ["int", 0n, (a, b) => intResult((a as bigint) + (b as bigint))],
  ["uint", new Uint(0n), (a, b) => uintResult((a as Uint).value + (b as Uint).value)],
  ["double", 0, (a, b) => (a as number) + (b as number)],
  ["duration", new Duration(0n), (a, b) => durationResult((a as Duration).nanos + (b as Duration).nanos)],
];

const contains = (list: ListValue, value: CelValue): boolean => [...list].some((item) => equalValues(item, value));
const within = (a: ListValue, b: ListValue): boolean => [...b].every((item) => contains(a, item));

/** Kubernetes' functions of lists (apiserver `cel/library/lists.go`) and cel-go's sets (`ext/sets.go`). */
export const listLibrary: readonly Overload[] = [
  ...comparable.flatMap((type) => [
    overload(`list_${type}_is_sorted_bool`, `(list(${type})).isSorted(): bool`, isSorted),
    overload(`list_${type}_max_${type}`, `(list(${type})).max(): ${type}`, extreme("max", 1)),
    overload(`list_${type}_min_${type}`, `(list(${type})).min(): ${type}`, extreme("min", -1)),
  ]),
  ...sums.map(([type, zero, add]) =>
    overload(`list_${type}_sum_${type}`, `(list(${type})).sum(): ${type}`, ([list]) => {
      let sum = zero;
      for (const item of list as ListValue) {
        sum = add(sum, item);
        if (sum instanceof Failure) return sum;
      }
      return sum;
    }),
  ),
  overload("list_a_index_of_int", "(list(A)).indexOf(A): int", ([list, value]) => {
    const items = list as ListValue;
    for (let index = 0; index < items.size; index++) if (equalValues(items.at(index), value ?? null)) return BigInt(index);
    return -1n;
  }),
  overload("list_a_last_index_of_int", "(list(A)).lastIndexOf(A): int", ([list, value]) => {
    const items = list as ListValue;
    for (let index = items.size - 1; index >= 0; index--) if (equalValues(items.at(index), value ?? null)) return BigInt(index);
    return -1n;
  }),
  overload("list_sets_contains_list", "sets.contains(list(A), list(A)): bool", ([a, b]) => within(a as ListValue, b as ListValue)),
  overload(
    "list_sets_equivalent_list",
    "sets.equivalent(list(A), list(A)): bool",
    ([a, b]) => within(a as ListValue, b as ListValue) && within(b as ListValue, a as ListValue),
  ),
  overload("list_sets_intersects_list", "sets.intersects(list(A), list(A)): bool", ([a, b]) =>
    [...(a as ListValue)].some((item) => contains(b as ListValue, item)),
  ),
];
