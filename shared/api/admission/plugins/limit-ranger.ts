import { limitRanges } from "../../../kubernetes/known-resources.ts";
import { formatQuantity, parseQuantity, type Quantity } from "../../../kubernetes/quantity.ts";
import { containerAmounts } from "../../../kubernetes/quota-usage.ts";
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { type AdmissionAttributes, type AdmissionPlugin, aggregate, denied } from "../attributes.ts";

type Amounts = ReadonlyMap<string, Quantity>;
type Item = Partial<LimitRangeItem>;

const annotation = "kubernetes.io/limit-ranger";

/** plugin/pkg/admission/limitranger: defaults of containers, and minima, maxima and ratios of containers, pods and claims. */
export const limitRanger: AdmissionPlugin = {
  mutate(cluster, attributes) {
    if (!isConcerned(attributes)) return;
    for (const range of rangesOf(cluster, attributes.namespace)) {
      if (attributes.definition.resource === "pods") addDefaults(range, attributes.object as Pod);
    }
  },
  validate(cluster, attributes) {
    if (!isConcerned(attributes)) return;
    for (const range of rangesOf(cluster, attributes.namespace)) {
      const limits = range.spec?.limits ?? [];
      const problems =
        attributes.definition.resource === "pods"
          ? limits.flatMap((item) => checkPod(item, attributes.object as Pod))
          : limits.flatMap((item) => checkClaim(item, attributes.object as PersistentVolumeClaim));
      if (problems.length > 0) throw denied(attributes, aggregate(problems));
    }
  },
};

function rangesOf({ mirror }: ApiCluster, namespace: string): LimitRange[] {
  return mirror.count(limitRanges, namespace) === 0 ? [] : mirror.list(limitRanges, namespace).map(({ object }) => object as LimitRange);
}

/** New pods, new and changed claims, and the resources of a pod that is resized: the rest of a pod's containers never changes. */
function isConcerned({ operation, definition, subresource, oldObject }: AdmissionAttributes): boolean {
  if (operation === "DELETE" || oldObject?.metadata.deletionTimestamp !== undefined) return false;
  if (definition.resource === "pods") return operation === "CREATE" ? subresource === "" : subresource === "resize";
  return subresource === "";
}

function addDefaults({ spec }: LimitRange, pod: Pod): void {
  const requests: Record<string, string | number> = {};
  const limits: Record<string, string | number> = {};
  for (const item of spec?.limits ?? []) {
    if (item.type !== "Container") continue;
    Object.assign(requests, item.defaultRequest);
    Object.assign(limits, item.default);
  }
  const notes: string[] = [];
  for (const container of pod.spec?.containers ?? []) addContainerDefaults(container, requests, limits, "container", notes);
  for (const container of pod.spec?.initContainers ?? []) addContainerDefaults(container, requests, limits, "init container", notes);
  if (notes.length === 0) return;
  pod.metadata.annotations = { ...pod.metadata.annotations, [annotation]: `LimitRanger plugin set: ${notes.join("; ")}` };
}

function addContainerDefaults(
  container: Container,
  requests: Readonly<Record<string, string | number>>,
  limits: Readonly<Record<string, string | number>>,
  what: string,
  notes: string[],
): void {
  const fill = (kind: "requests" | "limits", defaults: Readonly<Record<string, string | number>>): void => {
    const given = container.resources?.[kind];
    const added = Object.keys(defaults).filter((name) => given?.[name] === undefined);
    if (added.length === 0) return;
    const filled: Record<string, string | number> = { ...given };
    for (const name of added) filled[name] = defaults[name] ?? "0";
    container.resources = { ...container.resources, [kind]: filled };
    notes.push(`${added.sort().join(", ")} ${kind === "requests" ? "request" : "limit"} for ${what} ${container.name}`);
  };
  fill("requests", requests);
  fill("limits", limits);
}

function checkPod(item: LimitRangeItem, { spec }: Pod): string[] {
  if (item.type === "Pod") return checkLimits(item, containerAmounts(spec, "requests"), containerAmounts(spec, "limits"));
  if (item.type !== "Container") return [];
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].flatMap(({ resources }) =>
    checkLimits(item, amounts(resources?.requests), amounts(resources?.limits)),
  );
}

/** Storage is requested, never limited. */
function checkClaim(item: LimitRangeItem, { spec }: PersistentVolumeClaim): string[] {
  if (item.type !== "PersistentVolumeClaim") return [];
  const requests = amounts(spec?.resources?.requests);
  return [
    ...each(item.min, (name, enforced) => belowMinimum(item.type, name, enforced, requests.get(name), undefined)),
    ...each(item.max, (name, enforced) => {
      const request = requests.get(name);
      const maximum = `maximum ${name} usage per ${item.type} is ${formatQuantity(enforced)}`;
      if (!request) return `${maximum}.  No request is specified`;
      return exceeds(request, enforced) ? `${maximum}, but request is ${formatQuantity(request)}` : undefined;
    }),
  ];
}

function checkLimits(item: Item, requests: Amounts, limits: Amounts): string[] {
  const type = item.type ?? "";
  return [
    ...each(item.min, (name, enforced) => belowMinimum(type, name, enforced, requests.get(name), limits.get(name))),
    ...each(item.max, (name, enforced) => aboveMaximum(type, name, enforced, requests.get(name), limits.get(name))),
    ...each(item.maxLimitRequestRatio, (name, enforced) => aboveRatio(type, name, enforced, requests.get(name), limits.get(name))),
  ];
}

function belowMinimum(type: string, name: string, enforced: Quantity, request: Quantity | undefined, limit: Quantity | undefined) {
  const minimum = `minimum ${name} usage per ${type} is ${formatQuantity(enforced)}`;
  if (!request) return `${minimum}.  No request is specified`;
  if (exceeds(enforced, request)) return `${minimum}, but request is ${formatQuantity(request)}`;
  return limit && exceeds(enforced, limit) ? `${minimum}, but limit is ${formatQuantity(limit)}` : undefined;
}

function aboveMaximum(type: string, name: string, enforced: Quantity, request: Quantity | undefined, limit: Quantity | undefined) {
  const maximum = `maximum ${name} usage per ${type} is ${formatQuantity(enforced)}`;
  if (!limit) return `${maximum}.  No limit is specified`;
  if (exceeds(limit, enforced)) return `${maximum}, but limit is ${formatQuantity(limit)}`;
  return request && exceeds(request, enforced) ? `${maximum}, but request is ${formatQuantity(request)}` : undefined;
}

function aboveRatio(type: string, name: string, enforced: Quantity, request: Quantity | undefined, limit: Quantity | undefined) {
  const ratio = `${name} max limit to request ratio per ${type} is ${formatQuantity(enforced)}`;
  if (!request || request.nanos === 0n) return `${ratio}, but no request is specified or request is 0`;
  if (!limit || limit.nanos === 0n) return `${ratio}, but no limit is specified or limit is 0`;
  const observed = limit.milli / request.milli;
  return observed > enforced.milli / 1000 ? `${ratio}, but provided ratio is ${observed.toFixed(6)}` : undefined;
}

/** Compared in thousandths, as `requestLimitEnforcedValues` does. */
const exceeds = (a: Quantity, b: Quantity): boolean => a.milli > b.milli;

function each(
  values: Readonly<Record<string, string | number>> | undefined,
  check: (name: string, enforced: Quantity) => string | undefined,
): string[] {
  return Object.entries(values ?? {}).flatMap(([name, text]) => check(name, parseQuantity(text)) ?? []);
}

const amounts = (values: Readonly<Record<string, string | number>> | undefined): Amounts =>
  new Map(Object.entries(values ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
