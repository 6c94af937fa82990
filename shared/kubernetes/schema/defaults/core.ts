import type {
  Endpoints,
  LimitRangeItem,
  Namespace,
  NodeSpec,
  NodeStatus,
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  Secret,
  Service,
} from "../../types.ts";
import { base64Of } from "../base64.ts";
import { type DefaultRule, rule } from "./rule.ts";

const core = "io.k8s.api.core.v1.";
const clientIpAffinitySeconds = 10_800;

/** `SetDefaults_*` of pkg/apis/core/v1/defaults.go for what is not a pod or a workload, and what conversion or the strategies add to them. */
export const coreDefaults: readonly DefaultRule[] = [
  rule<Service>(`${core}Service`, serviceDefaults),
  rule<Secret>(`${core}Secret`, (secret) => {
    secret.type ??= "Opaque";
    if (secret.stringData === undefined) return;
    secret.data ??= {};
    for (const [key, text] of Object.entries(secret.stringData)) secret.data[key] = base64Of(text);
    delete secret.stringData;
  }),
  rule<Endpoints>(`${core}Endpoints`, (endpoints) => {
    for (const subset of endpoints.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ??= "TCP";
  }),
  rule<Namespace>(`${core}Namespace`, (namespace) => {
    const { name } = namespace.metadata;
    if (name !== undefined && name !== "") {
      namespace.metadata.labels ??= {};
      namespace.metadata.labels["kubernetes.io/metadata.name"] = name;
    }
    namespace.status ??= {};
    namespace.status.phase ??= "Active";
  }),
  rule<NodeSpec>(`${core}NodeSpec`, (spec) => {
    // `podCIDR` and the first of `podCIDRs` are one value (pkg/apis/core/v1 conversion); `podCIDR` wins.
    if ((spec.podCIDR ?? "") !== "" && spec.podCIDRs?.[0] !== spec.podCIDR) spec.podCIDRs = [spec.podCIDR ?? ""];
    const [first] = spec.podCIDRs ?? [];
    if (first !== undefined) spec.podCIDR ??= first;
  }),
  rule<NodeStatus>(`${core}NodeStatus`, (status) => {
    if (status.capacity !== undefined) status.allocatable ??= { ...status.capacity };
  }),
  rule<PersistentVolume>(`${core}PersistentVolume`, (volume) => {
    volume.status ??= {};
    volume.status.phase ??= "Pending";
    if (volume.spec === undefined) return;
    volume.spec.persistentVolumeReclaimPolicy ??= "Retain";
    volume.spec.volumeMode ??= "Filesystem";
  }),
  rule<PersistentVolumeClaim>(`${core}PersistentVolumeClaim`, (claim) => {
    claim.status ??= {};
    claim.status.phase ??= "Pending";
  }),
  rule<PersistentVolumeClaimSpec>(`${core}PersistentVolumeClaimSpec`, (spec) => {
    spec.volumeMode ??= "Filesystem";
  }),
  rule<LimitRangeItem>(`${core}LimitRangeItem`, (item) => {
    if (item.type !== "Container") return;
    const limits = { ...item.max, ...item.default };
    const requests = { ...item.min, ...limits, ...item.defaultRequest };
    if (Object.keys(limits).length > 0) item.default = limits;
    if (Object.keys(requests).length > 0) item.defaultRequest = requests;
  }),
];

function serviceDefaults({ spec, status }: Service): void {
  if (spec === undefined) return;
  spec.sessionAffinity ??= "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP" && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: clientIpAffinitySeconds } };
  }
  spec.type ??= "ClusterIP";
  for (const port of spec.ports ?? []) {
    port.protocol ??= "TCP";
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "") port.targetPort = port.port;
  }
  const exposed = spec.type === "NodePort" || spec.type === "LoadBalancer";
  const external = exposed || (spec.type === "ClusterIP" && (spec.externalIPs?.length ?? 0) > 0);
  if (external) spec.externalTrafficPolicy ??= "Cluster";
  if (exposed || spec.type === "ClusterIP") spec.internalTrafficPolicy ??= "Cluster";
  if (spec.type !== "LoadBalancer") return;
  spec.allocateLoadBalancerNodePorts ??= true;
  for (const ingress of status?.loadBalancer?.ingress ?? []) if (ingress.ip !== undefined) ingress.ipMode ??= "VIP";
}
