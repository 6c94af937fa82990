import { configMaps, persistentVolumeClaims, pods, replicationControllers, resourceQuotas, secrets, services } from "./known-resources.ts";
import { collectionOf, type GroupResource, type KubernetesObject } from "./object.ts";
import { addQuantities, compareQuantities, parseQuantity, type Quantity, quantityOf } from "./quantity.ts";
import type { Container, PersistentVolumeClaim, Pod, ResourceQuotaSpec, Service } from "./types.ts";

/** Amounts by the names that a ResourceQuota's `hard` knows them by. */
export type QuotaUsage = ReadonlyMap<string, Quantity>;

const one = quantityOf(1);
const counted: readonly GroupResource[] = [configMaps, replicationControllers, resourceQuotas, secrets];
const storageClassSuffix = ".storageclass.storage.k8s.io/";
/** The annotation by which claims named their class before they had a field for it. */
const oldClassAnnotation = "volume.beta.kubernetes.io/storage-class";

/** `count/deployments.apps`, `count/pods` */
const countName = ({ group, resource }: GroupResource): string => `count/${group === "" ? resource : `${resource}.${group}`}`;

/**
 * What an object takes of a quota: itself as a count, and for pods, services and claims what pkg/quota/v1/evaluator/core reckons.
 * A pod that has ended takes nothing but its count.
 */
export function quotaUsageOf(resource: GroupResource, object: KubernetesObject): QuotaUsage {
  const usage = new Map<string, Quantity>([[countName(resource), one]]);
  const collection = collectionOf(resource);
  if (collection === "pods") addPod(usage, object as Pod);
  else if (collection === "services") addService(usage, object as Service);
  else if (collection === "persistentvolumeclaims") addClaim(usage, object as PersistentVolumeClaim);
  else if (counted.some((each) => collectionOf(each) === collection)) usage.set(resource.resource, one);
  return usage;
}

/** The resource whose objects count for a name in `hard`; undefined for a name that nothing counts for. */
export function quotaResourceOf(name: string): GroupResource | undefined {
  if (name.startsWith("count/")) {
    const [resource = "", ...group] = name.slice("count/".length).split(".");
    return { resource, group: group.join(".") };
  }
  if (name === "requests.storage" || name === "persistentvolumeclaims" || name.includes(storageClassSuffix)) return persistentVolumeClaims;
  if (name === "services" || name.startsWith("services.")) return services;
  const simple = counted.find(({ resource }) => resource === name);
  if (simple) return simple;
  const isCompute = /^(pods|cpu|memory|ephemeral-storage)$|^(requests|limits)\.|^hugepages-/.test(name);
  return isCompute ? pods : undefined;
}

/** Whether a quota's scopes take the object in. Scopes tell pods apart; a quota with scopes counts nothing else. */
export function isInQuotaScope(
  { scopes = [], scopeSelector }: ResourceQuotaSpec,
  resource: GroupResource,
  object: KubernetesObject,
): boolean {
  const selectors = [
    ...scopes.map((scopeName) => ({ scopeName, operator: "Exists" as const, values: undefined })),
    ...(scopeSelector?.matchExpressions ?? []),
  ];
  if (selectors.length === 0) return true;
  if (collectionOf(resource) !== "pods") return false;
  const pod = object as Pod;
  return selectors.every(({ scopeName, operator, values }) => {
    if (scopeName !== "PriorityClass") return hasScope(pod, scopeName);
    const name = pod.spec?.priorityClassName ?? "";
    switch (operator) {
      case "Exists":
        return name !== "";
      case "DoesNotExist":
        return name === "";
      case "In":
        return values?.includes(name) === true;
      case "NotIn":
        return values?.includes(name) !== true;
      default:
        return operator satisfies never;
    }
  });
}

