import { findKind } from "./resources.ts";

/** Versions that kube-apiserver 1.33 still reads and no longer serves, and those that it serves only when asked to, with their kinds. */
const unserved: Readonly<Record<string, string>> = {
  "admissionregistration.k8s.io/v1alpha1":
    "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
  "admissionregistration.k8s.io/v1beta1":
    "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration",
  "apiextensions.k8s.io/v1beta1": "CustomResourceDefinition",
  "apiregistration.k8s.io/v1beta1": "APIService",
  "apps/v1beta1": "ControllerRevision Deployment StatefulSet",
  "apps/v1beta2": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
  "authentication.k8s.io/v1alpha1": "SelfSubjectReview",
  "authentication.k8s.io/v1beta1": "SelfSubjectReview TokenReview",
  "authorization.k8s.io/v1beta1": "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview",
  "autoscaling/v2beta1": "HorizontalPodAutoscaler",
  "autoscaling/v2beta2": "HorizontalPodAutoscaler",
  "batch/v1beta1": "CronJob",
  "certificates.k8s.io/v1beta1": "CertificateSigningRequest ClusterTrustBundle",
  "coordination.k8s.io/v1beta1": "Lease LeaseCandidate",
  "discovery.k8s.io/v1beta1": "EndpointSlice",
  "events.k8s.io/v1beta1": "Event",
  "extensions/v1beta1": "DaemonSet Deployment Ingress NetworkPolicy ReplicaSet",
  "flowcontrol.apiserver.k8s.io/v1beta1": "FlowSchema PriorityLevelConfiguration",
  "flowcontrol.apiserver.k8s.io/v1beta2": "FlowSchema PriorityLevelConfiguration",
  "flowcontrol.apiserver.k8s.io/v1beta3": "FlowSchema PriorityLevelConfiguration",
  "networking.k8s.io/v1beta1": "IPAddress Ingress IngressClass ServiceCIDR",
  "node.k8s.io/v1alpha1": "RuntimeClass",
  "node.k8s.io/v1beta1": "RuntimeClass",
  "policy/v1beta1": "Eviction PodDisruptionBudget",
  "rbac.authorization.k8s.io/v1alpha1": "ClusterRole ClusterRoleBinding Role RoleBinding",
  "rbac.authorization.k8s.io/v1beta1": "ClusterRole ClusterRoleBinding Role RoleBinding",
  "scheduling.k8s.io/v1alpha1": "PriorityClass",
  "scheduling.k8s.io/v1beta1": "PriorityClass",
  "storage.k8s.io/v1alpha1": "CSIStorageCapacity VolumeAttachment VolumeAttributesClass",
  "storage.k8s.io/v1beta1": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass",
};

const core = new Set(["Status", "List", "APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "DeleteOptions", "ListOptions"]);

/** Whether kube-apiserver's decoder knows the kind in that version, be it served or not. */
export function isRegisteredKind(apiVersion: string, kind: string): boolean {
  const item = kind.endsWith("List") ? kind.slice(0, -"List".length) : kind;
  if (findKind(apiVersion, kind) ?? findKind(apiVersion, item)) return true;
  return (unserved[apiVersion]?.split(" ").includes(item) ?? false) || (apiVersion === "v1" && core.has(kind));
}

/** The group of the internal type that a kind is decoded into, whatever version it comes in. */
export function internalGroup(apiVersion: string, kind: string): string {
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  if (group === "events.k8s.io") return "";
  if (group !== "extensions") return group;
  return kind === "Ingress" || kind === "NetworkPolicy" ? "networking.k8s.io" : "apps";
}
