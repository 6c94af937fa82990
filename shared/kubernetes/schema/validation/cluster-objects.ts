import { jsonSyntaxProblem } from "../../json-syntax.ts";
import { isQualifiedName, labelValueProblems, qualifiedNameProblems } from "../../names.ts";
import { compareQuantities, formatQuantity, milliValue, parseQuantity, type Quantity } from "../../quantity.ts";
import { isNativeResource } from "../../resource-names.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  LimitRange,
  LimitRangeItem,
  Namespace,
  Node,
  ResourceQuota,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
  Taint,
} from "../../types.ts";
import { duplicate, forbidden, invalid, required } from "../field-error.ts";
import { goQuantity, goQuote, goStringList } from "../go-text.ts";
import { checkCidr, checkOneOf, checkQualifiedName, invalidEach, parseCidr } from "./checks.ts";
import { immutableMessage } from "./object-meta.ts";
import {
  checkContainerResourceName,
  checkResourceName,
  checkResourceQuantity,
  isHugePages,
  isStandardQuotaResource,
  type QuantityMap,
} from "./resources.ts";

export function validateNamespace({ spec }: Namespace): StatusCause[] {
  return (spec?.finalizers ?? []).flatMap((finalizer) => {
    const causes = checkQualifiedName(finalizer, "spec.finalizers");
    if (finalizer.includes("/") || ["kubernetes", "orphan", "foregroundDeletion"].includes(finalizer)) return causes;
    return [...causes, invalid("spec.finalizers", finalizer, "name is neither a standard finalizer name nor is it fully qualified")];
  });
}

