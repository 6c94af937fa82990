import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  errorType,
  intType,
  listOf,
  mapOf,
  nullType,
  optionalOf,
  stringType,
  timestampType,
  typeOfType,
  uintType,
} from "./type.ts";
import {
  type CelValue,
  Duration,
  Failure,
  ListValue,
  MapValue,
  ObjectValue,
  OpaqueValue,
  OptionalValue,
  Timestamp,
  TypeValue,
  Uint,
} from "./value.ts";

/** The type of a value as far as it is known without looking inside. */
export function typeOfLiteral(value: CelValue): CelType {
  if (value === null) return nullType;
  switch (typeof value) {
    case "boolean":
      return boolType;
    case "bigint":
      return intType;
    case "number":
      return doubleType;
    case "string":
      return stringType;
    default:
      return typeOfObject(value);
  }
}

function typeOfObject(value: Exclude<CelValue, boolean | bigint | number | string | null>): CelType {
  if (value instanceof Uint8Array) return bytesType;
  if (value instanceof Uint) return uintType;
  if (value instanceof Timestamp) return timestampType;
  if (value instanceof Duration) return durationType;
  if (value instanceof ListValue) return listOf(dynType);
  if (value instanceof MapValue) return mapOf(dynType, dynType);
  if (value instanceof ObjectValue || value instanceof OpaqueValue) return value.type;
  if (value instanceof OptionalValue) return optionalOf(dynType);
  if (value instanceof TypeValue) return typeOfType(dynType);
  if (value instanceof Failure) return errorType;
  return value satisfies never;
}

/** Whether a value may be passed where the type is declared: what dispatch decides at run time, where types were dynamic. */
export function fits(value: CelValue, type: CelType): boolean {
  switch (type.kind) {
    case "dyn":
    case "param":
      return true;
    case "opaque":
      return value instanceof OptionalValue ? type.name === "optional_type" : value instanceof OpaqueValue && value.type.name === type.name;
    case "object":
      return value instanceof ObjectValue && value.type.name === type.name;
    default:
      return typeOfLiteral(value).kind === type.kind && (type.kind !== "list" || elementFits(value, type));
  }
}

/** A list passes by its first element, as in cel-go. */
function elementFits(value: CelValue, { parameters: [element] }: CelType): boolean {
  if (!(value instanceof ListValue) || value.size === 0 || element === undefined) return true;
  return fits(value.at(0), element);
}
