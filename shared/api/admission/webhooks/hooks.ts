import { mutatingWebhookConfigurations, validatingWebhookConfigurations } from "../../../kubernetes/known-resources.ts";
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { type AdmissionAttributes, denied } from "../attributes.ts";
import { type Matched, matchRequest } from "../matching.ts";
import { bindingsOf } from "../policies/bindings.ts";
import { compiledConditionsOf, matchConditions } from "../policies/match-conditions.ts";
import { inVersionOf } from "./versions.ts";

/** In the order of their configurations' names, then as they stand there. */
export function mutatingHooks({ mirror }: ApiCluster): MutatingWebhook[] {
  if (mirror.count(mutatingWebhookConfigurations) === 0) return [];
  return mirror.list(mutatingWebhookConfigurations).flatMap(({ object }) => (object as MutatingWebhookConfiguration).webhooks ?? []);
}

export function validatingHooks({ mirror }: ApiCluster): ValidatingWebhook[] {
  if (mirror.count(validatingWebhookConfigurations) === 0) return [];
  return mirror.list(validatingWebhookConfigurations).flatMap(({ object }) => (object as ValidatingWebhookConfiguration).webhooks ?? []);
}

/** As what a webhook is asked: about which resource, with the objects in its version. */
export interface MatchedHook extends Matched {
  readonly seen: AdmissionAttributes;
}

/**
 * Whether a webhook is to be asked, and as what.
 * @throws StatusError `Forbidden` where its match conditions cannot be told and it has to be asked
 */
export async function matchHook(
  cluster: ApiCluster,
  hook: MutatingWebhook | ValidatingWebhook,
  attributes: AdmissionAttributes,
): Promise<MatchedHook | undefined> {
  const { rules = [], matchPolicy = "Equivalent", namespaceSelector, objectSelector, matchConditions: conditions } = hook;
  const match = { rules, matchPolicy, ...(namespaceSelector && { namespaceSelector }), ...(objectSelector && { objectSelector }) };
  const matched = matchRequest(cluster, match, attributes);
  if (!matched) return undefined;
  const found = { ...matched, seen: await inVersionOf(cluster, attributes, matched.resource) };
  if (!conditions || conditions.length === 0) return found;
  const outcome = matchConditions(cluster, compiledConditionsOf(conditions), bindingsOf(cluster, found.seen, matched.resource));
  if (outcome.kind === "match") return found;
  if (outcome.kind === "error" && hook.failurePolicy !== "Ignore") throw denied(attributes, outcome.message);
  return undefined;
}
