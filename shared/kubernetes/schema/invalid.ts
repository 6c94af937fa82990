import { type StatusCause, type StatusDetails, StatusError } from "../status-error.ts";
import { goQuote } from "./go-text.ts";

/**
 * The 422 that answers an object which breaks the rules of its kind: `causes` one by one in the details, and together in the message,
 * each text once (apimachinery `errors.NewInvalid`, `field.ErrorList.ToAggregate`). `group` is empty for the core group.
 */
export function invalidStatus(kind: string, group: string, name: string, causes: readonly StatusCause[]): StatusError {
  const problems = together(causes);
  const qualified = group === "" ? kind : `${kind}.${group}`;
  const details: StatusDetails = {
    causes: [...causes],
    ...(kind !== "" && { kind }),
    ...(name !== "" && { name }),
    ...(group !== "" && { group }),
  };
  return new StatusError("Invalid", `${qualified} ${goQuote(name)} is invalid: ${problems}`, details);
}

/** What is wrong in one text, as `field.ErrorList.ToAggregate` prints it: each problem once. */
export function together(causes: readonly StatusCause[]): string {
  const texts = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))];
  return texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`;
}
