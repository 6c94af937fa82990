import type { StatusCause } from "../../status-error.ts";
import type { Condition } from "../../types.ts";
import { duplicate, invalid, notSupported, required, tooLong } from "../field-error.ts";
import { checkQualifiedName } from "./checks.ts";

const statuses = ["False", "True", "Unknown"];
const maximumReason = 1024;
const maximumMessage = 32 * 1024;
const reasonForm = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?";
const reasonProblem =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'";
const reasonExamples = ["my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB"].map((each) => `or '${each}', `).join("");

/** `metav1validation.ValidateConditions`. */
export function checkConditions(conditions: readonly Partial<Condition>[] | undefined, path: string): StatusCause[] {
  const types = (conditions ?? []).map(({ type = "" }) => type);
  return (conditions ?? []).flatMap((condition, index) => {
    const at = `${path}[${index}]`;
    const { type = "" } = condition;
    return [...(types.indexOf(type) < index ? [duplicate(`${at}.type`, type)] : []), ...checkCondition(condition, at)];
  });
}

function checkCondition(condition: Partial<Condition>, path: string): StatusCause[] {
  const { type = "", status = "", observedGeneration = 0, lastTransitionTime, reason = "", message = "" } = condition;
  return [
    ...checkQualifiedName(type, `${path}.type`),
    ...(statuses.includes(status) ? [] : [notSupported(`${path}.status`, status, statuses)]),
    ...(observedGeneration < 0 ? [invalid(`${path}.observedGeneration`, observedGeneration, "must be greater than or equal to zero")] : []),
    ...(lastTransitionTime ? [] : [required(`${path}.lastTransitionTime`, "must be set")]),
    ...checkReason(reason, `${path}.reason`),
    ...(Buffer.byteLength(message) > maximumMessage ? [tooLong(`${path}.message`, maximumMessage)] : []),
  ];
}

function checkReason(reason: string, path: string): StatusCause[] {
  if (reason === "") return [required(path, "must be set")];
  const text = `${reasonProblem} (e.g. ${reasonExamples.replace(/^or /, " ").trim()} regex used for validation is '${reasonForm}')`;
  return [
    ...(new RegExp(`^${reasonForm}$`).test(reason) ? [] : [invalid(path, reason, text)]),
    ...(Buffer.byteLength(reason) > maximumReason ? [tooLong(path, maximumReason)] : []),
  ];
}
