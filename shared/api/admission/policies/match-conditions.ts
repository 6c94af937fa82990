import type { Bindings } from "../../../kubernetes/cel/evaluate.ts";
import { matchConditionsBudget } from "../../../kubernetes/cel/meter.ts";
import { oncePer } from "../../../kubernetes/once-per.ts";
import { type CompiledPolicy, compileMatchConditions } from "../../../kubernetes/policies/compiled-policy.ts";
import { Evaluation } from "../../../kubernetes/policies/evaluation.ts";
import type { MatchCondition } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { aggregate } from "../attributes.ts";

type Compiled = CompiledPolicy["matchConditions"];
/** `error`: none is false, and some could not be told. */
export type ConditionsOutcome = { readonly kind: "match" | "no match" } | { readonly kind: "error"; readonly message: string };

/** Expressions of one request may take no longer, whatever they cost. */
export const mostMs = 1000;

/** Of a webhook. */
export const compiledConditionsOf = oncePer((conditions: readonly MatchCondition[]): Compiled => compileMatchConditions(conditions, false));

/** One that is false decides, whatever the others cannot tell (apiserver `matchconditions`). */
export function matchConditions({ clock }: ApiCluster, compiled: Compiled, bindings: Bindings): ConditionsOutcome {
  const until = clock.now() + mostMs;
  const evaluation = new Evaluation(bindings, matchConditionsBudget, () => clock.now() > until);
  const errors: string[] = [];
  for (const { expression } of compiled) {
    const result = evaluation.evaluate(expression);
    if (evaluation.exhausted && result.kind === "error") return { kind: "error", message: result.message };
    if (result.kind === "error") errors.push(result.message);
    else if (result.value === false) return { kind: "no match" };
  }
  return errors.length > 0 ? { kind: "error", message: aggregate(errors) } : { kind: "match" };
}
