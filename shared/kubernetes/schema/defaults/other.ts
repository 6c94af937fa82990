import type {
  CSIDriver,
  CustomResourceDefinition,
  DiscoveryV1EndpointPort,
  ExemptPriorityLevelConfiguration,
  FlowSchemaSpec,
  IngressClass,
  LabelSelector,
  LimitedPriorityLevelConfiguration,
  NetworkPolicy,
  NetworkPolicyPort,
  PriorityClass,
  QueuingConfiguration,
  RoleBinding,
  StorageClass,
  Subject,
} from "../../types.ts";
import { type DefaultRule, rule } from "./rule.ts";

const rbacGroup = "rbac.authorization.k8s.io";
const admission = "io.k8s.api.admissionregistration.v1.";
const alphaAdmission = "io.k8s.api.admissionregistration.v1alpha1.";
const flowcontrol = "io.k8s.api.flowcontrol.v1.";
const apiextensions = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.";

/** `SetDefaults_*` of discovery, networking, rbac, storage, scheduling, authentication, flowcontrol, resource, apiextensions, admission. */
export const otherDefaults: readonly DefaultRule[] = [
  rule<DiscoveryV1EndpointPort>("io.k8s.api.discovery.v1.EndpointPort", (port) => {
    port.name ??= "";
    port.protocol ??= "TCP";
  }),
  rule<NetworkPolicyPort>("io.k8s.api.networking.v1.NetworkPolicyPort", (port) => {
    port.protocol ??= "TCP";
  }),
  rule<NetworkPolicy>("io.k8s.api.networking.v1.NetworkPolicy", ({ spec }) => {
    if (spec === undefined || (spec.policyTypes?.length ?? 0) > 0) return;
    spec.policyTypes = (spec.egress?.length ?? 0) > 0 ? ["Ingress", "Egress"] : ["Ingress"];
  }),
  rule<IngressClass>("io.k8s.api.networking.v1.IngressClass", ({ spec }) => {
    if (spec?.parameters !== undefined) spec.parameters.scope ??= "Cluster";
  }),
  rule<RoleBinding>("io.k8s.api.rbac.v1.RoleBinding", defaultRoleRef),
  rule<RoleBinding>("io.k8s.api.rbac.v1.ClusterRoleBinding", defaultRoleRef),
  rule<Subject>("io.k8s.api.rbac.v1.Subject", (subject) => {
    if (subject.kind === "User" || subject.kind === "Group") subject.apiGroup ??= rbacGroup;
  }),
  rule<StorageClass>("io.k8s.api.storage.v1.StorageClass", (storageClass) => {
    storageClass.reclaimPolicy ??= "Delete";
    storageClass.volumeBindingMode ??= "Immediate";
  }),
  rule<CSIDriver>("io.k8s.api.storage.v1.CSIDriver", ({ spec }) => {
    if (spec === undefined) return;
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= "ReadWriteOnceWithFSType";
    if ((spec.volumeLifecycleModes?.length ?? 0) === 0) spec.volumeLifecycleModes = ["Persistent"];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  }),
  rule<PriorityClass>("io.k8s.api.scheduling.v1.PriorityClass", (priorityClass) => {
    priorityClass.preemptionPolicy ??= "PreemptLowerPriority";
  }),
  rule<{ expirationSeconds?: number }>("io.k8s.api.authentication.v1.TokenRequestSpec", (spec) => {
    spec.expirationSeconds ??= 3600;
  }),
  rule<FlowSchemaSpec>(`${flowcontrol}FlowSchemaSpec`, (spec) => {
    spec.matchingPrecedence ||= 1000;
  }),
  rule<ExemptPriorityLevelConfiguration>(`${flowcontrol}ExemptPriorityLevelConfiguration`, (configuration) => {
    configuration.nominalConcurrencyShares ??= 0;
    configuration.lendablePercent ??= 0;
  }),
  rule<LimitedPriorityLevelConfiguration>(`${flowcontrol}LimitedPriorityLevelConfiguration`, (configuration) => {
    configuration.nominalConcurrencyShares ??= 30;
    configuration.lendablePercent ??= 0;
  }),
  rule<QueuingConfiguration>(`${flowcontrol}QueuingConfiguration`, (configuration) => {
    configuration.handSize ||= 8;
    configuration.queues ||= 64;
    configuration.queueLengthLimit ||= 50;
  }),
  ...["DeviceRequest", "DeviceSubRequest"].flatMap((kind) =>
    ["v1alpha3", "v1beta1", "v1beta2"].map((version) =>
      rule<DeviceAllocation>(`io.k8s.api.resource.${version}.${kind}`, defaultAllocation),
    ),
  ),
  rule<DeviceAllocation>("io.k8s.api.resource.v1beta2.ExactDeviceRequest", defaultAllocation),
  rule<WebhookPolicy>(`${admission}ValidatingWebhook`, defaultWebhook),
  rule<WebhookPolicy & { reinvocationPolicy?: string }>(`${admission}MutatingWebhook`, (webhook) => {
    defaultWebhook(webhook);
    webhook.reinvocationPolicy ??= "Never";
  }),
  rule<{ scope?: string }>(`${admission}RuleWithOperations`, defaultScope),
  rule<{ scope?: string }>(`${admission}NamedRuleWithOperations`, defaultScope),
  rule<{ port?: number }>(`${admission}ServiceReference`, defaultPort),
  rule<{ port?: number }>(`${apiextensions}ServiceReference`, defaultPort),
  rule<{ port?: number }>("io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference", defaultPort),
  rule<FailurePolicy>(`${admission}ValidatingAdmissionPolicySpec`, failClosed),
  rule<MatchPolicy>(`${admission}MatchResources`, defaultMatch),
  rule<FailurePolicy>(`${alphaAdmission}MutatingAdmissionPolicySpec`, failClosed),
  rule<MatchPolicy>(`${alphaAdmission}MatchResources`, defaultMatch),
  rule<{ scope?: string }>(`${alphaAdmission}NamedRuleWithOperations`, defaultScope),
  rule<{ parameterNotFoundAction?: string }>(`${alphaAdmission}ParamRef`, (reference) => {
    reference.parameterNotFoundAction ??= "Deny";
  }),
  rule<CustomResourceDefinition>(`${apiextensions}CustomResourceDefinition`, crdDefaults),
];

