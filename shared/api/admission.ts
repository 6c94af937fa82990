import { nodeNameOf } from "../auth/node-user.ts";
import {
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  mutatingWebhookConfigurations,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from "../kubernetes/known-resources.ts";
import { collectionOf } from "../kubernetes/object.ts";
import type { MutatingWebhook } from "../kubernetes/types.ts";
import type { AdmissionAttributes, AdmissionPlugin } from "./admission/attributes.ts";
import { certificateApproval, certificateSigning, certificateSubject } from "./admission/plugins/certificates.ts";
import { defaultIngressClass } from "./admission/plugins/default-ingress-class.ts";
import { defaultTolerationSeconds } from "./admission/plugins/default-toleration-seconds.ts";
import { limitRanger } from "./admission/plugins/limit-ranger.ts";
import { checkNamespace } from "./admission/plugins/namespace-lifecycle.ts";
import { restrictNode } from "./admission/plugins/node-restriction.ts";
import { namespaceSecurity, podSecurity, podTemplateSecurity } from "./admission/plugins/pod-security.ts";
import { podPriority, priorityClassDefault } from "./admission/plugins/priority.ts";
import { runtimeClass } from "./admission/plugins/runtime-class.ts";
import { serviceAccount } from "./admission/plugins/service-account.ts";
import { claimResize, defaultStorageClass, inUseProtection } from "./admission/plugins/storage.ts";
import { mutateByPolicies } from "./admission/policies/mutate.ts";
import { validateByPolicies } from "./admission/policies/validate.ts";
import { Reinvocation } from "./admission/reinvocation.ts";
import { mutateByWebhooks, validateByWebhooks } from "./admission/webhooks/dispatch.ts";
import type { ApiCluster } from "./api-cluster.ts";

/**
 * What kube-apiserver 1.33 enables by default, and NodeRestriction, which every installer enables, by the collections that each is about, in its order (pkg/kubeapiserver/options/plugins.go).
 * TaintNodesByCondition is part of the Node strategy, ResourceQuota of the commit.
 */
const plugins: ReadonlyMap<string, readonly AdmissionPlugin[]> = new Map([
  ["pods", [limitRanger, serviceAccount, podSecurity, podPriority, defaultTolerationSeconds, runtimeClass]],
  ["namespaces", [namespaceSecurity]],
  ["replicationcontrollers", [podTemplateSecurity]],
  ["podtemplates", [podTemplateSecurity]],
  ["apps/replicasets", [podTemplateSecurity]],
  ["apps/deployments", [podTemplateSecurity]],
  ["apps/statefulsets", [podTemplateSecurity]],
  ["apps/daemonsets", [podTemplateSecurity]],
  ["batch/jobs", [podTemplateSecurity]],
  ["batch/cronjobs", [podTemplateSecurity]],
  ["persistentvolumeclaims", [limitRanger, defaultStorageClass, inUseProtection("kubernetes.io/pvc-protection"), claimResize]],
  ["persistentvolumes", [inUseProtection("kubernetes.io/pv-protection")]],
  ["scheduling.k8s.io/priorityclasses", [priorityClassDefault]],
  ["networking.k8s.io/ingresses", [defaultIngressClass]],
  ["certificates.k8s.io/certificatesigningrequests", [certificateApproval, certificateSigning, certificateSubject]],
]);

/** The mutating phase: before the kind's own preparation and validation. May change `attributes.object`, which is defaulted already. @throws StatusError */
export async function mutateAdmitted(cluster: ApiCluster, attributes: AdmissionAttributes): Promise<void> {
  await mutateByPlugins(cluster, attributes);
  const round = roundsOf(cluster, attributes);
  if (!round || !(await round(false))) return;
  await mutateByPlugins(cluster, attributes);
  await round(true);
}

/** Whether there are any, and the operator lets them be. */
const hasMutatingPolicies = ({ mirror, resources }: ApiCluster): boolean =>
  mirror.count(mutatingAdmissionPolicyBindings) > 0 && resources.storage(mutatingAdmissionPolicies) !== undefined;

/** What a cluster's own policies and webhooks do, in the first round or the second; answers whether they changed the object. `undefined`: it has none. */
function roundsOf(cluster: ApiCluster, attributes: AdmissionAttributes): ((again: boolean) => Promise<boolean>) | undefined {
  const policies = hasMutatingPolicies(cluster) ? new Reinvocation<string>() : undefined;
  const webhooks = cluster.mirror.count(mutatingWebhookConfigurations) > 0 ? new Reinvocation<MutatingWebhook>() : undefined;
  if (!policies && !webhooks) return undefined;
  return async (again) => {
    const byPolicies = policies !== undefined && (await mutateByPolicies(cluster, attributes, policies, again));
    const byWebhooks = webhooks !== undefined && (await mutateByWebhooks(cluster, attributes, webhooks, again));
    return byPolicies || byWebhooks;
  };
}

async function mutateByPlugins(cluster: ApiCluster, attributes: AdmissionAttributes): Promise<void> {
  checkNamespace(cluster, attributes);
  const nodeName = nodeNameOf(attributes.context.user);
  if (nodeName !== undefined) await restrictNode(cluster, attributes, nodeName);
  for (const { mutate } of plugins.get(collectionOf(attributes.definition)) ?? []) {
    const pending = mutate?.(cluster, attributes);
    if (pending) await pending;
  }
}

/** The validating phase: the object is as it will be stored. @throws StatusError */
export async function validateAdmitted(cluster: ApiCluster, attributes: AdmissionAttributes): Promise<void> {
  for (const { validate } of plugins.get(collectionOf(attributes.definition)) ?? []) {
    const pending = validate?.(cluster, attributes);
    if (pending) await pending;
  }
  if (cluster.mirror.count(validatingAdmissionPolicyBindings) > 0) await validateByPolicies(cluster, attributes);
  if (cluster.mirror.count(validatingWebhookConfigurations) > 0) await validateByWebhooks(cluster, attributes);
}

/** A connection to what an object stands for (`pods/exec`, `services/proxy`): no built-in plugin concerns itself with those. @throws StatusError */
export async function admitConnection(cluster: ApiCluster, attributes: AdmissionAttributes): Promise<void> {
  const round = roundsOf(cluster, attributes);
  if (round && (await round(false))) await round(true);
  if (cluster.mirror.count(validatingAdmissionPolicyBindings) > 0) await validateByPolicies(cluster, attributes);
  if (cluster.mirror.count(validatingWebhookConfigurations) > 0) await validateByWebhooks(cluster, attributes);
}

/** What is no write of an object of its own: a deletion, or a create below an object (`pods/eviction`). Both phases are asked. @throws StatusError */
export async function admitRequest(cluster: ApiCluster, attributes: AdmissionAttributes): Promise<void> {
  await mutateAdmitted(cluster, attributes);
  await validateAdmitted(cluster, attributes);
}
