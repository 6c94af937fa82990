import type { GroupResource, KubernetesObject } from "../../../kubernetes/object.ts";
import type { MatchResources, ParamKind, ParamRef } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import type { AdmissionAttributes } from "../attributes.ts";
import { type Matched, matchRequest } from "../matching.ts";
import { collectParams, paramResource } from "./params.ts";

interface Policy extends KubernetesObject {
  readonly spec?: { readonly matchConstraints?: MatchResources; readonly paramKind?: ParamKind };
}
interface Binding extends KubernetesObject {
  readonly spec?: { readonly policyName?: string; readonly matchResources?: MatchResources; readonly paramRef?: ParamRef };
}

/** A policy that a request concerns, by one of its bindings, with one set of parameters. */
export interface Invocation<P, B> {
  readonly kind: "invocation";
  readonly policy: P;
  readonly binding: B;
  readonly matched: Matched;
  readonly params: KubernetesObject | undefined;
}

/** One that cannot be told to concern it; without a binding it is the policy's own fault. */
export interface Misconfigured<P, B> {
  readonly kind: "misconfigured";
  readonly policy: P;
  readonly binding: B | undefined;
  readonly message: string;
}

/** Where policies of one kind and their bindings are kept. */
export interface PolicyKinds {
  readonly policies: GroupResource;
  readonly bindings: GroupResource;
}

/** What concerns a request, by the names of policies, then of bindings (apiserver `policy/generic/policy_dispatcher.go`). Match conditions are not looked at. */
export function* invocationsOf<P extends Policy, B extends Binding>(
  cluster: ApiCluster,
  kinds: PolicyKinds,
  attributes: AdmissionAttributes,
): Generator<Invocation<P, B> | Misconfigured<P, B>> {
  for (const [policy, bindings] of boundPolicies<P, B>(cluster, kinds)) {
    const { matchConstraints, paramKind } = policy.spec ?? {};
    const matched = attempt(() => matchResources(cluster, matchConstraints, attributes));
    const definition =
      matched.kind === "failed" || !matched.value ? undefined : attempt(() => paramKind && paramResource(cluster, paramKind));
    const failed = matched.kind === "failed" ? matched : definition?.kind === "failed" ? definition : undefined;
    if (failed) yield misconfigured(policy, undefined, failed);
    if (matched.kind === "failed" || !matched.value || definition?.kind !== "done") continue;
    for (const binding of bindings) {
      const found = attempt(() => boundParams(cluster, binding, definition.value, attributes));
      if (found.kind === "failed") yield misconfigured(policy, binding, found);
      else for (const params of found.value) yield { kind: "invocation", policy, binding, matched: matched.value, params };
    }
  }
}

function boundPolicies<P extends Policy, B extends Binding>({ mirror }: ApiCluster, { policies, bindings }: PolicyKinds): [P, B[]][] {
  const bound = Map.groupBy(
    mirror.list(bindings).map(({ object }) => object as B),
    ({ spec }) => spec?.policyName ?? "",
  );
  return [...bound.keys()].sort().flatMap((name): [P, B[]][] => {
    const policy = mirror.get(policies, "", name);
    return policy ? [[policy.object as P, bound.get(name) ?? []]] : [];
  });
}

function boundParams(
  cluster: ApiCluster,
  { spec }: Binding,
  definition: ReturnType<typeof paramResource> | undefined,
  attributes: AdmissionAttributes,
): (KubernetesObject | undefined)[] {
  if (spec?.matchResources && !matchResources(cluster, spec.matchResources, attributes)) return [];
  return collectParams(cluster, definition, spec?.paramRef, attributes);
}

function matchResources(
  cluster: ApiCluster,
  { resourceRules, excludeResourceRules, matchPolicy, namespaceSelector, objectSelector }: MatchResources = {},
  attributes: AdmissionAttributes,
): Matched | undefined {
  const match = {
    ...(resourceRules && resourceRules.length > 0 && { rules: resourceRules }),
    ...(excludeResourceRules && { exclude: excludeResourceRules }),
    ...(matchPolicy && { matchPolicy }),
    ...(namespaceSelector && { namespaceSelector }),
    ...(objectSelector && { objectSelector }),
  };
  return matchRequest(cluster, match, attributes);
}

type Attempted<T> = { readonly kind: "done"; readonly value: T } | { readonly kind: "failed"; readonly message: string };

function attempt<T>(work: () => T): Attempted<T> {
  try {
    return { kind: "done", value: work() };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { kind: "failed", message: error.message };
  }
}

const misconfigured = <P, B>(policy: P, binding: B | undefined, { message }: { readonly message: string }): Misconfigured<P, B> => ({
  kind: "misconfigured",
  policy,
  binding,
  message: `failed to configure ${binding === undefined ? "policy" : "binding"}: ${message}`,
});
