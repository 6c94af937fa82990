import { qualifiedNameProblems } from "../../names.ts";
import { compareQuantities, formatQuantity, isZeroQuantity, parseQuantity, type Quantity, wholeValue } from "../../quantity.ts";
import { isExtendedResource, isNativeResource } from "../../resource-names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { ResourceClaim, ResourceRequirements } from "../../types.ts";
import { duplicate, forbidden, invalid, required } from "../field-error.ts";
import { goQuantity, goQuote } from "../go-text.ts";
import { checkDnsLabel, invalidEach } from "./checks.ts";
import { negativeMessage } from "./object-meta.ts";

const zero = parseQuantity("0");
const computeResources = ["cpu", "memory", "ephemeral-storage"];
const integerResources = new Set([
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
]);
const standardResources = new Set([
  ...computeResources,
  ...computeResources.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
  ...integerResources,
  "storage",
  "requests.storage",
]);

export type QuantityMap = Readonly<Record<string, string | number>>;

export function isHugePages(name: string): boolean {
  return name.startsWith("hugepages-");
}

export function isStandardResource(name: string): boolean {
  return standardResources.has(name) || isHugePages(name) || name.startsWith("requests.hugepages-");
}

export function isStandardQuotaResource(name: string): boolean {
  return (standardResources.has(name) && name !== "storage") || isHugePages(name) || name.startsWith("requests.hugepages-");
}

/** A name that may stand in quotas, limit ranges and containers alike (`validateResourceName`). */
export function checkResourceName(name: string, path: string): StatusCause[] {
  // `core.ResourceName` is a Stringer: it is printed without quotes.
  const causes = invalidEach(path, { go: name }, qualifiedNameProblems(name));
  if (causes.length > 0 || name.includes("/") || isStandardResource(name)) return causes;
  return [invalid(path, { go: name }, "must be a standard resource type or fully qualified")];
}

export function checkContainerResourceName(name: string, path: string): StatusCause[] {
  if (computeResources.includes(name)) return [];
  const causes = checkResourceName(name, path);
  if (!name.includes("/")) {
    if (!isHugePages(name)) causes.push(invalid(path, { go: name }, "must be a standard resource for containers"));
  } else if (!isNativeResource(name) && !isExtendedResource(name)) {
    causes.push(invalid(path, { go: name }, "doesn't follow extended resource name standard"));
  }
  return causes;
}

/** Not negative, and whole where a fraction makes no sense (`ValidateResourceQuantityValue`). */
export function checkResourceQuantity(name: string, value: Quantity, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (compareQuantities(value, zero) < 0) causes.push(invalid(path, formatQuantity(value), negativeMessage));
  if ((integerResources.has(name) || isExtendedResource(name)) && !isWhole(value))
    causes.push(invalid(path, { go: goQuantity(formatQuantity(value)) }, "must be an integer"));
  return causes;
}

export function checkNonnegativeQuantity(value: string | number, path: string): StatusCause[] {
  const quantity = parseQuantity(value);
  return compareQuantities(quantity, zero) < 0 ? [invalid(path, formatQuantity(quantity), negativeMessage)] : [];
}

/** Requests and limits of a container, of a pod's overhead, of a claim (`ValidateContainerResourceRequirements`). */
export function checkResourceRequirements(
  requirements: ResourceRequirements,
  path: string,
  podClaims: readonly string[] = [],
): StatusCause[] {
  const { limits, requests } = requirements as { limits?: QuantityMap; requests?: QuantityMap };
  const causes: StatusCause[] = [];
  for (const name in limits) {
    const at = `${path}.limits[${name}]`;
    causes.push(...checkAmount(name, parseQuantity(limits[name] ?? "0"), at));
  }
  for (const name in requests) {
    const request = parseQuantity(requests[name] ?? "0");
    const limit = limits?.[name];
    causes.push(...checkResourceNameAndQuantity(name, request, `${path}.requests[${name}]`));
    causes.push(...checkRequestAgainstLimit(name, request, limit === undefined ? undefined : parseQuantity(limit), path));
    causes.push(...checkHugePages(name, request, `${path}.requests[${name}]`));
  }
  const names = [...Object.keys(limits ?? {}), ...Object.keys(requests ?? {})];
  if (names.some(isHugePages) && !names.some((name) => name === "cpu" || name === "memory")) {
    causes.push(forbidden(path, "HugePages require cpu or memory"));
  }
  return [...causes, ...checkClaimNames(requirements.claims ?? [], podClaims, `${path}.claims`)];
}

function checkAmount(name: string, value: Quantity, path: string): StatusCause[] {
  return [...checkResourceNameAndQuantity(name, value, path), ...checkHugePages(name, value, path)];
}

function checkResourceNameAndQuantity(name: string, value: Quantity, path: string): StatusCause[] {
  return [...checkContainerResourceName(name, path), ...checkResourceQuantity(name, value, path)];
}

function checkRequestAgainstLimit(name: string, request: Quantity, limit: Quantity | undefined, path: string): StatusCause[] {
  const overcommit = isNativeResource(name) && !isHugePages(name);
  if (limit === undefined) return overcommit ? [] : [required(`${path}.limits`, "Limit must be set for non overcommitable resources")];
  const order = compareQuantities(request, limit);
  const text = formatQuantity(request);
  if (order !== 0 && !overcommit) return [invalid(`${path}.requests`, text, `must be equal to ${name} limit of ${formatQuantity(limit)}`)];
  return order > 0 ? [invalid(`${path}.requests`, text, `must be less than or equal to ${name} limit of ${formatQuantity(limit)}`)] : [];
}

function checkHugePages(name: string, value: Quantity, path: string): StatusCause[] {
  if (!isHugePages(name) || isZeroQuantity(value)) return [];
  try {
    const size = wholeValue(parseQuantity(name.slice("hugepages-".length)));
    if (size > 0 && wholeValue(value) % size === 0) return [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return [invalid(path, formatQuantity(value), `${formatQuantity(value)} is not positive integer multiple of ${name}`)];
}

function checkClaimNames(claims: readonly ResourceClaim[], podClaims: readonly string[], path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const seen = new Set<string>();
  claims.forEach(({ name, request }, index) => {
    const at = `${path}[${index}]`;
    if (name === "") causes.push(required(at));
    else {
      const key = request === undefined || request === "" ? name : `${name}/${request}`;
      if (request !== undefined && request !== "") causes.push(...checkDnsLabel(request, `${at}.request`));
      if (seen.has(name) || seen.has(key)) causes.push(duplicate(at, key));
      else if (key === name && [...seen].some((other) => other.startsWith(`${name}/`))) causes.push(duplicate(at, name));
      seen.add(key);
    }
    if (podClaims.includes(name)) return;
    const known = podClaims.length === 0 ? " which is empty" : `: ${[...podClaims].sort().join(", ")}`;
    causes.push({
      reason: "FieldValueNotFound",
      field: at,
      message: `Not found: ${goQuote(name)}: must be one of the names in pod.spec.resourceClaims${known}`,
    });
  });
  return causes;
}

function isWhole(value: Quantity): boolean {
  return compareQuantities(value, parseQuantity(String(wholeValue(value)))) === 0;
}
