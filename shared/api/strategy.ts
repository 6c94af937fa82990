import type { UserInfo } from "../auth/user.ts";
import { cloneJson } from "../kubernetes/clone.ts";
import type { GroupResource, KubernetesObject } from "../kubernetes/object.ts";
import { collectionOf } from "../kubernetes/object.ts";
import type { ServiceAccount } from "../kubernetes/types.ts";
import type { UpdateSubresource } from "./registry.ts";
import { certificateRequestStrategy } from "./strategies/certificate-request.ts";
import { definitionStrategy } from "./strategies/custom-resource-definition.ts";
import {
  countAndDropSliceFields,
  dropAttachmentErrorCodes,
  dropDisabledClaimStatus,
  dropSliceFields,
  dropTolerance,
} from "./strategies/disabled-fields.ts";
import { keepMetadata } from "./strategies/keep-metadata.ts";
import { namespaceStrategy } from "./strategies/namespace.ts";
import { nodeStrategy } from "./strategies/node.ts";
import { podStrategy } from "./strategies/pod.ts";
import { prepareServiceUpdate } from "./strategies/service.ts";
import { dateVolumePhase, dropVolumeAttributes, prepareClaim, prepareClaimSpec, prepareVolume } from "./strategies/storage.ts";
import { countTemplates, dropTemplateFields, prepareStatefulSet, selectOwnPods } from "./strategies/workloads.ts";

