import { addressWarnings, prefixWarnings } from "../../ip-text.ts";
import type {
  CronJob,
  CSIStorageCapacity,
  EndpointSlice,
  Endpoints,
  Ingress,
  Job,
  JobSpec,
  LabelSelector,
  ObjectMeta,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodTemplate,
  PodTemplateSpec,
  RuntimeClass,
  Secret,
  Service,
  ServiceAccount,
  StatefulSet,
  StorageClass,
} from "../../types.ts";
import type { JsonObject } from "../schema-node.ts";
import { keyPairProblem } from "./key-pair.ts";
import { deprecatedLabelText, selectorTermWarnings } from "./node-labels.ts";
import { podTemplateWarnings, podWarnings, workloadNameWarnings } from "./pod.ts";
import { claimSpecWarnings } from "./pod-volumes.ts";

/** What a client is told about an object that is stored all the same (`WarningsOnCreate`, `WarningsOnUpdate` of a kind's strategy). `live` is undefined for a create. */
type Warn<T> = (object: T, live: T | undefined) => string[];

const entry = <T extends object>(kind: string, warn: Warn<T>): readonly [string, Warn<JsonObject>] => [
  kind,
  (object: unknown, live: unknown) => warn(object as T, live as T | undefined),
];

interface Workload {
  readonly metadata: ObjectMeta;
  readonly spec?: { readonly template?: PodTemplateSpec };
}

/** Templates are looked at when they are new or when the desired state changed. */
const changed = ({ metadata }: { metadata: ObjectMeta }, live: { metadata: ObjectMeta } | undefined): boolean =>
  live === undefined || metadata.generation !== live.metadata.generation;

function workloadWarnings(object: Workload, live: Workload | undefined): string[] {
  return [
    ...(live === undefined ? workloadNameWarnings(object.metadata) : []),
    ...(changed(object, live) ? podTemplateWarnings(object.spec?.template, "spec.template") : []),
  ];
}

function jobSpecWarnings(spec: JobSpec | undefined, path: string): string[] {
  const { completionMode, completions = 0, parallelism = 0, template } = spec ?? {};
  const many =
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail";
  const untrackable = completionMode === "Indexed" && completions > 100_000 && parallelism > 10_000;
  return [...(untrackable ? [`${path}: ${many}`] : []), ...podTemplateWarnings(template, `${path}.template`)];
}

function statefulSetWarnings(set: StatefulSet, live: StatefulSet | undefined): string[] {
  const field = live === undefined ? "" : ".Spec";
  return [
    ...(changed(set, live) ? podTemplateWarnings(set.spec?.template, "spec.template") : []),
    ...(set.spec?.volumeClaimTemplates ?? []).flatMap(({ spec }, index) =>
      claimSpecWarnings(spec, `spec.volumeClaimTemplates[${index}]${field}`),
    ),
    ...((set.spec?.revisionHistoryLimit ?? 0) < 0
      ? ["spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"]
      : []),
  ];
}

function cronJobWarnings(job: CronJob, live: CronJob | undefined): string[] {
  const zoned =
    "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details";
  return [
    ...(live === undefined ? workloadNameWarnings(job.metadata) : []),
    ...(changed(job, live) ? jobSpecWarnings(job.spec?.jobTemplate?.spec, "spec.jobTemplate.spec") : []),
    ...(live !== undefined && job.spec?.schedule.includes("TZ") === true ? [zoned] : []),
  ];
}

