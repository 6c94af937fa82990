import { deepEqual } from "../../deep-equal.ts";
import { patchTypes } from "../../policies/compiled-mutations.ts";
import { compileVariables } from "../../policies/compiled-policy.ts";
import { variablesOf } from "../../policies/environment.ts";
import { compileIn } from "../../policies/expression.ts";
import { patchLanguage } from "../../policies/patch-language.ts";
import type { StatusCause } from "../../status-error.ts";
import type { MatchResources, MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, Mutation } from "../../types.ts";
import { invalid, notSupported, required } from "../field-error.ts";
import { checkBound, checkMatchConditions, checkScope, checkVariables, problemsOf } from "./admission-policies.ts";

/** pkg/apis/admissionregistration/validation `ValidateMutatingAdmissionPolicy`. Match conditions that stay as they are are not looked at again. */
export function validateMutatingPolicy({ spec = {} }: MutatingAdmissionPolicy, live?: MutatingAdmissionPolicy): StatusCause[] {
  const { paramKind, matchConditions = [], variables = [], mutations = [], reinvocationPolicy = "" } = spec;
  const hasParams = paramKind !== undefined;
  const causes = [...checkScope(spec), ...checkOperations(spec.matchConstraints, "spec.matchConstraints")];
  if (!deepEqual(matchConditions, live?.spec?.matchConditions ?? []))
    causes.push(...checkMatchConditions(matchConditions, hasParams, "spec.matchConditions"));
  const environment = variablesOf({ hasParams, hasAuthorizer: true });
  const compiled = compileVariables(variables, environment);
  causes.push(...checkVariables(variables, compiled.variables));
  environment.set("variables", compiled.variablesType);
  if (mutations.length === 0) causes.push(required("spec.mutations", "mutations must contain at least one item"));
  for (const [index, mutation] of mutations.entries()) causes.push(...checkMutation(mutation, environment, `spec.mutations[${index}]`));
  if (reinvocationPolicy === "") causes.push(required("spec.reinvocationPolicy"));
  else if (!["IfNeeded", "Never"].includes(reinvocationPolicy))
    causes.push(notSupported("spec.reinvocationPolicy", reinvocationPolicy, ["IfNeeded", "Never"]));
  return causes;
}

const fields = { ApplyConfiguration: "applyConfiguration", JSONPatch: "jsonPatch" } as const;

function checkMutation(mutation: Mutation, environment: ReturnType<typeof variablesOf>, path: string): StatusCause[] {
  const patchType: string = mutation.patchType;
  if (patchType === "") return [required(`${path}.patchType`)];
  if (patchType !== "ApplyConfiguration" && patchType !== "JSONPatch")
    return [notSupported(`${path}.patchType`, patchType, Object.keys(fields))];
  const [own, other] =
    patchType === "JSONPatch" ? [fields.JSONPatch, fields.ApplyConfiguration] : [fields.ApplyConfiguration, fields.JSONPatch];
  const given = mutation[own];
  const text = given?.expression?.trim() ?? "";
  const causes: StatusCause[] = [];
  if (!given) causes.push(required(`${path}.${own}`, `must be specified when patchType is ${patchType}`));
  else if (text === "") causes.push(required(`${path}.${own}.expression`));
  else {
    const compiled = compileIn(patchLanguage, text, environment, [patchTypes[patchType]]);
    causes.push(...problemsOf(compiled, text, `${path}.${own}.expression`));
  }
  if (mutation[other]) causes.push(invalid(`${path}.${other}`, `{${other}}`, `must not be specified when patchType is ${patchType}`));
  return causes;
}

const operations = ["*", "CONNECT", "CREATE", "UPDATE"];

/** Of a deletion there is nothing to change. */
function checkOperations(match: MatchResources | undefined, path: string): StatusCause[] {
  const named = (match?.resourceRules ?? []).flatMap((rule) => rule.operations ?? []);
  return named
    .filter((operation) => !operations.includes(operation))
    .map((operation) => notSupported(`${path}.resourceRules.operations`, operation, operations));
}

/** `ValidateMutatingAdmissionPolicyBinding` */
export const validateMutatingPolicyBinding = ({ spec = {} }: MutatingAdmissionPolicyBinding): StatusCause[] => [
  ...checkBound(spec),
  ...checkOperations(spec.matchResources, "spec.matchResources"),
];
