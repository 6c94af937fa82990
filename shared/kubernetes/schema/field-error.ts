import type { StatusCause } from "../status-error.ts";
import { goQuote } from "./go-text.ts";

/**
 * Constructors of `StatusCause`s in the words of apimachinery's `field.Error.ErrorBody`. A bad value is a string or a number as it is, or
 * a `GoValue` for what Go prints by `%#v`.
 */
export type BadValue = string | number | boolean | undefined | null | GoValue;

/** Text that is printed as it stands, e.g. `map[string]string{"a":"b"}`. */
export interface GoValue {
  readonly go: string;
}

function printed(value: BadValue): string {
  if (typeof value === "string") return goQuote(value);
  // Kubernetes puts the word in the place of a nil pointer, and quotes it as any other.
  if (value === undefined || value === null) return '"null"';
  return typeof value === "object" ? value.go : String(value);
}

function cause(reason: string, type: string, field: string, detail: string): StatusCause {
  return { reason, message: detail === "" ? type : `${type}: ${detail}`, field };
}

export function required(field: string, detail = ""): StatusCause {
  return cause("FieldValueRequired", "Required value", field, detail);
}

export function invalid(field: string, value: BadValue, detail: string): StatusCause {
  return cause("FieldValueInvalid", `Invalid value: ${printed(value)}`, field, detail);
}

/** Where the value would say nothing (`field.OmitValueType`). */
export function invalidState(field: string, detail: string): StatusCause {
  return cause("FieldValueInvalid", "Invalid value", field, detail);
}

/** `supported` in the order given: callers sort where Kubernetes does (it keeps declared lists, and sorts sets). */
export function notSupported(field: string, value: BadValue, supported: readonly string[]): StatusCause {
  const detail = supported.length === 0 ? "" : `supported values: ${supported.map(goQuote).join(", ")}`;
  return cause("FieldValueNotSupported", `Unsupported value: ${printed(value)}`, field, detail);
}

export function duplicate(field: string, value: BadValue): StatusCause {
  return cause("FieldValueDuplicate", `Duplicate value: ${printed(value)}`, field, "");
}

export function notFound(field: string, value: BadValue): StatusCause {
  return cause("FieldValueNotFound", `Not found: ${printed(value)}`, field, "");
}

export function forbidden(field: string, detail: string): StatusCause {
  return cause("FieldValueForbidden", "Forbidden", field, detail);
}

/** `maximum` in bytes. */
export function tooLong(field: string, maximum: number): StatusCause {
  return cause("FieldValueTooLong", "Too long", field, maximum >= 0 ? `may not be more than ${maximum} bytes` : "value is too long");
}

export function tooMany(field: string, actual: number, maximum: number): StatusCause {
  return cause("FieldValueTooMany", `Too many: ${actual}`, field, `must have at most ${maximum} items`);
}

/** `parent.child`, or `child` alone under an empty parent. */
export function child(parent: string, name: string): string {
  return parent === "" ? name : `${parent}.${name}`;
}
