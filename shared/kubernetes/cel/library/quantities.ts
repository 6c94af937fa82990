import { addQuantities, compareQuantities, parseQuantity, type Quantity, quantityOf, subtractQuantities } from "../../quantity.ts";
import { type Overload, overload } from "../overload.ts";
import { opaqueType } from "../type.ts";
import { type CelValue, Failure, OpaqueValue } from "../value.ts";
import { attempt, succeeds } from "./addresses.ts";

const quantityType = opaqueType("kubernetes.Quantity");
const nanosPerUnit = 1_000_000_000n;

const quantityValue = (quantity: Quantity): CelValue => new OpaqueValue(quantityType, quantity, String(quantity.nanos));
const quantityIn = (value: CelValue | undefined): Quantity => (value as OpaqueValue<Quantity>).content;

function wholeOf({ nanos }: Quantity): bigint | undefined {
  const whole = nanos / nanosPerUnit;
  return nanos % nanosPerUnit === 0n && BigInt.asIntN(64, whole) === whole ? whole : undefined;
}

/** Quantities (apiserver `cel/library/quantity.go`). */
export const quantityLibrary: readonly Overload[] = [
  overload("string_to_quantity", "quantity(string): kubernetes.Quantity", ([text]) =>
    attempt(() => quantityValue(parseQuantity(text as string))),
  ),
  overload("is_quantity_string", "isQuantity(string): bool", succeeds(parseQuantity)),
  overload("quantity_sign", "(kubernetes.Quantity).sign(): int", ([a]) => BigInt(compareQuantities(quantityIn(a), quantityOf(0)))),
  overload(
    "quantity_is_greater_than",
    "(kubernetes.Quantity).isGreaterThan(kubernetes.Quantity): bool",
    ([a, b]) => compareQuantities(quantityIn(a), quantityIn(b)) > 0,
  ),
  overload(
    "quantity_is_less_than",
    "(kubernetes.Quantity).isLessThan(kubernetes.Quantity): bool",
    ([a, b]) => compareQuantities(quantityIn(a), quantityIn(b)) < 0,
  ),
  overload("quantity_compare_to", "(kubernetes.Quantity).compareTo(kubernetes.Quantity): int", ([a, b]) =>
    BigInt(compareQuantities(quantityIn(a), quantityIn(b))),
  ),
  overload("quantity_get_float", "(kubernetes.Quantity).asApproximateFloat(): double", ([a]) => Number(quantityIn(a).nanos) / 1e9),
  overload(
    "quantity_get_int",
    "(kubernetes.Quantity).asInteger(): int",
    ([a]) => wholeOf(quantityIn(a)) ?? new Failure("cannot convert value to integer"),
  ),
  overload("quantity_is_integer", "(kubernetes.Quantity).isInteger(): bool", ([a]) => wholeOf(quantityIn(a)) !== undefined),
  overload("quantity_add", "(kubernetes.Quantity).add(kubernetes.Quantity): kubernetes.Quantity", ([a, b]) =>
    quantityValue(addQuantities(quantityIn(a), quantityIn(b))),
  ),
  overload("quantity_add_int", "(kubernetes.Quantity).add(int): kubernetes.Quantity", ([a, b]) =>
    quantityValue(addQuantities(quantityIn(a), quantityOf(b as bigint))),
  ),
  overload("quantity_sub", "(kubernetes.Quantity).sub(kubernetes.Quantity): kubernetes.Quantity", ([a, b]) =>
    quantityValue(subtractQuantities(quantityIn(a), quantityIn(b))),
  ),
  overload("quantity_sub_int", "(kubernetes.Quantity).sub(int): kubernetes.Quantity", ([a, b]) =>
    quantityValue(subtractQuantities(quantityIn(a), quantityOf(b as bigint))),
  ),
];
