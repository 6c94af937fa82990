import { deepEqual } from "../../deep-equal.ts";
import type { StatusCause } from "../../status-error.ts";
import type { StorageClass, TopologySelectorTerm } from "../../types.ts";
import { duplicate, forbidden, invalid, required, tooLong } from "../field-error.ts";
import { checkImmutable, checkQualifiedName, checkSupported } from "./checks.ts";

const maximumParameters = 512;
const maximumParameterBytes = 256 * 1024;
export function validateStorageClass(storageClass: StorageClass): StatusCause[] {
  const { provisioner, parameters = {}, reclaimPolicy, volumeBindingMode, allowedTopologies = [] } = storageClass;
  const causes = provisioner === "" ? [required("provisioner")] : checkQualifiedName(provisioner.toLowerCase(), "provisioner");
  causes.push(...checkParameters(parameters), ...checkPolicy(reclaimPolicy));
  if (volumeBindingMode === undefined) causes.push(required("volumeBindingMode"));
  causes.push(...checkSupported(volumeBindingMode, ["Immediate", "WaitForFirstConsumer"], "volumeBindingMode"));
  return [...causes, ...checkTopologies(allowedTopologies)];
}

function checkParameters(parameters: Readonly<Record<string, string>>): StatusCause[] {
  const entries = Object.entries(parameters);
  if (entries.length > maximumParameters) return [tooLong("parameters", maximumParameters)];
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  const causes: StatusCause[] = entries.filter(([key]) => key === "").map(([key]) => invalid("parameters", key, "field can not be empty."));
  return bytes > maximumParameterBytes ? [...causes, tooLong("parameters", maximumParameterBytes)] : causes;
}

const checkPolicy = (policy: string | undefined): StatusCause[] =>
  (policy ?? "") === "" ? [] : checkSupported(policy, ["Delete", "Retain"], "reclaimPolicy");

/**
 * No two terms may say the same. Kubernetes compares each term with a list that begins with as many empty ones as there are terms, so a
 * term without expressions is a duplicate of each of them.
 */
function checkTopologies(terms: readonly TopologySelectorTerm[]): StatusCause[] {
  const seen: string[] = terms.map(() => "[]");
  return terms.flatMap((term, index) => {
    const path = `allowedTopologies[${index}]`;
    const expressions = new Map((term.matchLabelExpressions ?? []).map(({ key, values }) => [key, [...new Set(values ?? [])].sort()]));
    const form = JSON.stringify([...expressions].sort(([a], [b]) => (a < b ? -1 : 1)));
    const repeated = seen.filter((other) => other === form).map(() => duplicate(`${path}.matchLabelExpressions`, ""));
    seen.push(form);
    return [...checkTopology(term, path), ...repeated];
  });
}

function checkTopology({ matchLabelExpressions = [] }: TopologySelectorTerm, path: string): StatusCause[] {
  return matchLabelExpressions.flatMap(({ key, values }, index) => {
    const at = `${path}.matchLabelExpressions[${index}]`;
    const list = values ?? [];
    const repeated = list.flatMap((value, number) => (list.indexOf(value) < number ? [duplicate(`${at}.values[${number}]`, value)] : []));
    const again = matchLabelExpressions.findIndex((expression) => expression.key === key) < index;
    return [
      ...(list.length === 0 ? [required(`${at}.values`)] : []),
      ...repeated,
      ...checkQualifiedName(key, `${at}.key`),
      ...(again ? [duplicate(`${at}.key`, key)] : []),
    ];
  });
}

export function validateStorageClassUpdate(next: StorageClass, live: StorageClass): StatusCause[] {
  const causes: StatusCause[] = [];
  if (!deepEqual(next.parameters ?? {}, live.parameters ?? {}))
    causes.push(forbidden("parameters", "updates to parameters are forbidden."));
  for (const field of ["provisioner", "reclaimPolicy"] as const) {
    if (next[field] !== live[field]) causes.push(forbidden(field, `updates to ${field} are forbidden.`));
  }
  return [...causes, ...checkImmutable(next.volumeBindingMode, live.volumeBindingMode, "volumeBindingMode")];
}