export function validateNamespaceStatus({ metadata, status }: Namespace): StatusCause[] {
  const deleted = metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null;
  const phase = status?.phase ?? "";
  if (!deleted && phase !== "Active") return [invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")];
  if (deleted && phase !== "Terminating")
    return [invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")];
  return [];
}

export function validateNode(node: Node): StatusCause[] {
  const { podCIDRs = [] } = node.spec ?? {};
  const causes = [...checkNodeAnnotations(node), ...checkTaints(node.spec?.taints ?? [], "metadata.taints"), ...checkNodeResources(node)];
  podCIDRs.forEach((cidr, index) => {
    causes.push(...checkCidr(cidr, `spec.podCIDRs[${index}]`));
  });
  const families = new Set(podCIDRs.map((cidr) => parseCidr(cidr)?.family));
  if (podCIDRs.length > 1 && (podCIDRs.length > 2 || families.size < 2)) {
    causes.push(invalid("spec.podCIDRs", { go: goStringList(podCIDRs) }, "may specify no more than one CIDR for each IP family"));
  }
  return causes;
}

export function validateNodeUpdate(next: Node, live: Node): StatusCause[] {
  const causes = [...checkNodeAnnotations(next), ...checkNodeResources(next), ...checkAddresses(next)];
  const after = next.spec ?? {};
  const before = live.spec ?? {};
  const oldCidrs = before.podCIDRs ?? [];
  const changed = oldCidrs.length > 0 && oldCidrs.join() !== (after.podCIDRs ?? []).join();
  if (changed) causes.push(forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
  if ((before.providerID ?? "") !== "" && before.providerID !== after.providerID) {
    causes.push(forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'));
  }
  causes.push(...checkTaints(after.taints ?? [], "metadata.taints"));
  if ((after.externalID ?? "") !== (before.externalID ?? "")) causes.push(forbidden("spec.externalID", "may not be updated"));
  return causes;
}

/** Annotations that hold JSON (`ValidateNodeSpecificAnnotations`). */
function checkNodeAnnotations({ metadata }: Node): StatusCause[] {
  const keys = [
    ["scheduler.alpha.kubernetes.io/taints", "metadata.annotations"],
    ["scheduler.alpha.kubernetes.io/preferAvoidPods", "metadata.annotations.AvoidPods"],
  ] as const;
  return keys.flatMap(([key, path]) => {
    const text = metadata.annotations?.[key] ?? "";
    if (text === "") return [];
    try {
      JSON.parse(text);
      return [];
    } catch {
      return [invalid(path, key, jsonSyntaxProblem(text))];
    }
  });
}

function checkAddresses({ status }: Node): StatusCause[] {
  const seen = new Set<string>();
  return (status?.addresses ?? []).flatMap(({ type, address }, index) => {
    const key = `${type} ${address}`;
    const value = { go: `core.NodeAddress{Type:${goQuote(type)}, Address:${goQuote(address)}}` };
    if (seen.has(key)) return [duplicate(`status.addresses[${index}]`, value)];
    seen.add(key);
    return [];
  });
}

function checkNodeResources({ status }: Node): StatusCause[] {
  return (["capacity", "allocatable"] as const).flatMap((field) =>
    Object.entries(status?.[field] ?? {}).flatMap(([name, amount]) =>
      checkResourceQuantity(name, parseQuantity(amount), `status.${field}.${name}`),
    ),
  );
}

function checkTaints(taints: readonly Taint[], path: string): StatusCause[] {
  const seen = new Set<string>();
  return taints.flatMap((taint, index) => {
    const at = `${path}[${index}]`;
    const { key, value = "", effect } = taint;
    const causes = checkQualifiedName(key, `${at}.key`);
    const problems = labelValueProblems(value);
    if (problems.length > 0) causes.push(invalid(`${at}.value`, value, problems.join(";")));
    causes.push(...checkOneOf(effect, ["NoSchedule", "PreferNoSchedule", "NoExecute"], `${at}.effect`));
    if (seen.has(`${key}:${effect}`)) {
      const printed = `core.Taint{Key:${goQuote(key)}, Value:${goQuote(value)}, Effect:${goQuote(effect)}, TimeAdded:<nil>}`;
      causes.push({
        reason: "FieldValueDuplicate",
        message: `Duplicate value: ${printed}: taints must be unique by key and effect pair`,
        field: at,
      });
    }
    seen.add(`${key}:${effect}`);
    return causes;
  });
}

export function validateLimitRange({ spec }: LimitRange): StatusCause[] {
  const limits = spec?.limits ?? [];
  return limits.flatMap((item, index) => {
    const at = `spec.limits[${index}]`;
    const causes = checkLimitType(item.type, `${at}.type`);
    if (limits.findIndex((other) => other.type === item.type) < index) causes.push(duplicate(`${at}.type`, item.type));
    return [...causes, ...checkLimitNames(item, at), ...checkLimitAmounts(item, at)];
  });
}

function checkLimitType(type: string, path: string): StatusCause[] {
  const causes = invalidEach(path, type, qualifiedNameProblems(type));
  const standard = type === "Pod" || type === "Container" || type === "PersistentVolumeClaim";
  return causes.length > 0 || standard || type.includes("/")
    ? causes
    : [invalid(path, type, "must be a standard limit type or fully qualified")];
}

function checkLimitNames(item: LimitRangeItem, path: string): StatusCause[] {
  const check = item.type === "Pod" || item.type === "Container" ? checkContainerResourceName : checkResourceName;
  const causes: StatusCause[] = [];
  for (const field of ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] as const) {
    const amounts = item[field] ?? {};
    const isDefault = field === "default" || field === "defaultRequest";
    if (item.type === "Pod" && isDefault) {
      if (Object.keys(amounts).length > 0) causes.push(forbidden(`${path}.${field}`, "may not be specified when `type` is 'Pod'"));
    } else for (const name in amounts) causes.push(...check(name, `${path}.${field}[${name}]`));
  }
  if (item.type === "PersistentVolumeClaim" && item.min?.storage === undefined && item.max?.storage === undefined) {
    causes.push(required(`${path}.limits`, "either minimum or maximum storage value is required, but neither was provided"));
  }
  return causes;
}

function checkLimitAmounts(item: LimitRangeItem, path: string): StatusCause[] {
  const names = new Set(
    [item.max, item.min, item.default, item.defaultRequest, item.maxLimitRequestRatio].flatMap((amounts) => Object.keys(amounts ?? {})),
  );
  return [...names].flatMap((name) => {
    const read = (amounts: QuantityMap | undefined) => (amounts?.[name] === undefined ? undefined : parseQuantity(amounts[name]));
    const min = read(item.min);
    const max = read(item.max);
    const limit = item.type === "Pod" ? undefined : read(item.default);
    const request = item.type === "Pod" ? undefined : read(item.defaultRequest);
    const causes: StatusCause[] = [];
    const order = (field: string, shown: typeof min, low: typeof min, high: typeof min, words: readonly [string, string]) => {
      if (low === undefined || high === undefined || shown === undefined || compareQuantities(low, high) <= 0) return;
      const text = `${words[0]} ${formatQuantity(low)} is greater than ${words[1]} ${formatQuantity(high)}`;
      causes.push(invalid(`${path}.${field}[${name}]`, goAmount(shown), text));
    };
    order("min", min, min, max, ["min value", "max value"]);
    order("defaultRequest", request, min, request, ["min value", "default request value"]);
    order("defaultRequest", request, request, max, ["default request value", "max value"]);
    order("defaultRequest", request, request, limit, ["default request value", "default limit value"]);
    order("default", min, min, limit, ["min value", "default value"]);
    order("default", max, limit, max, ["default value", "max value"]);
    causes.push(...checkRatio(item, name, path));
    if (
      (!isNativeResource(name) || isHugePages(name)) &&
      limit !== undefined &&
      request !== undefined &&
      compareQuantities(limit, request) !== 0
    ) {
      const text = `default value ${formatQuantity(limit)} must equal to defaultRequest value ${formatQuantity(request)} in ${name}`;
      causes.push(invalid(`${path}.defaultRequest[${name}]`, goAmount(request), text));
    }
    return causes;
  });
}

const goAmount = (amount: Quantity) => ({ go: goQuantity(formatQuantity(amount)) });

function checkRatio({ max, min, maxLimitRequestRatio }: LimitRangeItem, name: string, path: string): StatusCause[] {
  const text = maxLimitRequestRatio?.[name];
  if (text === undefined) return [];
  const ratio = parseQuantity(text);
  const at = `${path}.maxLimitRequestRatio[${name}]`;
  const printed = formatQuantity(ratio);
  const causes: StatusCause[] = [];
  if (compareQuantities(ratio, parseQuantity("1")) < 0) causes.push(invalid(at, goAmount(ratio), `ratio ${printed} is less than 1`));
  if (max?.[name] === undefined || min?.[name] === undefined) return causes;
  const bound = milliValue(parseQuantity(max[name])) / milliValue(parseQuantity(min[name]));
  if (milliValue(ratio) / 1000 > bound)
    causes.push(invalid(at, goAmount(ratio), `ratio ${printed} is greater than max/min = ${bound.toFixed(6)}`));
  return causes;
}

const scopes = [
  "BestEffort",
  "CrossNamespacePodAffinity",
  "NotBestEffort",
  "NotTerminating",
  "PriorityClass",
  "Terminating",
  "VolumeAttributesClass",
];
const podQuotaResources = /^(?:pods|cpu|memory|ephemeral-storage|(?:requests|limits)\.(?:cpu|memory|ephemeral-storage))$/;
const conflicting = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"],
] as const;

export function validateResourceQuota({ spec = {}, status }: ResourceQuota): StatusCause[] {
  return [
    ...checkQuotaAmounts(spec.hard, "spec.hard"),
    ...checkScopes(spec, "spec.scopes"),
    ...checkScopeSelector(spec, "spec.scopeSelector.matchExpressions"),
    ...checkQuotaStatus(status),
  ];
}

export function validateResourceQuotaUpdate(next: ResourceQuota, live: ResourceQuota): StatusCause[] {
  const { scopes: after = [] } = next.spec ?? {};
  const { scopes: before = [] } = live.spec ?? {};
  const changed = after.some((scope) => !before.includes(scope)) || before.some((scope) => !after.includes(scope));
  const causes = validateResourceQuota({ ...next, status: {} });
  return changed ? [...causes, invalid("spec.scopes", { go: goScopes(after) }, immutableMessage)] : causes;
}

export function checkQuotaStatus(status: ResourceQuota["status"]): StatusCause[] {
  return [...checkQuotaAmounts(status?.hard, "status.hard"), ...checkQuotaAmounts(status?.used, "status.used")];
}

function checkQuotaAmounts(amounts: QuantityMap | undefined, path: string): StatusCause[] {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => {
    const at = `${path}[${name}]`;
    const causes = checkResourceName(name, at);
    if (!name.includes("/") && !isStandardQuotaResource(name))
      causes.push(invalid(at, { go: name }, "must be a standard resource for quota"));
    const counted = name.startsWith("count/") && isQualifiedName(name) === undefined;
    return [...causes, ...checkResourceQuantity(counted ? "pods" : name, parseQuantity(amount), at)];
  });
}

function goScopes(list: readonly string[]): string {
  return `[]core.ResourceQuotaScope{${list.map(goQuote).join(", ")}}`;
}

function goScopeSelector(expressions: readonly ScopedResourceSelectorRequirement[]): string {
  const texts = expressions.map(({ scopeName, operator, values }) => {
    const fields = `ScopeName:${goQuote(scopeName)}, Operator:${goQuote(operator)}, Values:${goStringList(values)}`;
    return `core.ScopedResourceSelectorRequirement{${fields}}`;
  });
  return `core.ScopeSelector{MatchExpressions:[]core.ScopedResourceSelectorRequirement{${texts.join(", ")}}}`;
}

function appliesTo(scope: string, resource: string): boolean {
  if (scope === "BestEffort") return resource === "pods";
  if (scope === "VolumeAttributesClass") return resource === "persistentvolumeclaims" || resource === "requests.storage";
  return podQuotaResources.test(resource);
}

function checkScopes({ scopes: list = [], hard }: ResourceQuotaSpec, path: string): StatusCause[] {
  const value = { go: goScopes(list) };
  const causes = list.flatMap((scope) => {
    const unfit = Object.keys(hard ?? {}).filter((name) => isStandardQuotaResource(name) && !appliesTo(scope, name));
    return [
      ...(scopes.includes(scope) ? [] : [invalid(path, value, "unsupported scope")]),
      ...unfit.map(() => invalid(path, value, "unsupported scope applied to resource")),
    ];
  });
  const pairs = conflicting.filter(([a, b]) => list.some((scope) => scope === a) && list.some((scope) => scope === b));
  return [...causes, ...pairs.map(() => invalid(path, value, "conflicting scopes"))];
}

function checkScopeSelector({ scopeSelector, hard, scopes: list = [] }: ResourceQuotaSpec, path: string): StatusCause[] {
  const expressions = scopeSelector?.matchExpressions ?? [];
  const causes = expressions.flatMap(({ scopeName, operator, values = [] }) => {
    const own: StatusCause[] = [];
    if (!scopes.includes(scopeName)) own.push(invalid(`${path}.scopeName`, scopeName, "unsupported scope"));
    for (const name of Object.keys(hard ?? {})) {
      if (isStandardQuotaResource(name) && !appliesTo(scopeName, name)) {
        own.push(invalid(path, { go: goScopeSelector(expressions) }, "unsupported scope applied to resource"));
      }
    }
    if (scopeName !== "PriorityClass" && scopeName !== "VolumeAttributesClass" && scopes.includes(scopeName) && operator !== "Exists") {
      const named =
        "ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort";
      own.push(
        invalid(
          `${path}.operator`,
          operator,
          `must be 'Exists' when scope is any of ${named} or ResourceQuotaScopeCrossNamespacePodAffinity`,
        ),
      );
    }
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0)
        own.push(required(`${path}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      const text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
      if (values.length > 0) own.push(invalid(`${path}.values`, { go: goStringList(values) }, text));
    } else own.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
    return own;
  });
  const named = expressions.map((expression) => expression.scopeName as string);
  const pairs = conflicting.filter(([a, b]) => named.includes(a) && named.includes(b));
  return [...causes, ...pairs.map(() => invalid(path, { go: goScopes(list) }, "conflicting scopes"))];
}