interface FailurePolicy {
  failurePolicy?: string;
}

function failClosed(spec: FailurePolicy): void {
  spec.failurePolicy ??= "Fail";
}

interface MatchPolicy {
  matchPolicy?: string;
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
}

interface WebhookPolicy extends MatchPolicy {
  failurePolicy?: string;
  timeoutSeconds?: number;
}

interface DeviceAllocation {
  deviceClassName?: string;
  allocationMode?: string;
  count?: number;
}

function defaultMatch(match: MatchPolicy): void {
  match.matchPolicy ??= "Equivalent";
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
}

function defaultWebhook(webhook: WebhookPolicy): void {
  webhook.failurePolicy ??= "Fail";
  defaultMatch(webhook);
  webhook.timeoutSeconds ??= 10;
}

function defaultScope(rules: { scope?: string }): void {
  rules.scope ??= "*";
}

function defaultPort(reference: { port?: number }): void {
  reference.port ??= 443;
}

function defaultAllocation(request: DeviceAllocation): void {
  if (request.deviceClassName === undefined || request.deviceClassName === "") return;
  request.allocationMode ??= "ExactCount";
  if (request.allocationMode === "ExactCount") request.count ??= 1;
}

function defaultRoleRef(binding: { roleRef?: { apiGroup?: string } }): void {
  if (binding.roleRef !== undefined && (binding.roleRef.apiGroup === undefined || binding.roleRef.apiGroup === ""))
    binding.roleRef.apiGroup = rbacGroup;
}

function crdDefaults(definition: CustomResourceDefinition): void {
  const { names } = definition.spec;
  if (names?.kind !== undefined && names.kind !== "") {
    names.singular ??= names.kind.toLowerCase();
    names.listKind ??= `${names.kind}List`;
  }
  definition.spec.conversion ??= { strategy: "None" };
  const stored = definition.spec.versions?.find((version) => version.storage)?.name;
  definition.status ??= {};
  if ((definition.status.storedVersions?.length ?? 0) === 0 && stored !== undefined) definition.status.storedVersions = [stored];
}
