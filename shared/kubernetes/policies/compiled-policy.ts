import { boolType, type CelType, dynType, nullType, objectType, stringType } from "../cel/type.ts";
import type { MatchCondition, ValidatingAdmissionPolicySpec, Variable } from "../types.ts";
import { type EnvironmentOptions, variablesOf } from "./environment.ts";
import { type AdmissionExpression, compileAdmissionExpression } from "./expression.ts";

export interface CompiledVariable {
  readonly name: string;
  readonly expression: AdmissionExpression;
}

export interface CompiledPolicy {
  /** Each sees those before it as fields of `variables`. */
  readonly variables: readonly CompiledVariable[];
  /** The type of `variables` for everything that comes after them. */
  readonly variablesType: CelType;
  readonly matchConditions: readonly { readonly name: string; readonly expression: AdmissionExpression }[];
  readonly validations: readonly {
    readonly expression: AdmissionExpression;
    readonly message: AdmissionExpression | undefined;
  }[];
  readonly auditAnnotations: readonly { readonly key: string; readonly expression: AdmissionExpression }[];
}

/** The expressions of a ValidatingAdmissionPolicy over the types that are known; what does not compile is told apart, not thrown. */
export function compilePolicy(
  spec: ValidatingAdmissionPolicySpec,
  types: Pick<EnvironmentOptions, "object" | "params"> = {},
): CompiledPolicy {
  const hasParams = spec.paramKind !== undefined;
  const base = variablesOf({ ...types, hasParams, hasAuthorizer: true });
  const { variables, variablesType } = compileVariables(spec.variables ?? [], base);
  const composed = (spec.variables?.length ?? 0) > 0;
  const environment = composed ? new Map([...base, ["variables", variablesType]]) : base;
  const withoutAuthorizer = variablesOf({ ...types, hasParams, hasAuthorizer: false });
  if (composed) withoutAuthorizer.set("variables", variablesType);
  return {
    variables,
    variablesType,
    matchConditions: compileMatchConditions(spec.matchConditions ?? [], hasParams),
    validations: (spec.validations ?? []).map(({ expression, messageExpression }) => ({
      expression: compileAdmissionExpression(expression, environment, boolType),
      message: messageExpression ? compileAdmissionExpression(messageExpression, withoutAuthorizer, stringType) : undefined,
    })),
    auditAnnotations: (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      expression: compileAdmissionExpression(valueExpression.trim(), environment, stringType, nullType),
    })),
  };
}

/** Variables in their order: each may use those before it (KEP-3488, variable composition). */
export function compileVariables(
  variables: readonly Variable[],
  environment: ReadonlyMap<string, CelType>,
): { variables: CompiledVariable[]; variablesType: CelType } {
  const compiled: CompiledVariable[] = [];
  const fields: [string, CelType][] = [];
  for (const { name, expression } of variables) {
    const known = new Map([...environment, ["variables", objectType("kubernetes.variables", fields)]]);
    const result = compileAdmissionExpression(expression, known);
    compiled.push({ name, expression: result });
    fields.push([name, result.kind === "compiled" ? result.program.type : dynType]);
  }
  return { variables: compiled, variablesType: objectType("kubernetes.variables", fields) };
}

export function compileMatchConditions(conditions: readonly MatchCondition[], hasParams: boolean): CompiledPolicy["matchConditions"] {
  const environment = variablesOf({ hasParams, hasAuthorizer: true });
  return conditions.map(({ name, expression }) => ({
    name,
    expression: compileAdmissionExpression(expression.trim(), environment, boolType),
  }));
}
