import type {
  APIService,
  Binding,
  CertificateSigningRequest,
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  CustomResourceDefinition,
  Event,
  EventsV1Event,
  FlowSchema,
  HorizontalPodAutoscaler,
  Ingress,
  IngressClass,
  IPAddress,
  Lease,
  LimitRange,
  LocalSubjectAccessReview,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolume,
  PodDisruptionBudget,
  PriorityClass,
  PriorityLevelConfiguration,
  ResourceQuota,
  Role,
  RoleBinding,
  RuntimeClass,
  Secret,
  SelfSubjectAccessReview,
  ServiceCIDR,
  StorageClass,
  SubjectAccessReview,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
  VolumeAttachment,
} from "../../types.ts";
import {
  validateClusterRole,
  validateClusterRoleBinding,
  validateClusterRoleBindingUpdate,
  validateRole,
  validateRoleBinding,
  validateRoleBindingUpdate,
} from "./access.ts";
import { validateAdmissionPolicy, validateAdmissionPolicyStatus, validatePolicyBinding } from "./admission-policies.ts";
import { validateAutoscaler, validateAutoscalerStatus, validateScaling } from "./autoscaling.ts";
import {
  checkQuotaStatus,
  validateLimitRange,
  validateNamespace,
  validateNamespaceStatus,
  validateNode,
  validateNodeUpdate,
  validateResourceQuota,
  validateResourceQuotaUpdate,
} from "./cluster-objects.ts";
import { validateConfigMap, validateConfigMapUpdate, validateSecret, validateSecretUpdate } from "./configuration.ts";
import {
  validateAttachment,
  validateAttachmentUpdate,
  validateCsiDriver,
  validateCsiDriverUpdate,
  validateCsiNode,
  validateCsiNodeUpdate,
  validateStorageCapacity,
  validateStorageCapacityUpdate,
} from "./csi.ts";
import { validateDefinition, validateDefinitionUpdate } from "./custom-resource-definition.ts";
import { validateEvent, validateNewEvent, validateNewEventUpdate } from "./events.ts";
import { validateFlowControlStatus, validateFlowSchema, validatePriorityLevel } from "./flow-control.ts";
import { type KindEntry, rules } from "./kind-rules.ts";
import { validateMutatingPolicy, validateMutatingPolicyBinding } from "./mutating-policies.ts";
import {
  validateIngress,
  validateIngressClass,
  validateIngressClassUpdate,
  validateIngressSpec,
  validateIngressStatus,
  validateNetworkPolicy,
} from "./networking.ts";
import {
  validateDisruptionBudget,
  validateDisruptionBudgetStatus,
  validateLease,
  validatePriorityClass,
  validatePriorityClassUpdate,
  validateRuntimeClass,
  validateRuntimeClassUpdate,
} from "./policy.ts";
import {
  validateBinding,
  validateLocalSubjectAccessReview,
  validateSelfSubjectAccessReview,
  validateSubjectAccessReview,
  validateTokenRequest,
} from "./reviews.ts";
import {
  ipAddressNameProblems,
  validateApiService,
  validateIpAddress,
  validateServiceCidr,
  validateServiceCidrUpdate,
  validateSigningRequest,
} from "./server-objects.ts";
import { validateSigningRequestStatus, validateSigningRequestUpdate } from "./signing-request.ts";
import { validateStorageClass, validateStorageClassUpdate } from "./storage.ts";
import { validateVolume, validateVolumeUpdate } from "./volume-spec.ts";
import { validateWebhookConfiguration } from "./webhooks.ts";

