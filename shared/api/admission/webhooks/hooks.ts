import { mutatingWebhookConfigurations, validatingWebhookConfigurations } from "../../../kubernetes/known-resources.ts";
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import type { AdmissionAttributes } from "../attributes.ts";
import { type Matched, matchRequest } from "../matching.ts";

/** In the order of their configurations' names, then as they stand there. */
export function mutatingHooks({ mirror }: ApiCluster): MutatingWebhook[] {
  if (mirror.count(mutatingWebhookConfigurations) === 0) return [];
  return mirror.list(mutatingWebhookConfigurations).flatMap(({ object }) => (object as MutatingWebhookConfiguration).webhooks ?? []);
}

export function validatingHooks({ mirror }: ApiCluster): ValidatingWebhook[] {
  if (mirror.count(validatingWebhookConfigurations) === 0) return [];
  return mirror.list(validatingWebhookConfigurations).flatMap(({ object }) => (object as ValidatingWebhookConfiguration).webhooks ?? []);
}

/** Whether a webhook is to be asked, and as what. @throws StatusError where a match condition cannot be evaluated and failing means refusing */
export function matchHook(
  cluster: ApiCluster,
  hook: MutatingWebhook | ValidatingWebhook,
  attributes: AdmissionAttributes,
): Matched | undefined {
  const { rules = [], matchPolicy = "Equivalent", namespaceSelector, objectSelector } = hook;
  const match = { rules, matchPolicy, ...(namespaceSelector && { namespaceSelector }), ...(objectSelector && { objectSelector }) };
  return matchRequest(cluster, match, attributes);
}
