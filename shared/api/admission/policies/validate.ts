import { objectBudget } from "../../../kubernetes/cel/meter.ts";
import { validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from "../../../kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../../kubernetes/object.ts";
import { type CompiledPolicy, compilePolicy } from "../../../kubernetes/policies/compiled-policy.ts";
import { Evaluation } from "../../../kubernetes/policies/evaluation.ts";
import { isStatus, StatusError, type StatusReason } from "../../../kubernetes/status-error.ts";
import type {
  MatchResources,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicySpec,
  Validation,
} from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { type AdmissionAttributes, denied } from "../attributes.ts";
import { isExempt, type Matched, matchRequest } from "../matching.ts";
import { inVersionOf } from "../webhooks/versions.ts";
import { bindingsOf } from "./bindings.ts";
import { matchConditions, mostMs } from "./match-conditions.ts";
import { collectParams, paramResource } from "./params.ts";

interface Denial {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason: StatusReason;
}
type Decision = Pick<Denial, "message" | "reason">;

const mostMessageBytes = 5 * 1024;
const codes: Partial<Record<StatusReason, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413 };

/**
 * ValidatingAdmissionPolicy: evaluates each policy that matches a request by each of its bindings with each of their parameters. The first
 * refusal is the answer; bindings that only warn warn. @throws StatusError
 */
export async function validateByPolicies(cluster: ApiCluster, attributes: AdmissionAttributes): Promise<void> {
  if (isExempt(attributes)) return;
  const denials: Denial[] = [];
  for (const [policy, bindings] of boundPolicies(cluster)) await applyPolicy(cluster, attributes, policy, bindings, denials);
  const [first] = denials;
  if (!first) return;
  const by = first.binding === undefined ? "" : ` with binding '${first.binding}'`;
  const message = `ValidatingAdmissionPolicy '${first.policy}'${by} denied request: ${first.message}`;
  const error = denied(attributes, message);
  throw new StatusError(first.reason, error.message, { ...error.details, causes: [{ message }] }, codes[first.reason] ?? 422);
}

function boundPolicies({ mirror }: ApiCluster): Map<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding[]> {
  const bound = new Map<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding[]>();
  for (const { object } of mirror.list(validatingAdmissionPolicyBindings)) {
    const binding = object as ValidatingAdmissionPolicyBinding;
    const found = mirror.get(validatingAdmissionPolicies, "", binding.spec?.policyName ?? "");
    if (!found) continue;
    const policy = found.object as ValidatingAdmissionPolicy;
    const others = bound.get(policy);
    if (others) others.push(binding);
    else bound.set(policy, [binding]);
  }
  return bound;
}

async function applyPolicy(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  { metadata, spec = {} }: ValidatingAdmissionPolicy,
  bindings: readonly ValidatingAdmissionPolicyBinding[],
  denials: Denial[],
): Promise<void> {
  const policy = metadata.name ?? "";
  const misconfigured = (error: unknown, binding?: string): void => {
    if (!(error instanceof Error)) throw error;
    if (spec.failurePolicy === "Ignore") return;
    const what = binding === undefined ? "policy" : "binding";
    denials.push({ policy, binding, message: `failed to configure ${what}: ${error.message}`, reason: "Invalid" });
  };
  const matched = tryMatch(cluster, spec.matchConstraints, attributes, misconfigured);
  if (!matched) return;
  const seen = await inVersionOf(cluster, attributes, matched.resource);
  let params: ReturnType<typeof paramResource> | undefined;
  try {
    params = spec.paramKind && paramResource(cluster, spec.paramKind);
  } catch (error) {
    misconfigured(error);
    return;
  }
  for (const { metadata: bindingMetadata, spec: bindingSpec } of bindings) {
    const binding = bindingMetadata.name ?? "";
    const fail = (error: unknown): void => misconfigured(error, binding);
    if (bindingSpec?.matchResources && !tryMatch(cluster, bindingSpec.matchResources, attributes, fail)) continue;
    let decisions: Decision[];
    try {
      const all = collectParams(cluster, params, bindingSpec?.paramRef, attributes);
      decisions = all.flatMap((param) => evaluatePolicy(cluster, seen, matched, spec, param));
    } catch (error) {
      if (isStatus(error)) throw error;
      fail(error);
      continue;
    }
    for (const decision of decisions) {
      for (const action of bindingSpec?.validationActions ?? []) {
        if (action === "Deny") denials.push({ policy, binding, ...decision });
        if (action === "Warn")
          attributes.context.warn(
            `Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${binding}': ${decision.message}`,
          );
      }
    }
  }
}

function tryMatch(
  cluster: ApiCluster,
  { resourceRules, excludeResourceRules, matchPolicy, namespaceSelector, objectSelector }: MatchResources = {},
  attributes: AdmissionAttributes,
  onError: (error: unknown) => void,
): Matched | undefined {
  const match = {
    ...(resourceRules && resourceRules.length > 0 && { rules: resourceRules }),
    ...(excludeResourceRules && { exclude: excludeResourceRules }),
    ...(matchPolicy && { matchPolicy }),
    ...(namespaceSelector && { namespaceSelector }),
    ...(objectSelector && { objectSelector }),
  };
  try {
    return matchRequest(cluster, match, attributes);
  } catch (error) {
    onError(error);
    return undefined;
  }
}

const compiledPolicies = new WeakMap<ValidatingAdmissionPolicySpec, CompiledPolicy>();

/** Parts of stored objects never change: they are compiled once. */
function compiledOf(spec: ValidatingAdmissionPolicySpec): CompiledPolicy {
  let compiled = compiledPolicies.get(spec);
  if (!compiled) {
    compiled = compilePolicy(spec);
    compiledPolicies.set(spec, compiled);
  }
  return compiled;
}

/** Why a policy refuses a request with one set of parameters; nothing: it does not (apiserver `validating/validator.go`). */
function evaluatePolicy(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  { resource }: Matched,
  spec: ValidatingAdmissionPolicySpec,
  params: KubernetesObject | undefined,
): Decision[] {
  const compiled = compiledOf(spec);
  const bindings = bindingsOf(cluster, attributes, resource, params);
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