/** The rules of configuration, access, networking, storage, policy, and of what is asked and never stored. */
export const objectEntries = (): readonly KindEntry[] => [
  ["/ServiceAccount", { stages: ["metaUpdate", "meta", "update"] }],
  rules<ConfigMap>("/ConfigMap", { stages: ["metaUpdate", "meta", "update"], create: validateConfigMap, update: validateConfigMapUpdate }),
  rules<Secret>("/Secret", { stages: ["metaUpdate", "meta", "update"], create: validateSecret, update: validateSecretUpdate }),
  rules<Namespace>("/Namespace", {
    stages: ["meta", "create", "metaUpdate"],
    name: "dnsLabel",
    create: validateNamespace,
    update: () => [],
    status: validateNamespaceStatus,
  }),
  rules<Node>("/Node", {
    stages: ["meta", "create", "metaUpdate", "update"],
    create: validateNode,
    update: validateNodeUpdate,
    status: validateNodeUpdate,
  }),
  rules<LimitRange>("/LimitRange", { stages: ["meta", "create"], create: validateLimitRange }),
  rules<ResourceQuota>("/ResourceQuota", {
    create: validateResourceQuota,
    update: validateResourceQuotaUpdate,
    status: ({ status }) => checkQuotaStatus(status),
  }),
  rules<Event>("/Event", { name: "pathSegment", metadataLast: true, stages: ["update"], create: validateEvent }),
  rules<EventsV1Event>("events.k8s.io/Event", { create: validateNewEvent, update: validateNewEventUpdate }),
  rules<PersistentVolume>("/PersistentVolume", {
    stages: ["meta", "create", "meta", "update"],
    create: validateVolume,
    update: validateVolumeUpdate,
  }),
  rules<StorageClass>("storage.k8s.io/StorageClass", {
    stages: ["meta", "create", "metaUpdate", "update"],
    create: validateStorageClass,
    update: validateStorageClassUpdate,
  }),
  rules<CSIDriver>("storage.k8s.io/CSIDriver", { create: validateCsiDriver, update: validateCsiDriverUpdate }),
  rules<CSINode>("storage.k8s.io/CSINode", {
    stages: ["meta", "create", "meta", "update"],
    create: validateCsiNode,
    update: validateCsiNodeUpdate,
  }),
  rules<CSIStorageCapacity>("storage.k8s.io/CSIStorageCapacity", {
    stages: ["meta", "create", "metaUpdate", "update"],
    create: validateStorageCapacity,
    update: validateStorageCapacityUpdate,
  }),
  rules<VolumeAttachment>("storage.k8s.io/VolumeAttachment", {
    stages: ["meta", "create", "meta", "update"],
    create: validateAttachment,
    update: validateAttachmentUpdate,
    status: () => [],
  }),
  rules<Role>("rbac.authorization.k8s.io/Role", {
    stages: ["meta", "create", "meta", "create", "metaUpdate"],
    name: "pathSegment",
    create: validateRole,
  }),
  rules<ClusterRole>("rbac.authorization.k8s.io/ClusterRole", {
    stages: ["meta", "create", "meta", "create", "metaUpdate"],
    name: "pathSegment",
    create: validateClusterRole,
  }),
  rules<RoleBinding>("rbac.authorization.k8s.io/RoleBinding", {
    stages: ["meta", "create", "meta", "metaUpdate", "update"],
    name: "pathSegment",
    create: validateRoleBinding,
    update: validateRoleBindingUpdate,
  }),
  rules<ClusterRoleBinding>("rbac.authorization.k8s.io/ClusterRoleBinding", {
    stages: ["meta", "create", "meta", "metaUpdate", "update"],
    name: "pathSegment",
    create: validateClusterRoleBinding,
    update: validateClusterRoleBindingUpdate,
  }),
  rules<Ingress>("networking.k8s.io/Ingress", {
    stages: ["metaUpdate", "meta", "update"],
    create: validateIngress,
    update: validateIngressSpec,
    status: validateIngressStatus,
  }),
  rules<IngressClass>("networking.k8s.io/IngressClass", {
    stages: ["metaUpdate", "meta", "update"],
    create: validateIngressClass,
    update: validateIngressClassUpdate,
  }),
  rules<NetworkPolicy>("networking.k8s.io/NetworkPolicy", {
    stages: ["meta", "create", "metaUpdate", "update"],
    create: validateNetworkPolicy,
  }),
  rules<HorizontalPodAutoscaler>("autoscaling/v2/HorizontalPodAutoscaler", {
    create: validateAutoscaler,
    status: validateAutoscalerStatus,
  }),
  rules<Parameters<typeof validateScaling>[0]>("autoscaling/v1/HorizontalPodAutoscaler", { create: validateScaling }),
  rules<PriorityClass>("scheduling.k8s.io/PriorityClass", { create: validatePriorityClass, update: validatePriorityClassUpdate }),
  rules<Lease>("coordination.k8s.io/v1/Lease", { create: validateLease }),
  rules<PodDisruptionBudget>("policy/PodDisruptionBudget", {
    name: "pathSegment",
    metadataLast: true,
    stages: ["create"],
    create: validateDisruptionBudget,
    status: validateDisruptionBudgetStatus,
  }),
  rules<RuntimeClass>("node.k8s.io/RuntimeClass", {
    stages: ["meta", "create", "metaUpdate", "update"],
    create: validateRuntimeClass,
    update: validateRuntimeClassUpdate,
  }),
  rules<CustomResourceDefinition>("apiextensions.k8s.io/CustomResourceDefinition", {
    create: validateDefinition,
    update: validateDefinitionUpdate,
  }),
  rules<APIService>("apiregistration.k8s.io/APIService", {
    name: "pathSegment",
    stages: ["metaUpdate", "meta", "update"],
    create: validateApiService,
  }),
  rules<IPAddress>("networking.k8s.io/IPAddress", {
    stages: ["meta", "create", "metaUpdate", "update"],
    name: ipAddressNameProblems,
    create: validateIpAddress,
  }),
  rules<ServiceCIDR>("networking.k8s.io/ServiceCIDR", { create: validateServiceCidr, update: validateServiceCidrUpdate }),
  rules<CertificateSigningRequest>("certificates.k8s.io/CertificateSigningRequest", {
    name: "pathSegment",
    create: validateSigningRequest,
    update: validateSigningRequestUpdate,
    status: validateSigningRequestStatus,
  }),
  rules<FlowSchema>("flowcontrol.apiserver.k8s.io/FlowSchema", {
    stages: ["meta", "create"],
    create: validateFlowSchema,
    status: validateFlowControlStatus,
  }),
  rules<PriorityLevelConfiguration>("flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration", {
    stages: ["meta", "create"],
    create: validatePriorityLevel,
    status: validateFlowControlStatus,
  }),
  rules<ValidatingWebhookConfiguration>("admissionregistration.k8s.io/ValidatingWebhookConfiguration", {
    stages: ["meta", "update"],
    create: (object) => validateWebhookConfiguration(object),
    update: validateWebhookConfiguration,
  }),
  rules<MutatingWebhookConfiguration>("admissionregistration.k8s.io/MutatingWebhookConfiguration", {
    stages: ["meta", "update"],
    create: (object) => validateWebhookConfiguration(object),
    update: validateWebhookConfiguration,
  }),
  rules<MutatingAdmissionPolicy>("admissionregistration.k8s.io/MutatingAdmissionPolicy", {
    name: "dnsSubdomain",
    stages: ["meta", "update"],
    create: (object) => validateMutatingPolicy(object),
    update: validateMutatingPolicy,
  }),
  rules<MutatingAdmissionPolicyBinding>("admissionregistration.k8s.io/MutatingAdmissionPolicyBinding", {
    name: "dnsSubdomain",
    stages: ["meta", "create"],
    create: validateMutatingPolicyBinding,
  }),
  rules<ValidatingAdmissionPolicy>("admissionregistration.k8s.io/ValidatingAdmissionPolicy", {
    stages: ["meta", "update"],
    create: (object) => validateAdmissionPolicy(object),
    update: validateAdmissionPolicy,
    status: validateAdmissionPolicyStatus,
  }),
  rules<ValidatingAdmissionPolicyBinding>("admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding", {
    stages: ["meta", "create"],
    create: validatePolicyBinding,
  }),
  rules<Parameters<typeof validateTokenRequest>[0]>("authentication.k8s.io/TokenRequest", { create: validateTokenRequest }),
  rules<SubjectAccessReview>("authorization.k8s.io/SubjectAccessReview", { create: validateSubjectAccessReview }),
  rules<SelfSubjectAccessReview>("authorization.k8s.io/SelfSubjectAccessReview", { create: validateSelfSubjectAccessReview }),
  rules<LocalSubjectAccessReview>("authorization.k8s.io/LocalSubjectAccessReview", { create: validateLocalSubjectAccessReview }),
  rules<Binding>("/Binding", { create: validateBinding }),
];
