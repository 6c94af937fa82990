import { type Overload, overload } from "../overload.ts";
import { type CelValue, Duration, Failure, ListValue, MapValue, none, OptionalValue, StructValue, Uint } from "../value.ts";

const lazy = (): CelValue => new Failure("no such overload");

function isZero(value: CelValue): boolean {
  if (value === null || value === false || value === 0 || value === 0n || value === "") return true;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof ListValue || value instanceof MapValue) return value.size === 0;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof StructValue) return value.fields.size === 0;
  return value instanceof Duration && value.nanos === 0n;
}

/** Optional values (cel-go `cel/library.go`, `OptionalTypes`). `or` and `orValue` do not evaluate what they do not need. */
export const optionalLibrary: readonly Overload[] = [
  overload("optional_of", "optional.of(A): optional_type(A)", ([a]) => new OptionalValue(a)),
  overload("optional_ofNonZeroValue", "optional.ofNonZeroValue(A): optional_type(A)", ([a]) =>
    a === undefined || isZero(a) ? none : new OptionalValue(a),
  ),
  overload("optional_none", "optional.none(): optional_type(A)", () => none),
  overload(
    "optional_value",
    "(optional_type(A)).value(): A",
    ([a]) => (a as OptionalValue).value ?? new Failure("optional.none() dereference"),
  ),
  overload("optional_hasValue", "(optional_type(A)).hasValue(): bool", ([a]) => (a as OptionalValue).value !== undefined),
  overload("optional_or_optional", "(optional_type(A)).or(optional_type(A)): optional_type(A)", lazy),
  overload("optional_orValue_value", "(optional_type(A)).orValue(A): A", lazy),
];