function serviceWarnings({ metadata, spec }: Service): string[] {
  const warnings: string[] = [];
  if (metadata.annotations?.["service.kubernetes.io/topology-aware-hints"] !== undefined) {
    warnings.push(
      "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead",
    );
  }
  if (spec === undefined) return warnings;
  const { clusterIP = "", clusterIPs = [], externalIPs = [], loadBalancerIP = "", loadBalancerSourceRanges = [] } = spec;
  const addresses = (ips: readonly string[], field: string) => ips.flatMap((ip, index) => addressWarnings(`spec.${field}[${index}]`, ip));
  if (clusterIP !== "" && clusterIP !== "None") warnings.push(...addresses(clusterIPs, "clusterIPs"));
  warnings.push(...addresses(externalIPs, "externalIPs"));
  if (loadBalancerIP !== "") warnings.push(...addressWarnings("spec.loadBalancerIP", loadBalancerIP));
  loadBalancerSourceRanges.forEach((range, index) => {
    warnings.push(...prefixWarnings(`spec.loadBalancerSourceRanges[${index}]`, range));
  });
  const external = spec.type === "ExternalName";
  if (external && externalIPs.length > 0) warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (!external && (spec.externalName ?? "") !== "") warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  return warnings;
}

function endpointsWarnings({ metadata, subsets = [] }: Endpoints): string[] {
  if (metadata.labels?.["endpoints.kubernetes.io/managed-by"] === "endpoint-controller") return [];
  return subsets.flatMap((subset, index) =>
    (["addresses", "notReadyAddresses"] as const).flatMap((field) =>
      (subset[field] ?? []).flatMap(({ ip }, number) => addressWarnings(`subsets[${index}].${field}[${number}].ip`, ip)),
    ),
  );
}

function endpointSliceWarnings({ metadata, addressType, endpoints }: EndpointSlice, live: EndpointSlice | undefined): string[] {
  const managedBy = metadata.labels?.["endpointslice.kubernetes.io/managed-by"] ?? "";
  const fqdn = live === undefined && addressType === "FQDN" ? ["spec.addressType: FQDN endpoints are deprecated"] : [];
  if (["endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"].includes(managedBy)) return fqdn;
  const addresses = (endpoints ?? []).flatMap((endpoint, index) =>
    (endpoint.addresses ?? []).flatMap((address, number) => addressWarnings(`endpoints[${index}].addresses[${number}]`, address)),
  );
  return [...fqdn, ...addresses];
}

const classAnnotation = "volume.beta.kubernetes.io/storage-class";
const classText = 'deprecated since v1.8; use "storageClassName" attribute instead';

