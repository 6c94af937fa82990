import * as access from "./access.ts";
import { horizontalPodAutoscalerCells } from "./autoscaling.ts";
import * as cluster from "./cluster.ts";
import type { Printer } from "./format.ts";
import * as network from "./network.ts";
import { podCells, podTemplateCells } from "./pods.ts";
import * as storage from "./storage.ts";
import * as workloads from "./workloads.ts";

/** By collection, who prints its rows. What is absent shows name and time of creation. */
export const printers: ReadonlyMap<string, Printer> = new Map([
  ["componentstatuses", cluster.componentStatusCells],
  ["configmaps", cluster.configMapCells],
  ["endpoints", network.endpointsCells],
  ["events", cluster.eventCells],
  ["namespaces", cluster.namespaceCells],
  ["nodes", cluster.nodeCells],
  ["persistentvolumeclaims", storage.persistentVolumeClaimCells],
  ["persistentvolumes", storage.persistentVolumeCells],
  ["pods", podCells],
  ["podtemplates", podTemplateCells],
  ["replicationcontrollers", workloads.replicationControllerCells],
  ["resourcequotas", cluster.resourceQuotaCells],
  ["secrets", cluster.secretCells],
  ["serviceaccounts", cluster.serviceAccountCells],
  ["services", network.serviceCells],
  ["apiregistration.k8s.io/apiservices", access.apiServiceCells],
  ["apps/controllerrevisions", workloads.controllerRevisionCells],
  ["apps/daemonsets", workloads.daemonSetCells],
  ["apps/deployments", workloads.deploymentCells],
  ["apps/replicasets", workloads.replicaSetCells],
  ["apps/statefulsets", workloads.statefulSetCells],
  ["autoscaling/horizontalpodautoscalers", horizontalPodAutoscalerCells],
  ["batch/cronjobs", workloads.cronJobCells],
  ["batch/jobs", workloads.jobCells],
  ["certificates.k8s.io/certificatesigningrequests", access.certificateSigningRequestCells],
  ["networking.k8s.io/ingressclasses", network.ingressClassCells],
  ["networking.k8s.io/ingresses", network.ingressCells],
  ["networking.k8s.io/ipaddresses", network.ipAddressCells],
  ["networking.k8s.io/networkpolicies", network.networkPolicyCells],
  ["networking.k8s.io/servicecidrs", network.serviceCidrCells],
  ["policy/poddisruptionbudgets", workloads.podDisruptionBudgetCells],
  ["rbac.authorization.k8s.io/clusterrolebindings", access.roleBindingCells],
  ["rbac.authorization.k8s.io/rolebindings", access.roleBindingCells],
  ["storage.k8s.io/csidrivers", storage.csiDriverCells],
  ["storage.k8s.io/csinodes", storage.csiNodeCells],
  ["storage.k8s.io/storageclasses", storage.storageClassCells],
  ["storage.k8s.io/volumeattachments", storage.volumeAttachmentCells],
  ["admissionregistration.k8s.io/mutatingwebhookconfigurations", access.webhookConfigurationCells],
  ["admissionregistration.k8s.io/mutatingadmissionpolicies", access.mutatingAdmissionPolicyCells],
  ["admissionregistration.k8s.io/mutatingadmissionpolicybindings", access.admissionPolicyBindingCells],
  ["admissionregistration.k8s.io/validatingadmissionpolicies", access.validatingAdmissionPolicyCells],
  ["admissionregistration.k8s.io/validatingadmissionpolicybindings", access.admissionPolicyBindingCells],
  ["admissionregistration.k8s.io/validatingwebhookconfigurations", access.webhookConfigurationCells],
  ["scheduling.k8s.io/priorityclasses", cluster.priorityClassCells],
  ["coordination.k8s.io/leases", cluster.leaseCells],
  ["node.k8s.io/runtimeclasses", cluster.runtimeClassCells],
  ["discovery.k8s.io/endpointslices", network.endpointSliceCells],
  ["flowcontrol.apiserver.k8s.io/flowschemas", access.flowSchemaCells],
  ["flowcontrol.apiserver.k8s.io/prioritylevelconfigurations", access.priorityLevelConfigurationCells],
]);