function hasScope({ spec, status }: Pod, scope: string): boolean {
  const isTerminating = (spec?.activeDeadlineSeconds ?? -1) >= 0;
  const isBestEffort = status?.qosClass !== undefined ? status.qosClass === "BestEffort" : asksForNothing(spec?.containers ?? []);
  switch (scope) {
    case "Terminating":
      return isTerminating;
    case "NotTerminating":
      return !isTerminating;
    case "BestEffort":
      return isBestEffort;
    case "NotBestEffort":
      return !isBestEffort;
    case "CrossNamespacePodAffinity": {
      const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
      const terms = [podAffinity, podAntiAffinity].flatMap((each) => [
        ...(each?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
        ...(each?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
      ]);
      return terms.some(({ namespaces, namespaceSelector }) => (namespaces ?? []).length > 0 || namespaceSelector !== undefined);
    }
    default:
      return false;
  }
}

const asksForNothing = (containers: readonly Container[]): boolean =>
  containers.every(({ resources }) => Object.keys({ ...resources?.requests, ...resources?.limits }).length === 0);

function addPod(usage: Map<string, Quantity>, pod: Pod): void {
  const { status } = pod;
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return;
  usage.set("pods", one);
  for (const [name, amount] of podAmounts(pod, "requests")) {
    usage.set(`requests.${name}`, amount);
    if (name === "cpu" || name === "memory" || name === "ephemeral-storage" || name.startsWith("hugepages-")) usage.set(name, amount);
  }
  for (const [name, amount] of podAmounts(pod, "limits")) usage.set(`limits.${name}`, amount);
}

/** What its containers take together with the overhead; while a resize is under way the greater of what is asked for and what is held (KEP-1287). */
function podAmounts({ spec, status }: Pod, kind: "requests" | "limits"): Map<string, Quantity> {
  const total = containerAmounts(spec, kind, status);
  const overhead = Object.entries(spec?.overhead ?? {}).map(([name, text]): [string, Quantity] => [name, parseQuantity(text)]);
  return add(
    total,
    overhead.filter(([name]) => kind === "requests" || total.has(name)),
  );
}

/** Containers and sidecars together, or the widest moment of the init containers. */
export function containerAmounts(spec: Pod["spec"], kind: "requests" | "limits", status?: Pod["status"]): Map<string, Quantity> {
  const total = new Map<string, Quantity>();
  const sidecars = new Map<string, Quantity>();
  const widest = new Map<string, Quantity>();
  const held = new Map([...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].map((each) => [each.name, each]));
  const amountsOf = ({ name, resources }: Container): Map<string, Quantity> => {
    const asked = parseAmounts(resources?.[kind]);
    const { resources: actual, allocatedResources } = held.get(name) ?? {};
    if (!actual) return asked;
    const present = parseAmounts(actual[kind]);
    if (isInfeasible(status)) return present;
    raise(asked, present);
    if (kind === "requests") raise(asked, parseAmounts(allocatedResources));
    return asked;
  };
  for (const container of spec?.containers ?? []) add(total, amountsOf(container));
  for (const container of spec?.initContainers ?? []) {
    if (container.restartPolicy === "Always") {
      add(total, amountsOf(container));
      add(sidecars, amountsOf(container));
      raise(widest, sidecars);
    } else raise(widest, add(new Map(sidecars), amountsOf(container)));
  }
  raise(total, widest);
  return total;
}

const isInfeasible = (status: Pod["status"]): boolean =>
  status?.conditions?.some(({ type, reason }) => type === "PodResizePending" && reason === "Infeasible") === true;

const parseAmounts = (amounts: Readonly<Record<string, string | number>> | undefined): Map<string, Quantity> =>
  new Map(Object.entries(amounts ?? {}).map(([name, text]) => [name, parseQuantity(text)]));

function add(sum: Map<string, Quantity>, amounts: Iterable<readonly [string, Quantity]>): Map<string, Quantity> {
  for (const [name, amount] of amounts) {
    const before = sum.get(name);
    sum.set(name, before ? addQuantities(before, amount) : amount);
  }
  return sum;
}

function raise(most: Map<string, Quantity>, amounts: ReadonlyMap<string, Quantity>): void {
  for (const [name, amount] of amounts) {
    const before = most.get(name);
    if (!before || compareQuantities(before, amount) < 0) most.set(name, amount);
  }
}

function addService(usage: Map<string, Quantity>, { spec }: Service): void {
  usage.set("services", one);
  const ports = quantityOf(spec?.ports?.length ?? 0);
  if (spec?.type === "NodePort") usage.set("services.nodeports", ports);
  if (spec?.type !== "LoadBalancer") return;
  usage.set("services.loadbalancers", one);
  const asked = spec.allocateLoadBalancerNodePorts === false ? quantityOf(explicitNodePorts(spec)) : ports;
  usage.set("services.nodeports", asked);
}

const explicitNodePorts = ({ ports }: NonNullable<Service["spec"]>): number =>
  (ports ?? []).filter(({ nodePort }) => nodePort !== undefined && nodePort !== 0).length;

/** Whole bytes of what is asked for, or of what is allocated while it is more (a failed expansion that was taken back, KEP-1790). */
function addClaim(usage: Map<string, Quantity>, { metadata, spec, status }: PersistentVolumeClaim): void {
  const storageClass = metadata.annotations?.[oldClassAnnotation] ?? spec?.storageClassName ?? "";
  const storage = spec?.resources?.requests?.storage;
  usage.set("persistentvolumeclaims", one);
  if (storageClass !== "") usage.set(`${storageClass}${storageClassSuffix}persistentvolumeclaims`, one);
  if (storage === undefined) return;
  const asked = parseQuantity(storage);
  const allocated = parseQuantity(status?.allocatedResources?.storage ?? 0);
  const amount = wholeUnits(compareQuantities(allocated, asked) > 0 ? allocated : asked);
  usage.set("requests.storage", amount);
  if (storageClass !== "") usage.set(`${storageClass}${storageClassSuffix}requests.storage`, amount);
}

const wholeUnits = (amount: Quantity): Quantity =>
  amount.milli === amount.whole * 1000 ? amount : quantityOf(amount.whole, amount.format);
