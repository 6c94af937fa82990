import { resourceQuotas } from "../../kubernetes/known-resources.ts";
import { collectionOf } from "../../kubernetes/object.ts";
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
  subtractQuantities,
} from "../../kubernetes/quantity.ts";
import { isInQuotaScope, quotaResourceOf, quotaUsageOf } from "../../kubernetes/quota-usage.ts";
import type { Container, Pod, ResourceQuota } from "../../kubernetes/types.ts";
import type { Operation, StoredObject } from "../../store/store.ts";
import type { ApiCluster } from "../api-cluster.ts";
import { type AdmissionAttributes, denied } from "./attributes.ts";

type Amounts = ReadonlyMap<string, Quantity>;

/** Where a quota counts one of these, each container has to say how much it wants (pkg/quota/v1/evaluator/core: "it was a mistake"). */
const required = ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"] as const;

/** Whether a write may raise what a quota counts: there are quotas, and the kind's evaluator handles it. */
export function concernsQuota(
  { mirror }: ApiCluster,
  { operation, definition, subresource, namespace, object, oldObject }: AdmissionAttributes,
): boolean {
  if (!definition.namespaced || operation === "DELETE" || operation === "CONNECT" || mirror.count(resourceQuotas, namespace) === 0)
    return false;
  switch (collectionOf(definition)) {
    case "pods":
      if (operation === "CREATE") return subresource === "";
      return subresource === "resize" || (subresource === "" && isTerminating(object) !== isTerminating(oldObject));
    case "services":
      return subresource === "";
    case "persistentvolumeclaims":
      return subresource === "" || subresource === "status";
    default:
      return operation === "CREATE" && subresource === "";
  }
}

const isTerminating = (object: object): boolean => ((object as Pod).spec?.activeDeadlineSeconds ?? -1) >= 0;

/**
 * What has to be committed together with a write so that no quota is exceeded: the quotas' newest states with the write counted in, each on
 * the condition that it is still the newest. Usage that sinks is the controller's to count.
 * @throws StatusError `Forbidden`
 */
export async function chargeQuotas(cluster: ApiCluster, attributes: AdmissionAttributes): Promise<Operation[]> {
  const { store, mirror, ref } = cluster;
  const { operation, definition, subresource, object, oldObject } = attributes;
  if (operation === "DELETE" || operation === "CONNECT") return [];
  const keys = mirror.list(resourceQuotas, attributes.namespace).map(({ key }) => key);
  const found = await store.latest(ref, keys, ({ namespace, name }) => mirror.get(resourceQuotas, namespace, name));
  const quotas = found.filter((stored) => stored !== undefined && matches(stored, attributes, object)) as StoredObject[];
  if (quotas.length === 0) return [];
  for (const stored of quotas) checkUsable(stored.object as ResourceQuota, attributes);
  const usage = quotaUsageOf(definition, object);
  const negative = [...usage].filter(([, amount]) => amount.nanos < 0n).map(([name]) => name);
  if (negative.length > 0) throw denied(attributes, `quota usage is negative for resource(s): ${negative.sort().join(",")}`);
  const before = oldObject ? quotaUsageOf(definition, oldObject) : undefined;
  const operations: Operation[] = [];
  for (const stored of quotas) {
    const quota = stored.object as ResourceQuota;
    const delta = before && oldObject && matches(stored, attributes, oldObject) ? rise(usage, before) : usage;
    const used = charge(quota, delta, attributes, subresource !== "status");
    if (used) operations.push({ kind: "put", key: stored.key, expected: stored.revision, object: withUsed(quota, used) });
  }
  return operations;
}

/** By the limits in force, which are those of the status. */
function matches(stored: StoredObject, { definition }: AdmissionAttributes, object: NonNullable<AdmissionAttributes["object"]>): boolean {
  const { spec, status } = stored.object as ResourceQuota;
  return countedNames(status?.hard, definition).length > 0 && isInQuotaScope(spec ?? {}, definition, object);
}

function countedNames(hard: NonNullable<ResourceQuota["status"]>["hard"], definition: AdmissionAttributes["definition"]): string[] {
  const collection = collectionOf(definition);
  return Object.keys(hard ?? {}).filter((name) => {
    const counted = quotaResourceOf(name);
    return counted !== undefined && collectionOf(counted) === collection;
  });
}

function checkUsable({ metadata, status }: ResourceQuota, attributes: AdmissionAttributes): void {
  const names = countedNames(status?.hard, attributes.definition);
  const name = metadata.name ?? "";
  if (collectionOf(attributes.definition) === "pods") {
    const missing = missingAmounts(names, attributes.object as Pod);
    if (missing !== "") throw denied(attributes, `failed quota: ${name}: must specify ${missing}`);
  }
  if (names.some((each) => status?.used?.[each] === undefined)) {
    throw denied(attributes, `status unknown for quota: ${name}, resources: ${names.sort().join(",")}`);
  }
}

function missingAmounts(names: readonly string[], { spec }: Pod): string {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  return required
    .filter((name) => names.includes(name))
    .map((name) => [name, containers.filter((container) => !specifies(container, name)).map((container) => container.name)] as const)
    .filter(([, lacking]) => lacking.length > 0)
    .map(([name, lacking]) => `${name} for: ${[...new Set(lacking)].sort().join(",")}`)
    .join("; ");
}

function specifies({ resources }: Container, name: string): boolean {
  const [kind, resource] = name.includes(".") ? name.split(".") : ["requests", name];
  return resources?.[kind === "limits" ? "limits" : "requests"]?.[resource ?? ""] !== undefined;
}

/** What `after` takes more than `before`; nothing where it takes less. */
function rise(after: Amounts, before: Amounts): Amounts {
  const risen = new Map<string, Quantity>();
  for (const [name, amount] of after) {
    const old = before.get(name);
    const more = old ? subtractQuantities(amount, old) : amount;
    if (more.nanos > 0n) risen.set(name, more);
  }
  return risen;
}

/** The amounts in use once `delta` is added, by the names that the quota limits; undefined when nothing of it counts. */
function charge(
  { metadata, status }: ResourceQuota,
  delta: Amounts,
  attributes: AdmissionAttributes,
  enforced: boolean,
): Record<string, string | number> | undefined {
  const { hard = {}, used = {} } = status ?? {};
  const requested = [...delta].filter(([name, amount]) => hard[name] !== undefined && amount.nanos !== 0n);
  if (requested.length === 0) return undefined;
  const next: Record<string, string | number> = { ...used };
  const exceeded: string[] = [];
  for (const [name, amount] of requested) {
    const sum = addQuantities(parseQuantity(used[name] ?? 0), amount);
    if (compareQuantities(sum, parseQuantity(hard[name] ?? 0)) > 0) exceeded.push(name);
    next[name] = formatQuantity(sum);
  }
  if (enforced && exceeded.length > 0) {
    const list = (amountOf: (name: string) => Quantity): string =>
      exceeded
        .sort()
        .map((name) => `${name}=${formatQuantity(amountOf(name))}`)
        .join(",");
    throw denied(
      attributes,
      `exceeded quota: ${metadata.name}, requested: ${list((name) => delta.get(name) ?? parseQuantity(0))}, ` +
        `used: ${list((name) => parseQuantity(used[name] ?? 0))}, limited: ${list((name) => parseQuantity(hard[name] ?? 0))}`,
    );
  }
  return next;
}

const withUsed = (quota: ResourceQuota, used: Record<string, string | number>): ResourceQuota => ({
  ...quota,
  metadata: { ...quota.metadata },
  status: { ...quota.status, used },
});