/** An object of whatever kind, seen as most kinds look. */
export interface Body extends KubernetesObject {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

/** What preparing an object may need of the request. */
export interface Preparing {
  readonly nowIso: string;
  readonly user: UserInfo;
  readonly warn: (text: string) => void;
}

type Paths = readonly (readonly string[])[];

/** By where the write goes: to the resource itself, its status, its approval. */
interface ResetFields {
  /** `status` where the kind has that subresource, unless it is said. */
  readonly main?: Paths;
  /** `spec` unless it is said. */
  readonly status?: Paths;
  readonly approval?: Paths;
}

/** What a kind does on its way in, beyond defaults and validation: k8s.io/apiserver's `rest.RESTCreateUpdateStrategy`. */
export interface Strategy {
  /** `metadata.generation` counts changes of the desired state (everything but metadata and status). `first`: it is 1 and stays; `later`: it is not set at first. */
  readonly generation: boolean | "first" | "later";
  /** A part of the metadata whose change counts too. */
  readonly countedMetadata?: "annotations";
  /** A PUT without a resource version overwrites what is there. */
  readonly unconditionalUpdate: boolean;
  /** A PUT of what is not there creates it. */
  readonly createOnUpdate: boolean;
  /** Paths that a write cannot change (`GetResetFields`): nobody comes to own them by it. */
  readonly resetFields: ResetFields;
  /** What `kubectl delete` does to dependents when it does not say. */
  readonly defaultPropagation: "Background" | "Orphan";
  /** A successful deletion answers with the object instead of a Status. */
  readonly returnsDeleted: boolean;
  /** Status survives a create (a node registers itself with it). */
  readonly keepsStatusOnCreate: boolean;
  /** What reading a changed object fills in (the conversions of a kind), before anybody comes to own it. */
  readonly normalize?: (object: Body) => void;
  readonly prepareCreate?: (object: Body, preparing: Preparing) => void;
  readonly prepareUpdate?: (next: Body, live: Body) => void;
  /** Through one that changes a part of the object alone: the rest of `next` becomes what it was. Idempotent. */
  readonly prepareSubresource?: (subresource: UpdateSubresource, next: Body, live: Body) => void;
  readonly prepareStatus?: (next: Body, live: Body, preparing: Preparing) => void;
  /** Through the subresource `approval`. */
  readonly prepareApproval?: (next: Body, live: Body, preparing: Preparing) => void;
  /** What the first request to delete it changes, beyond the marks of its deletion. */
  readonly prepareDeletion?: (next: Body, timeIso: string) => void;
  /** Seconds that a deletion grants; 0 deletes at once. Absent: the kind knows no grace. */
  readonly gracePeriodSeconds?: (object: Body, requested: number | undefined) => number;
}

const plain: Strategy = {
  generation: false,
  unconditionalUpdate: true,
  createOnUpdate: false,
  resetFields: {},
  defaultPropagation: "Background",
  returnsDeleted: false,
  keepsStatusOnCreate: false,
};
const counted: Strategy = { ...plain, generation: true };
const returned: Strategy = { ...plain, returnsDeleted: true };

const initialStatus =
  (status: Record<string, unknown>) =>
  (object: Body): void => {
    object.status = { ...status };
  };

const service: Strategy = {
  ...returned,
  prepareCreate: initialStatus({ loadBalancer: {} }),
  prepareUpdate: prepareServiceUpdate,
};

/** Of the Secrets of an account nothing but their names is kept (pkg/registry/core/serviceaccount `cleanSecretReferences`). */
function nameSecretsOnly(object: KubernetesObject): void {
  const account = object as ServiceAccount;
  if (account.secrets) account.secrets = account.secrets.map(({ name }) => (name === undefined ? {} : { name }));
}

/** A LimitRange without a name gets one nobody will guess (pkg/registry/core/limitrange). */
function nameLimitRange({ metadata }: Body): void {
  if ((metadata.name ?? "") === "") metadata.name = metadata.uid ?? "";
}

const workload: Strategy = {
  ...counted,
  prepareCreate: (object) => dropTemplateFields(object),
  prepareUpdate: dropTemplateFields,
};

const deployment: Strategy = {
  ...workload,
  countedMetadata: "annotations",
  resetFields: { status: [["spec"], ["metadata", "labels"]] },
  prepareStatus: (next, live) => keepMetadata(next.metadata, live.metadata, ["labels"]),
};

const daemonSet: Strategy = {
  ...workload,
  prepareCreate(object) {
    countTemplates(object);
    dropTemplateFields(object);
  },
  prepareUpdate(next, live) {
    countTemplates(next, live);
    dropTemplateFields(next, live);
  },
};

const statefulSet: Strategy = { ...workload, prepareCreate: (object) => prepareStatefulSet(object), prepareUpdate: prepareStatefulSet };

const endpointSlice: Strategy = {
  ...plain,
  generation: "first",
  prepareCreate: (object) => dropSliceFields(object, undefined),
  prepareUpdate: countAndDropSliceFields,
};

const job: Strategy = {
  ...counted,
  defaultPropagation: "Orphan",
  prepareCreate(object) {
    selectOwnPods(object);
    dropTemplateFields(object);
  },
  prepareUpdate: dropTemplateFields,
};

/** Through its status nothing but the status changes (apimachinery `ResetObjectMetaForStatus`). */
const statusOnly = (strategy: Strategy): Strategy => ({
  ...strategy,
  resetFields: { status: [["metadata"], ["spec"]] },
  prepareStatus: (next, live) => keepMetadata(next.metadata, live.metadata),
});

/** Through its status nothing but the status of a custom object changes. */
const customObject: Strategy = {
  ...counted,
  unconditionalUpdate: false,
  prepareStatus(next, live) {
    const { managedFields } = next.metadata;
    const { managedFields: _, ...metadata } = cloneJson(live.metadata);
    next.metadata = { ...metadata, ...(managedFields && { managedFields }) };
  },
};

const strategies = new Map<string, Strategy>([
  ["pods", podStrategy(plain)],
  ["namespaces", namespaceStrategy(plain)],
  ["nodes", nodeStrategy(plain)],
  ["services", service],
  ["replicationcontrollers", { ...workload, defaultPropagation: "Orphan" }],
  ["batch/jobs", job],
  ["discovery.k8s.io/endpointslices", endpointSlice],
  [
    "autoscaling/horizontalpodautoscalers",
    { ...plain, prepareCreate: (object) => dropTolerance(object, undefined), prepareUpdate: dropTolerance },
  ],
  ["batch/cronjobs", { ...counted, prepareCreate: (object) => dropTemplateFields(object), prepareUpdate: dropTemplateFields }],
  [
    "persistentvolumeclaims",
    { ...returned, prepareCreate: prepareClaim, prepareUpdate: prepareClaimSpec, prepareStatus: dropDisabledClaimStatus },
  ],
  ["serviceaccounts", { ...plain, prepareCreate: nameSecretsOnly, prepareUpdate: nameSecretsOnly }],
  ["persistentvolumes", { ...plain, prepareCreate: prepareVolume, prepareUpdate: dropVolumeAttributes, prepareStatus: dateVolumePhase }],
  ["limitranges", { ...plain, prepareCreate: nameLimitRange }],
  ["podtemplates", counted],
  ["apiextensions.k8s.io/customresourcedefinitions", definitionStrategy(counted)],
  ["certificates.k8s.io/certificatesigningrequests", certificateRequestStrategy(plain)],
  ["apps/deployments", deployment],
  ["apps/replicasets", workload],
  ["apps/daemonsets", daemonSet],
  ["apps/statefulsets", statefulSet],
]);

const add = (change: Partial<Strategy>, names: readonly string[]): void => {
  for (const name of names) strategies.set(name, { ...(strategies.get(name) ?? plain), ...change });
};
add({ generation: true }, [
  "networking.k8s.io/ingresses",
  "networking.k8s.io/ingressclasses",
  "networking.k8s.io/networkpolicies",
  "policy/poddisruptionbudgets",
  "flowcontrol.apiserver.k8s.io/flowschemas",
  "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations",
  "admissionregistration.k8s.io/mutatingwebhookconfigurations",
  "admissionregistration.k8s.io/validatingwebhookconfigurations",
  "admissionregistration.k8s.io/mutatingadmissionpolicies",
  "admissionregistration.k8s.io/mutatingadmissionpolicybindings",
  "admissionregistration.k8s.io/validatingadmissionpolicies",
  "admissionregistration.k8s.io/validatingadmissionpolicybindings",
]);
add({ unconditionalUpdate: false }, [
  "node.k8s.io/runtimeclasses",
  "policy/poddisruptionbudgets",
  "storage.k8s.io/csidrivers",
  "storage.k8s.io/csinodes",
  "storage.k8s.io/csistoragecapacities",
  "storage.k8s.io/volumeattachments",
  "coordination.k8s.io/leases",
  "admissionregistration.k8s.io/mutatingwebhookconfigurations",
  "admissionregistration.k8s.io/validatingwebhookconfigurations",
  "admissionregistration.k8s.io/mutatingadmissionpolicies",
  "admissionregistration.k8s.io/mutatingadmissionpolicybindings",
  "admissionregistration.k8s.io/validatingadmissionpolicies",
  "admissionregistration.k8s.io/validatingadmissionpolicybindings",
  "apiregistration.k8s.io/apiservices",
  "apiextensions.k8s.io/customresourcedefinitions",
]);
add({ createOnUpdate: true }, [
  "services",
  "endpoints",
  "events",
  "limitranges",
  "coordination.k8s.io/leases",
  "node.k8s.io/runtimeclasses",
  "rbac.authorization.k8s.io/roles",
  "rbac.authorization.k8s.io/rolebindings",
  "rbac.authorization.k8s.io/clusterroles",
  "rbac.authorization.k8s.io/clusterrolebindings",
]);
add({ returnsDeleted: true }, [
  "namespaces",
  "persistentvolumes",
  "podtemplates",
  "resourcequotas",
  "serviceaccounts",
  "storage.k8s.io/storageclasses",
  "storage.k8s.io/csidrivers",
  "storage.k8s.io/csinodes",
  "storage.k8s.io/volumeattachments",
]);
add({ generation: "first" }, ["scheduling.k8s.io/priorityclasses"]);
add({ generation: "later" }, ["storage.k8s.io/csidrivers"]);
for (const name of [
  "storage.k8s.io/volumeattachments",
  "admissionregistration.k8s.io/validatingadmissionpolicies",
  "apiregistration.k8s.io/apiservices",
  "flowcontrol.apiserver.k8s.io/flowschemas",
  "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations",
])
  strategies.set(name, statusOnly(strategies.get(name) ?? plain));
const attachment = strategies.get("storage.k8s.io/volumeattachments") ?? plain;
strategies.set("storage.k8s.io/volumeattachments", {
  ...attachment,
  prepareStatus(next, live, preparing) {
    attachment.prepareStatus?.(next, live, preparing);
    dropAttachmentErrorCodes(next, live);
  },
});
// Its reset fields are declared for a group of another name, so all it changes is owned.
add({ ...statusOnly(plain), resetFields: { main: [], status: [] } }, ["networking.k8s.io/servicecidrs"]);

export const strategyOf = (resource: GroupResource & { readonly custom?: object }): Strategy =>
  resource.custom ? customObject : (strategies.get(collectionOf(resource)) ?? plain);
