import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Endpoints,
  PersistentVolumeClaim,
  Pod,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  Service,
  StatefulSet,
} from "../../types.ts";
import {
  validateControllerRevision,
  validateControllerRevisionUpdate,
  validateDaemonSet,
  validateDaemonSetStatus,
  validateDaemonSetUpdate,
  validateDeployment,
  validateDeploymentStatus,
  validateDeploymentUpdate,
  validateReplicaSet,
  validateReplicaSetUpdate,
  validateStatefulSet,
  validateStatefulSetStatus,
  validateStatefulSetUpdate,
} from "./apps.ts";
import { validateClaim, validateClaimStatus, validateClaimUpdate } from "./claims.ts";
import { validateEndpointSlice, validateEndpointSliceUpdate, validateEndpoints, validateEndpointsUpdate } from "./endpoints.ts";
import { type KindEntry, rules } from "./kind-rules.ts";
import { validatePod, validatePodStatus, validatePodUpdate } from "./pod.ts";
import { validateEphemeralContainers } from "./pod-ephemeral.ts";
import { validatePodResize } from "./pod-resize.ts";
import { validateService, validateServiceStatus, validateServiceUpdate } from "./service.ts";
import {
  checkReplicaCounts,
  replicaStatusFields,
  replicaStatusParts,
  validatePodTemplateObject,
  validateReplicationController,
} from "./workloads.ts";

/** The rules of pods, of what keeps them running and of what leads to them. */
export const workloadEntries: readonly KindEntry[] = [
  rules<Pod>("/Pod", {
    stages: ["metaUpdate", "meta", "update"],
    create: validatePod,
    update: validatePodUpdate,
    status: validatePodStatus,
    resize: validatePodResize,
    ephemeralcontainers: validateEphemeralContainers,
  }),
  rules<PodTemplate>("/PodTemplate", { create: validatePodTemplateObject }),
  rules<ReplicationController>("/ReplicationController", {
    stages: ["meta", "create", "metaUpdate", "update"],
    create: validateReplicationController,
    status: ({ status }) => checkReplicaCounts(status, replicaStatusFields, replicaStatusParts),
  }),
  rules<ReplicaSet>("apps/ReplicaSet", {
    stages: ["meta", "create", "metaUpdate", "update"],
    create: validateReplicaSet,
    update: validateReplicaSetUpdate,
    status: ({ status }) => checkReplicaCounts(status, [...replicaStatusFields, "terminatingReplicas"], replicaStatusParts),
  }),
  rules<Deployment>("apps/Deployment", { create: validateDeployment, update: validateDeploymentUpdate, status: validateDeploymentStatus }),
  rules<StatefulSet>("apps/StatefulSet", {
    name: "dnsLabel",
    create: validateStatefulSet,
    update: validateStatefulSetUpdate,
    status: validateStatefulSetStatus,
  }),
  rules<DaemonSet>("apps/DaemonSet", {
    stages: ["meta", "create", "metaUpdate", "update"],
    create: validateDaemonSet,
    update: validateDaemonSetUpdate,
    status: validateDaemonSetStatus,
  }),
  rules<ControllerRevision>("apps/ControllerRevision", {
    stages: ["metaUpdate", "meta", "update"],
    create: validateControllerRevision,
    update: validateControllerRevisionUpdate,
  }),
  rules<Service>("/Service", {
    stages: ["metaUpdate", "meta", "update"],
    name: "dns1035Label",
    create: (service) => validateService(service),
    update: validateServiceUpdate,
    status: validateServiceStatus,
  }),
  rules<Endpoints>("/Endpoints", { stages: ["metaUpdate", "meta", "update"], create: validateEndpoints, update: validateEndpointsUpdate }),
  rules<EndpointSlice>("discovery.k8s.io/EndpointSlice", {
    stages: ["meta", "update"],
    create: validateEndpointSlice,
    update: validateEndpointSliceUpdate,
  }),
  rules<PersistentVolumeClaim>("/PersistentVolumeClaim", {
    stages: ["meta", "create", "metaUpdate", "meta", "update"],
    create: validateClaim,
    update: validateClaimUpdate,
    status: validateClaimStatus,
  }),
];