function volumeWarnings({ metadata, spec }: PersistentVolume): string[] {
  const annotations = [
    [classAnnotation, classText],
    ["volume.beta.kubernetes.io/mount-options", 'deprecated since v1.31; use "mountOptions" attribute instead'],
  ] as const;
  const drivers = [
    ["cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"],
    ["photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
    ["scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"],
    ["storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"],
    ["glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"],
    ["rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"],
  ] as const;
  const recycle = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.";
  return [
    ...annotations.flatMap(([key, text]) => (metadata.annotations?.[key] === undefined ? [] : [`metadata.annotations[${key}]: ${text}`])),
    ...(spec?.persistentVolumeReclaimPolicy === "Recycle" ? [`spec.persistentVolumeReclaimPolicy: ${recycle}`] : []),
    ...(spec?.nodeAffinity?.required?.nodeSelectorTerms ?? []).flatMap((term, index) =>
      selectorTermWarnings(term, false, `spec.nodeAffinity.required.nodeSelectorTerms[${index}]`),
    ),
    ...drivers.flatMap(([source, shown, text]) => (spec?.[source] === undefined ? [] : [`spec.${shown}: ${text}`])),
  ];
}

function claimWarnings({ metadata, spec }: PersistentVolumeClaim): string[] {
  const old = metadata.annotations?.[classAnnotation] === undefined ? [] : [`metadata.annotations[${classAnnotation}]: ${classText}`];
  return [...old, ...claimSpecWarnings(spec, "spec")];
}

function selectorWarnings(selector: LabelSelector | undefined, path: string): string[] {
  const expressions = (selector?.matchExpressions ?? []).flatMap(({ key }, index) => {
    const text = deprecatedLabelText(key);
    return text === undefined ? [] : [`${path}.matchExpressions[${index}].key: ${key} is ${text}`];
  });
  const labels = Object.keys(selector?.matchLabels ?? {}).flatMap((label) => {
    const text = deprecatedLabelText(label);
    return text === undefined ? [] : [`${path}.matchLabels.${label}: ${text}`];
  });
  return [...expressions, ...labels];
}

function storageClassWarnings({ allowedTopologies = [] }: StorageClass): string[] {
  return allowedTopologies.flatMap(({ matchLabelExpressions = [] }, index) =>
    matchLabelExpressions.flatMap(({ key }, number) => {
      const text = deprecatedLabelText(key);
      return text === undefined ? [] : [`allowedTopologies[${index}].matchLabelExpressions[${number}].key: ${text}`];
    }),
  );
}

function runtimeClassWarnings({ scheduling }: RuntimeClass): string[] {
  return Object.keys(scheduling?.nodeSelector ?? {}).flatMap((label) => {
    const text = deprecatedLabelText(label);
    return text === undefined ? [] : [`scheduling.nodeSelector: ${text}`];
  });
}

function serviceAccountWarnings({ metadata }: ServiceAccount, live: ServiceAccount | undefined): string[] {
  const key = "kubernetes.io/enforce-mountable-secrets";
  if (metadata.annotations?.[key] === undefined || live?.metadata.annotations?.[key] !== undefined) return [];
  return [`metadata.annotations[${key}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`];
}

function ingressWarnings({ metadata, spec }: Ingress, live: Ingress | undefined): string[] {
  const key = "kubernetes.io/ingress.class";
  if (live !== undefined || metadata.annotations?.[key] === undefined || spec?.ingressClassName !== undefined) return [];
  return [`annotation "${key}" is deprecated, please use 'spec.ingressClassName' instead`];
}

function secretWarnings({ type, data = {} }: Secret): string[] {
  if (type !== "kubernetes.io/tls") return [];
  const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
  const problem = keyPairProblem(text("tls.crt"), text("tls.key"));
  return problem === undefined ? [] : [problem];
}

const noWarnings: Warn<JsonObject> = () => [];
const warnings = new Map<string, Warn<JsonObject>>([
  entry<Pod>("/Pod", (pod, live) => (live === undefined ? podWarnings(pod) : [])),
  entry<PodTemplate>("/PodTemplate", (object, live) => (changed(object, live) ? podTemplateWarnings(object.template, "template") : [])),
  ...["/ReplicationController", "apps/ReplicaSet", "apps/Deployment"].map((kind) => entry<Workload>(kind, workloadWarnings)),
  entry<Workload>("apps/DaemonSet", (set, live) => (changed(set, live) ? podTemplateWarnings(set.spec?.template, "spec.template") : [])),
  entry<StatefulSet>("apps/StatefulSet", statefulSetWarnings),
  entry<Job>("batch/Job", (job, live) => [
    ...(live === undefined ? workloadNameWarnings(job.metadata) : []),
    ...(changed(job, live) ? jobSpecWarnings(job.spec, "spec") : []),
  ]),
  entry<CronJob>("batch/CronJob", cronJobWarnings),
  entry<Service>("/Service", serviceWarnings),
  entry<Endpoints>("/Endpoints", endpointsWarnings),
  entry<EndpointSlice>("discovery.k8s.io/EndpointSlice", endpointSliceWarnings),
  entry<PersistentVolume>("/PersistentVolume", volumeWarnings),
  entry<PersistentVolumeClaim>("/PersistentVolumeClaim", claimWarnings),
  entry<StorageClass>("storage.k8s.io/StorageClass", storageClassWarnings),
  entry<CSIStorageCapacity>("storage.k8s.io/CSIStorageCapacity", ({ nodeTopology }) => selectorWarnings(nodeTopology, "nodeTopology")),
  entry<RuntimeClass>("node.k8s.io/RuntimeClass", runtimeClassWarnings),
  entry<ServiceAccount>("/ServiceAccount", serviceAccountWarnings),
  entry<Ingress>("networking.k8s.io/Ingress", ingressWarnings),
  entry<Secret>("/Secret", secretWarnings),
]);

export function kindWarnings(group: string, kind: string): Warn<JsonObject> {
  return warnings.get(`${group}/${kind}`) ?? noWarnings;
}
