import { type BadValue, invalid } from "../schema/field-error.ts";
import { goSyntax } from "../schema/go-text.ts";
import type { StatusCause } from "../status-error.ts";

/** A JSON value as an error prints what it found: scalars plainly, the rest by Go's `%#v`. */
export function goValue(value: unknown): BadValue {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return value === null || value === undefined ? undefined : { go: goSyntax(value) };
}

/** `invalid` of a value whose JSON type is wrong: a reason of its own, in the same words (`field.TypeInvalid`). */
export function typeInvalid(field: string, value: BadValue, detail: string): StatusCause {
  return { ...invalid(field, value, detail), reason: "FieldValueTypeInvalid" };
}

/** `field` of an error that has no place: Go prints its path as nil. */
export const nowhere = "<nil>";
