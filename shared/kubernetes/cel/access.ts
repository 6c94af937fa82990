import { isFailure } from "./compare.ts";
import { type CelValue, Failure, ListValue, MapValue, none, ObjectValue, OptionalValue } from "./value.ts";

export const noOverload = new Failure("no such overload");

export function selectField(value: CelValue, field: string): CelValue {
  if (value instanceof ObjectValue) return value.field(field) ?? new Failure(`no such key: ${field}`);
  if (value instanceof MapValue) return value.get(field) ?? new Failure(`no such key: ${field}`);
  if (value instanceof OptionalValue) return value.value === undefined ? none : selectOptional(value.value, field);
  return noOverload;
}

export function selectOptional(value: CelValue, key: CelValue): CelValue {
  if (value instanceof OptionalValue) return value.value === undefined ? none : selectOptional(value.value, key);
  const found = lookUp(value, key);
  if (isFailure(found)) return found;
  if (found === undefined) return none;
  return found instanceof OptionalValue ? found : new OptionalValue(found);
}

function lookUp(value: CelValue, key: CelValue): CelValue | undefined {
  if (value instanceof ObjectValue) return typeof key === "string" ? value.field(key) : noOverload;
  if (value instanceof MapValue) return value.get(key);
  if (value instanceof ListValue) {
    if (typeof key !== "bigint") return noOverload;
    return key >= 0n && key < BigInt(value.size) ? value.at(Number(key)) : undefined;
  }
  return noOverload;
}

export function testField(value: CelValue, field: string): CelValue {
  if (isFailure(value)) return value;
  if (value instanceof ObjectValue) return value.field(field) !== undefined;
  if (value instanceof MapValue) return value.get(field) !== undefined;
  if (value instanceof OptionalValue) return value.value === undefined ? false : testField(value.value, field);
  return noOverload;
}
