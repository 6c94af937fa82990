import { listOf } from "../cel/type.ts";
import type { MutatingAdmissionPolicySpec, Mutation } from "../types.ts";
import { type CompiledPolicy, compileMatchConditions, compileVariables } from "./compiled-policy.ts";
import { variablesOf } from "./environment.ts";
import { type AdmissionExpression, compileIn } from "./expression.ts";
import { configurationType, jsonPatchType, patchLanguage } from "./patch-language.ts";

export interface CompiledMutations extends Pick<CompiledPolicy, "variables" | "variablesType" | "matchConditions"> {
  readonly mutations: readonly { readonly patchType: Mutation["patchType"]; readonly expression: AdmissionExpression }[];
}

/** What a mutation's expression has to evaluate to. */
export const patchTypes = { ApplyConfiguration: configurationType, JSONPatch: listOf(jsonPatchType) } as const;

/** The expressions of a MutatingAdmissionPolicy; what does not compile is told apart, not thrown. */
export function compileMutations(spec: MutatingAdmissionPolicySpec): CompiledMutations {
  const hasParams = spec.paramKind !== undefined;
  const base = variablesOf({ hasParams, hasAuthorizer: true });
  const { variables, variablesType } = compileVariables(spec.variables ?? [], base);
  const environment = new Map([...base, ["variables", variablesType]]);
  return {
    variables,
    variablesType,
    matchConditions: compileMatchConditions(spec.matchConditions ?? [], hasParams),
    mutations: (spec.mutations ?? []).map(({ patchType, applyConfiguration, jsonPatch }) => {
      const text = (patchType === "JSONPatch" ? jsonPatch : applyConfiguration)?.expression ?? "";
      return { patchType, expression: compileIn(patchLanguage, text, environment, [patchTypes[patchType]]) };
    }),
  };
}
