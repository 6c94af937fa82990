import type { GroupResource } from "./object.ts";

// One constant for each built-in resource that is stored, in the order of discovery.
export const configMaps: GroupResource = { group: "", resource: "configmaps" };
export const endpoints: GroupResource = { group: "", resource: "endpoints" };
export const events: GroupResource = { group: "", resource: "events" };
export const limitRanges: GroupResource = { group: "", resource: "limitranges" };
export const namespaces: GroupResource = { group: "", resource: "namespaces" };
export const nodes: GroupResource = { group: "", resource: "nodes" };
export const persistentVolumeClaims: GroupResource = { group: "", resource: "persistentvolumeclaims" };
export const persistentVolumes: GroupResource = { group: "", resource: "persistentvolumes" };
export const pods: GroupResource = { group: "", resource: "pods" };
export const podTemplates: GroupResource = { group: "", resource: "podtemplates" };
export const replicationControllers: GroupResource = { group: "", resource: "replicationcontrollers" };
export const resourceQuotas: GroupResource = { group: "", resource: "resourcequotas" };
export const secrets: GroupResource = { group: "", resource: "secrets" };
export const serviceAccounts: GroupResource = { group: "", resource: "serviceaccounts" };
export const services: GroupResource = { group: "", resource: "services" };
export const apiServices: GroupResource = { group: "apiregistration.k8s.io", resource: "apiservices" };
export const controllerRevisions: GroupResource = { group: "apps", resource: "controllerrevisions" };
export const daemonSets: GroupResource = { group: "apps", resource: "daemonsets" };
export const deployments: GroupResource = { group: "apps", resource: "deployments" };
export const replicaSets: GroupResource = { group: "apps", resource: "replicasets" };
export const statefulSets: GroupResource = { group: "apps", resource: "statefulsets" };
export const horizontalPodAutoscalers: GroupResource = { group: "autoscaling", resource: "horizontalpodautoscalers" };
export const cronJobs: GroupResource = { group: "batch", resource: "cronjobs" };
export const jobs: GroupResource = { group: "batch", resource: "jobs" };
export const certificateSigningRequests: GroupResource = { group: "certificates.k8s.io", resource: "certificatesigningrequests" };
export const ingressClasses: GroupResource = { group: "networking.k8s.io", resource: "ingressclasses" };
export const ingresses: GroupResource = { group: "networking.k8s.io", resource: "ingresses" };
export const ipAddresses: GroupResource = { group: "networking.k8s.io", resource: "ipaddresses" };
export const networkPolicies: GroupResource = { group: "networking.k8s.io", resource: "networkpolicies" };
export const serviceCIDRs: GroupResource = { group: "networking.k8s.io", resource: "servicecidrs" };
export const podDisruptionBudgets: GroupResource = { group: "policy", resource: "poddisruptionbudgets" };
export const clusterRoleBindings: GroupResource = { group: "rbac.authorization.k8s.io", resource: "clusterrolebindings" };
export const clusterRoles: GroupResource = { group: "rbac.authorization.k8s.io", resource: "clusterroles" };
export const roleBindings: GroupResource = { group: "rbac.authorization.k8s.io", resource: "rolebindings" };
export const roles: GroupResource = { group: "rbac.authorization.k8s.io", resource: "roles" };
export const csiDrivers: GroupResource = { group: "storage.k8s.io", resource: "csidrivers" };
export const csiNodes: GroupResource = { group: "storage.k8s.io", resource: "csinodes" };
export const csiStorageCapacities: GroupResource = { group: "storage.k8s.io", resource: "csistoragecapacities" };
export const storageClasses: GroupResource = { group: "storage.k8s.io", resource: "storageclasses" };
export const volumeAttachments: GroupResource = { group: "storage.k8s.io", resource: "volumeattachments" };
export const mutatingWebhookConfigurations: GroupResource = {
  group: "admissionregistration.k8s.io",
  resource: "mutatingwebhookconfigurations",
};
/** Served with the feature MutatingAdmissionPolicy alone, as the next one. */
export const mutatingAdmissionPolicies: GroupResource = { group: "admissionregistration.k8s.io", resource: "mutatingadmissionpolicies" };
export const mutatingAdmissionPolicyBindings: GroupResource = {
  group: "admissionregistration.k8s.io",
  resource: "mutatingadmissionpolicybindings",
};
export const validatingAdmissionPolicies: GroupResource = {
  group: "admissionregistration.k8s.io",
  resource: "validatingadmissionpolicies",
};
export const validatingAdmissionPolicyBindings: GroupResource = {
  group: "admissionregistration.k8s.io",
  resource: "validatingadmissionpolicybindings",
};
export const validatingWebhookConfigurations: GroupResource = {
  group: "admissionregistration.k8s.io",
  resource: "validatingwebhookconfigurations",
};
export const customResourceDefinitions: GroupResource = { group: "apiextensions.k8s.io", resource: "customresourcedefinitions" };
export const priorityClasses: GroupResource = { group: "scheduling.k8s.io", resource: "priorityclasses" };
export const leases: GroupResource = { group: "coordination.k8s.io", resource: "leases" };
export const runtimeClasses: GroupResource = { group: "node.k8s.io", resource: "runtimeclasses" };
export const endpointSlices: GroupResource = { group: "discovery.k8s.io", resource: "endpointslices" };
export const flowSchemas: GroupResource = { group: "flowcontrol.apiserver.k8s.io", resource: "flowschemas" };
export const priorityLevelConfigurations: GroupResource = {
  group: "flowcontrol.apiserver.k8s.io",
  resource: "prioritylevelconfigurations",
};
