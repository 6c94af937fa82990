import { objectBudget } from "../../../kubernetes/cel/meter.ts";
import { validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from "../../../kubernetes/known-resources.ts";
import { oncePer } from "../../../kubernetes/once-per.ts";
import { compilePolicy } from "../../../kubernetes/policies/compiled-policy.ts";
import { Evaluation } from "../../../kubernetes/policies/evaluation.ts";
import { StatusError, type StatusReason } from "../../../kubernetes/status-error.ts";
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, Validation } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { type AdmissionAttributes, denied } from "../attributes.ts";
import { isExempt } from "../matching.ts";
import { inVersionOf } from "../webhooks/versions.ts";
import { bindingsOf } from "./bindings.ts";
import { type Invocation, invocationsOf } from "./invocations.ts";
import { matchConditions, mostMs } from "./match-conditions.ts";

interface Denial {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason: StatusReason;
}
type Decision = Pick<Denial, "message" | "reason">;

const mostMessageBytes = 5 * 1024;
const codes: Partial<Record<StatusReason, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413 };

const kinds = { policies: validatingAdmissionPolicies, bindings: validatingAdmissionPolicyBindings };

/**
 * ValidatingAdmissionPolicy: evaluates each policy that matches a request by each of its bindings with each of their parameters. The first
 * refusal is the answer; bindings that only warn warn. @throws StatusError
 */
export async function validateByPolicies(cluster: ApiCluster, attributes: AdmissionAttributes): Promise<void> {
  if (isExempt(attributes)) return;
  let first: Denial | undefined;
  for (const concern of invocationsOf<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding>(cluster, kinds, attributes)) {
    const { policy, binding } = concern;
    const names = { policy: policy.metadata.name ?? "", binding: binding?.metadata.name };
    if (concern.kind === "misconfigured") {
      if (policy.spec?.failurePolicy !== "Ignore") first ??= { ...names, message: concern.message, reason: "Invalid" };
      continue;
    }
    for (const decision of await evaluatePolicy(cluster, attributes, concern)) {
      for (const action of concern.binding.spec?.validationActions ?? []) {
        if (action === "Deny") first ??= { ...names, ...decision };
        if (action === "Warn")
          attributes.context.warn(
            `Validation failed for ValidatingAdmissionPolicy '${names.policy}' with binding '${names.binding}': ${decision.message}`,
          );
      }
    }
  }
  if (!first) return;
  const by = first.binding === undefined ? "" : ` with binding '${first.binding}'`;
  const message = `ValidatingAdmissionPolicy '${first.policy}'${by} denied request: ${first.message}`;
  const error = denied(attributes, message);
  throw new StatusError(first.reason, error.message, { ...error.details, causes: [{ message }] }, codes[first.reason] ?? 422);
}

const compiledOf = oncePer(compilePolicy);

/** Why a policy refuses a request with one set of parameters; nothing: it does not (apiserver `validating/validator.go`). */
async function evaluatePolicy(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  { policy: { spec = {} }, matched: { resource }, params }: Invocation<ValidatingAdmissionPolicy, unknown>,
): Promise<Decision[]> {
  const compiled = compiledOf(spec);
  const bindings = bindingsOf(cluster, await inVersionOf(cluster, attributes, resource), resource, params);
  const failed = (message: string): Decision[] => (spec.failurePolicy === "Ignore" ? [] : [{ message, reason: "Invalid" }]);
  if (compiled.matchConditions.length > 0) {
    const outcome = matchConditions(cluster, compiled.matchConditions, bindings);
    if (outcome.kind === "no match") return [];
    if (outcome.kind === "error") return failed(outcome.message);
  }
  const until = cluster.clock.now() + mostMs;
  const variables = { compiled: compiled.variables, type: compiled.variablesType };
  const evaluationOf = (): Evaluation => new Evaluation(bindings, objectBudget, () => cluster.clock.now() > until, variables);
  const evaluation = evaluationOf();
  const decisions: Decision[] = [];
  for (const [index, { expression, message }] of compiled.validations.entries()) {
    const result = evaluation.evaluate(expression);
    if (result.kind === "error") {
      if (evaluation.exhausted) return failed(result.message);
      decisions.push(...failed(result.message));
    } else if (result.value !== true) {
      const validation = spec.validations?.[index];
      const told = message && evaluation.evaluate(message);
      const text = told?.kind === "value" && typeof told.value === "string" ? told.value : undefined;
      decisions.push({ message: messageOf(validation, text), reason: (validation?.reason ?? "Invalid") as StatusReason });
    }
  }
  const annotations = evaluationOf();
  for (const { expression } of compiled.auditAnnotations) {
    const result = annotations.evaluate(expression);
    if (result.kind === "error") decisions.push(...failed(result.message));
  }
  return decisions;
}

/** The message expression's where it is one line and not too long, else the fixed message, else the expression itself. */
function messageOf(validation: Validation | undefined, computed: string | undefined): string {
  const text = computed?.trim() ?? "";
  if (text !== "" && Buffer.byteLength(text) <= mostMessageBytes && !text.includes("\n")) return text;
  return validation?.message?.trim() || `failed expression: ${validation?.expression.trim() ?? ""}`;
}
