import { type StatusCause, type StatusDetails, StatusError } from "../status-error.ts";
import { goQuote } from "./go-text.ts";

/**
 * The 422 that answers an object which breaks the rules of its kind: `causes` one by one in the details, and together in the message,
 * each text once (apimachinery `errors.NewInvalid`, `field.ErrorList.ToAggregate`). `group` is empty for the core group.
 */
export function invalidStatus(kind: string, group: string, name: string, causes: readonly StatusCause[]): StatusError {
  const texts = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))];
  const problems = texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`;
  const qualified = group === "" ? kind : `${kind}.${group}`;
  const details: StatusDetails = {
    causes: [...causes],
    ...(kind !== "" && { kind }),
    ...(name !== "" && { name }),
    ...(group !== "" && { group }),
  };
  return new StatusError("Invalid", `${qualified} ${goQuote(name)} is invalid: ${problems}`, details);
}
