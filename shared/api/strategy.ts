import type { UserInfo } from "../auth/user.ts";
import { cloneJson } from "../kubernetes/clone.ts";
import { cleanupFinalizer } from "../kubernetes/custom/cleanup-finalizer.ts";
import type { GroupResource, KubernetesObject } from "../kubernetes/object.ts";
import { collectionOf } from "../kubernetes/object.ts";
import type { CustomResourceDefinition, Namespace, Node, ObjectMeta } from "../kubernetes/types.ts";
import type { UpdateSubresource } from "./registry.ts";
import { certificateRequestStrategy } from "./strategies/certificate-request.ts";
import { dropSliceFields, dropTolerance } from "./strategies/disabled-fields.ts";
import { podStrategy } from "./strategies/pod.ts";
import { prepareServiceUpdate } from "./strategies/service.ts";
import { dropVolumeAttributes, prepareClaim, prepareClaimSpec, prepareVolume } from "./strategies/storage.ts";
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

/** What a kind does on its way in, beyond defaults and validation: k8s.io/apiserver's `rest.RESTCreateUpdateStrategy`. */
export interface Strategy {
  /** `metadata.generation` counts changes of the desired state (everything but metadata and status). */
  readonly generation: boolean | "first";
  /** A PUT without a resource version overwrites what is there. */
  readonly unconditionalUpdate: boolean;
  /** What `kubectl delete` does to dependents when it does not say. */
  readonly defaultPropagation: "Background" | "Orphan";
  /** A successful deletion answers with the object instead of a Status. */
  readonly returnsDeleted: boolean;
  /** Status survives a create (a node registers itself with it). */
  readonly keepsStatusOnCreate: boolean;
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

const namespace: Strategy = {
  ...plain,
  prepareCreate(object) {
    const spec = (object as Namespace).spec;
    const finalizers = spec?.finalizers ?? [];
    object.spec = { ...object.spec, finalizers: finalizers.includes("kubernetes") ? finalizers : [...finalizers, "kubernetes"] };
    object.status = { phase: "Active" };
  },
  prepareUpdate(next, live) {
    // Only the finalize subresource changes them.
    if (live.spec?.finalizers !== undefined) next.spec = { ...next.spec, finalizers: live.spec.finalizers };
  },
};

const node: Strategy = {
  ...plain,
  keepsStatusOnCreate: true,
  prepareCreate(object) {
    // DynamicKubeletConfig is gone.
    if (object.spec !== undefined) delete object.spec.configSource;
    // TaintNodesByCondition: no pod lands here before the node said that it is ready.
    const taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" as const };
    const taints = (object as Node).spec?.taints ?? [];
    if (!taints.some(({ key, effect }) => key === taint.key && effect === taint.effect))
      object.spec = { ...object.spec, taints: [...taints, taint] };
  },
};

const service: Strategy = {
  ...returned,
  prepareCreate: initialStatus({ loadBalancer: {} }),
  prepareUpdate: prepareServiceUpdate,
};

/** A LimitRange without a name gets one nobody will guess (pkg/registry/core/limitrange). */
function nameLimitRange({ metadata }: Body): void {
  if ((metadata.name ?? "") === "") metadata.name = metadata.uid ?? "";
}

/** Labels are not changed through the status of these (`ResetFieldsFilter` and `PrepareForUpdate` of pkg/registry/apps). */
const workload: Strategy = {
  ...counted,
  prepareCreate: (object) => dropTemplateFields(object),
  prepareUpdate: dropTemplateFields,
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
  ...counted,
  prepareCreate: (object) => dropSliceFields(object, undefined),
  prepareUpdate: dropSliceFields,
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

function keepMetadata(
  next: ObjectMeta,
  live: ObjectMeta,
  fields: readonly ("labels" | "annotations" | "finalizers" | "ownerReferences")[],
): void {
  for (const field of fields) {
    delete next[field];
    if (live[field] !== undefined) Object.assign(next, { [field]: live[field] });
  }
}

const customDefinition: Strategy = {
  ...counted,
  prepareCreate(object) {
    // What is stored is stored in the storage version; names and conditions are a controller's to set.
    const definition: KubernetesObject = object;
    const storedVersions = ((definition as CustomResourceDefinition).spec?.versions ?? [])
      .filter(({ storage }) => storage)
      .map(({ name }) => name);
    object.status = { ...object.status, storedVersions };
  },
  prepareUpdate(next) {
    const definition = next as KubernetesObject as CustomResourceDefinition;
    const stored = definition.status?.storedVersions ?? [];
    const missing = definition.spec.versions.filter(({ storage, name }) => storage && !stored.includes(name)).map(({ name }) => name);
    if (missing.length > 0) next.status = { ...next.status, storedVersions: [...stored, ...missing] };
  },
  prepareDeletion(next, timeIso) {
    const { metadata } = next;
    if (metadata.finalizers?.includes(cleanupFinalizer)) return;
    metadata.finalizers = [...(metadata.finalizers ?? []), cleanupFinalizer];
    const condition = {
      type: "Terminating",
      status: "True",
      lastTransitionTime: timeIso,
      reason: "InstanceDeletionPending",
      message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    };
    const conditions = (next as KubernetesObject as CustomResourceDefinition).status?.conditions ?? [];
    next.status = { ...next.status, conditions: [...conditions.filter(({ type }) => type !== condition.type), condition] };
  },
  prepareStatus: (next, live) => keepMetadata(next.metadata, live.metadata, ["labels", "annotations", "finalizers", "ownerReferences"]),
};

/** Through its status nothing but the status of a custom object changes. */
const customObject: Strategy = {
  ...counted,
  unconditionalUpdate: false,
  prepareStatus(next, live) {
    next.metadata = cloneJson(live.metadata);
  },
};

const strategies = new Map<string, Strategy>([
  ["pods", podStrategy(plain)],
  ["namespaces", namespace],
  ["nodes", node],
  ["services", service],
  ["replicationcontrollers", { ...workload, defaultPropagation: "Orphan" }],
  ["batch/jobs", job],
  ["discovery.k8s.io/endpointslices", endpointSlice],
  [
    "autoscaling/horizontalpodautoscalers",
    { ...plain, prepareCreate: (object) => dropTolerance(object, undefined), prepareUpdate: dropTolerance },
  ],
  ["batch/cronjobs", { ...counted, prepareCreate: (object) => dropTemplateFields(object), prepareUpdate: dropTemplateFields }],
  ["persistentvolumeclaims", { ...returned, prepareCreate: prepareClaim, prepareUpdate: prepareClaimSpec }],
  ["persistentvolumes", { ...returned, prepareCreate: prepareVolume, prepareUpdate: dropVolumeAttributes }],
  ["limitranges", { ...plain, prepareCreate: nameLimitRange }],
  ["podtemplates", { ...returned, generation: true }],
  ["resourcequotas", returned],
  ["serviceaccounts", returned],
  ["apiextensions.k8s.io/customresourcedefinitions", customDefinition],
  ["certificates.k8s.io/certificatesigningrequests", certificateRequestStrategy(plain)],
]);
for (const name of ["deployments", "replicasets"]) strategies.set(`apps/${name}`, workload);
strategies.set("apps/daemonsets", daemonSet);
strategies.set("apps/statefulsets", statefulSet);
for (const name of [
  "networking.k8s.io/ingresses",
  "networking.k8s.io/ingressclasses",
  "networking.k8s.io/networkpolicies",
  "policy/poddisruptionbudgets",
  "flowcontrol.apiserver.k8s.io/flowschemas",
  "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations",
  "admissionregistration.k8s.io/mutatingwebhookconfigurations",
  "admissionregistration.k8s.io/validatingwebhookconfigurations",
  "admissionregistration.k8s.io/validatingadmissionpolicies",
  "admissionregistration.k8s.io/validatingadmissionpolicybindings",
])
  strategies.set(name, counted);

for (const name of [
  "node.k8s.io/runtimeclasses",
  "policy/poddisruptionbudgets",
  "storage.k8s.io/csidrivers",
  "storage.k8s.io/csinodes",
  "storage.k8s.io/csistoragecapacities",
  "storage.k8s.io/volumeattachments",
  "coordination.k8s.io/leases",
  "admissionregistration.k8s.io/mutatingwebhookconfigurations",
  "admissionregistration.k8s.io/validatingwebhookconfigurations",
  "admissionregistration.k8s.io/validatingadmissionpolicies",
  "admissionregistration.k8s.io/validatingadmissionpolicybindings",
  "apiregistration.k8s.io/apiservices",
  "apiextensions.k8s.io/customresourcedefinitions",
])
  strategies.set(name, { ...(strategies.get(name) ?? plain), unconditionalUpdate: false });
strategies.set("scheduling.k8s.io/priorityclasses", { ...plain, generation: "first" });

export const strategyOf = (resource: GroupResource & { readonly custom?: object }): Strategy =>
  resource.custom ? customObject : (strategies.get(collectionOf(resource)) ?? plain);
