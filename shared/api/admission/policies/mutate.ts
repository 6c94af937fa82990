import { cloneJson } from "../../../kubernetes/clone.ts";
import { mutatingAdmissionPolicies, mutatingAdmissionPolicyBindings } from "../../../kubernetes/known-resources.ts";
import { oncePer } from "../../../kubernetes/once-per.ts";
import { compileMutations } from "../../../kubernetes/policies/compiled-mutations.ts";
import { StatusError, type StatusReason } from "../../../kubernetes/status-error.ts";
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { type AdmissionAttributes, denied } from "../attributes.ts";
import { isExempt } from "../matching.ts";
import type { Reinvocation } from "../reinvocation.ts";
import { inVersionOf } from "../webhooks/versions.ts";
import { bindingsOf } from "./bindings.ts";
import { type Invocation, invocationsOf, type Misconfigured } from "./invocations.ts";
import { matchConditions } from "./match-conditions.ts";
import { applyMutation } from "./mutation.ts";

type MutationInvocation = Invocation<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>;
type Concern = MutationInvocation | Misconfigured<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>;
interface Failure {
  readonly of: Pick<Concern, "policy" | "binding">;
  readonly message: string;
  /** Of the answer, if this is the first. */
  readonly reason: StatusReason;
}

const kinds = { policies: mutatingAdmissionPolicies, bindings: mutatingAdmissionPolicyBindings };

/**
 * MutatingAdmissionPolicy (KEP-3962, apiserver `policy/mutating/dispatcher.go`): lets each policy that matches a request change its object, one after
 * another, by each of its bindings with each of their parameters. In the second round only those are asked that are due. Answers whether there has
 * to be one. @throws StatusError
 */
export async function mutateByPolicies(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  reinvocation: Reinvocation<string>,
  again: boolean,
): Promise<boolean> {
  if (isExempt(attributes) || attributes.operation === "DELETE") return false;
  const concerns: Concern[] = [...invocationsOf<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>(cluster, kinds, attributes)];
  if (concerns.length === 0) return false;
  if (again) reinvocation.begin(attributes.object);
  const failures: Failure[] = [];
  let mutated = false;
  for (const concern of concerns)
    if (concern.kind === "misconfigured") failures.push({ of: concern, message: concern.message, reason: "Forbidden" });
  for (const concern of concerns) {
    if (concern.kind === "misconfigured") continue;
    const outcome = await mutate(cluster, attributes, concern, (key) => !again || reinvocation.isDue(key));
    failures.push(...outcome.problems.map((message): Failure => ({ of: concern, message, reason: "Invalid" })));
    if (outcome.changed) reinvocation.changed();
    mutated ||= outcome.mutated;
    if (outcome.ran && concern.policy.spec?.reinvocationPolicy === "IfNeeded") reinvocation.asked(keyOf(concern));
  }
  // Who mutated is asked again, also where nobody came after him: kube-apiserver counts what was evaluated, not what changed.
  if (mutated) reinvocation.changed();
  reinvocation.end(attributes.object);
  refuse(attributes, failures);
  return mutated;
}

const compiledOf = oncePer(compileMutations);

interface Outcome {
  readonly ran: boolean;
  readonly changed: boolean;
  readonly mutated: boolean;
  readonly problems: readonly string[];
}

async function mutate(
  cluster: ApiCluster,
  attributes: AdmissionAttributes,
  invocation: MutationInvocation,
  isDue: (key: string) => boolean,
): Promise<Outcome> {
  const { policy, matched, params } = invocation;
  const compiled = compiledOf(policy.spec ?? {});
  const notRun = (...problems: string[]): Outcome => ({ ran: false, changed: false, mutated: false, problems });
  if (compiled.matchConditions.length > 0) {
    const seen = await inVersionOf(cluster, attributes, matched.resource);
    const outcome = matchConditions(cluster, compiled.matchConditions, bindingsOf(cluster, seen, matched.resource, params));
    if (outcome.kind === "error") return notRun(...(policy.spec?.failurePolicy === "Ignore" ? [] : [outcome.message]));
    if (outcome.kind === "no match") return notRun();
  }
  if (!isDue(keyOf(invocation))) return notRun();
  const problems: string[] = [];
  let changed = false;
  let mutated = false;
  for (const mutation of compiled.mutations) {
    const outcome = await applyMutation(cluster, attributes, invocation, compiled, mutation);
    if (outcome.kind === "failed") problems.push(outcome.message);
    else {
      mutated = true;
      changed ||= outcome.changed;
    }
  }
  return { ran: true, changed, mutated, problems };
}

const keyOf = ({ policy, binding, params }: MutationInvocation): string =>
  [policy.metadata.name, binding.metadata.name, params?.metadata.namespace ?? "", params?.metadata.name ?? ""].join("/");

/** The answer to failures that are not to be ignored: each is told, the first is the answer's own. @throws StatusError */
function refuse(attributes: AdmissionAttributes, failures: readonly Failure[]): void {
  const counted = failures.filter(({ of }) => of.policy.spec?.failurePolicy !== "Ignore");
  const [first] = counted;
  if (!first) return;
  const causes = counted.map(({ of: { policy, binding }, message }) => {
    const name = policy.metadata.name ?? "";
    const who = binding ? `policy '${name}' with binding '${binding.metadata.name}'` : `policy ${JSON.stringify(name)}`;
    return { message: `${who} denied request: ${message}` };
  });
  const { details } = denied(attributes, "");
  throw new StatusError(first.reason, causes[0]?.message ?? "", { ...details, causes: cloneJson(causes) }, 403);
}
