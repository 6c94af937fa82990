import type {
  ComponentStatus,
  ConfigMap,
  Event,
  Lease,
  Namespace,
  Node,
  PriorityClass,
  ResourceQuota,
  RuntimeClass,
  Secret,
  ServiceAccount,
} from "../types.ts";
import { age, type Printer, since } from "./format.ts";

const rolePrefix = "node-role.kubernetes.io/";

export const nodeCells: Printer = (object, nowMs) => {
  const node = object as Node;
  const { metadata, spec, status } = node;
  const ready = status?.conditions?.findLast(({ type }) => type === "Ready");
  const readiness = ready ? (ready.status === "True" ? "Ready" : "NotReady") : "Unknown";
  const info = status?.nodeInfo;
  const address = (type: string) => status?.addresses?.find((candidate) => candidate.type === type)?.address ?? "<none>";
  return [
    metadata.name,
    spec?.unschedulable ? `${readiness},SchedulingDisabled` : readiness,
    nodeRoles(node).join(",") || "<none>",
    age(node, nowMs),
    info?.kubeletVersion ?? "",
    address("InternalIP"),
    address("ExternalIP"),
    info?.osImage || "<unknown>",
    info?.kernelVersion || "<unknown>",
    info?.containerRuntimeVersion || "<unknown>",
  ];
};

function nodeRoles({ metadata }: Node): string[] {
  const roles = Object.entries(metadata.labels ?? {}).flatMap(([label, value]) => {
    if (label.startsWith(rolePrefix)) return label.slice(rolePrefix.length);
    return label === "kubernetes.io/role" ? value : [];
  });
  return [...new Set(roles)].filter((role) => role !== "").sort();
}

export const namespaceCells: Printer = (object, nowMs) => {
  const namespace = object as Namespace;
  return [namespace.metadata.name, namespace.status?.phase ?? "", age(namespace, nowMs)];
};

export const configMapCells: Printer = (object, nowMs) => {
  const configMap = object as ConfigMap;
  const count = Object.keys(configMap.data ?? {}).length + Object.keys(configMap.binaryData ?? {}).length;
  return [configMap.metadata.name, count, age(configMap, nowMs)];
};

export const secretCells: Printer = (object, nowMs) => {
  const secret = object as Secret;
  return [secret.metadata.name, secret.type ?? "", Object.keys(secret.data ?? {}).length, age(secret, nowMs)];
};

export const serviceAccountCells: Printer = (object, nowMs) => {
  const account = object as ServiceAccount;
  return [account.metadata.name, (account.secrets ?? []).length, age(account, nowMs)];
};

/** The object is the core form of the event, also for `events.k8s.io`. */
export const eventCells: Printer = (object, nowMs) => {
  const event = object as Event;
  const { involvedObject: about, series, source } = event;
  const firstSeen = since(event.firstTimestamp || event.eventTime, nowMs);
  const lastSeen = series ? since(series.lastObservedTime, nowMs) : event.lastTimestamp ? since(event.lastTimestamp, nowMs) : firstSeen;
  const kind = (about?.kind ?? "").toLowerCase();
  const reporter = source?.component || event.reportingComponent || "";
  const instance = source?.host || event.reportingInstance;
  return [
    lastSeen,
    event.type ?? "",
    event.reason ?? "",
    about?.name ? `${kind}/${about.name}` : kind,
    about?.fieldPath ?? "",
    instance ? `${reporter}, ${instance}` : reporter,
    (event.message ?? "").trim(),
    firstSeen,
    series ? (series.count ?? 0) : event.count || 1,
    event.metadata.name,
  ];
};

export const componentStatusCells: Printer = (object) => {
  const component = object as ComponentStatus;
  const healthy = component.conditions?.find(({ type }) => type === "Healthy");
  const status = healthy ? (healthy.status === "True" ? "Healthy" : "Unhealthy") : "Unknown";
  return [component.metadata.name, status, healthy?.message ?? "", healthy?.error ?? ""];
};

export const resourceQuotaCells: Printer = (object, nowMs) => {
  const quota = object as ResourceQuota;
  const hard = quota.status?.hard ?? {};
  const used = quota.status?.used ?? {};
  const requests: string[] = [];
  const limits: string[] = [];
  for (const resource of Object.keys(hard).sort()) {
    const column = resource.startsWith("limits.") ? limits : requests;
    column.push(`${resource}: ${used[resource] ?? "0"}/${hard[resource] ?? "0"}`);
  }
  return [quota.metadata.name, requests.join(", "), limits.join(", "), age(quota, nowMs)];
};

export const priorityClassCells: Printer = (object, nowMs) => {
  const priorityClass = object as PriorityClass;
  const { metadata, value, globalDefault, preemptionPolicy } = priorityClass;
  return [metadata.name, value ?? 0, globalDefault ?? false, age(priorityClass, nowMs), preemptionPolicy ?? ""];
};

export const runtimeClassCells: Printer = (object, nowMs) => {
  const runtimeClass = object as RuntimeClass;
  return [runtimeClass.metadata.name, runtimeClass.handler, age(runtimeClass, nowMs)];
};

export const leaseCells: Printer = (object, nowMs) => {
  const lease = object as Lease;
  return [lease.metadata.name, lease.spec?.holderIdentity ?? "", age(lease, nowMs)];
};
