import { parseAddress } from "../../ip-text.ts";
import type { StatusCause } from "../../status-error.ts";
import type { Service, ServiceSpec } from "../../types.ts";
import { invalid } from "../field-error.ts";
import { goStringList } from "../go-text.ts";
import { same } from "./object-meta.ts";
import { checkClusterIps } from "./service.ts";

const several = (what: string): string => `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`;
const familyOf = (ip: string): "IPv4" | "IPv6" => (parseAddress(ip)?.family === 6 ? "IPv6" : "IPv4");

/**
 * Fills IP families and their policy in a cluster whose Services have IPv4 addresses, and answers what that makes impossible: the first
 * thing that happens to a Service, before any other rule is looked at (pkg/registry/core/service/storage `initIPFamilyFields`).
 */
export function fillFamilies(spec: ServiceSpec, before?: ServiceSpec): StatusCause[] {
  if (spec.type === "ExternalName" || keepsPreferDualStack(spec, before)) return [];
  const selectorless = spec.clusterIP === "None" && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= before?.ipFamilyPolicy ?? (selectorless ? "RequireDualStack" : "SingleStack");
  const problems = checkClusterIps(spec, before?.clusterIPs);
  if (problems.length > 0) return problems;
  const causes = before === undefined ? [] : checkReleases(spec, before);
  causes.push(...checkPolicy(spec), ...inferFamilies(spec));
  if (causes.length > 0) return causes;
  if (selectorless) {
    const families = spec.ipFamilies ?? ["IPv4"];
    const [first = "IPv4"] = families;
    const alone = families.length < 2 && spec.ipFamilyPolicy !== "SingleStack";
    spec.ipFamilies = alone ? [first, first === "IPv4" ? "IPv6" : "IPv4"] : families;
    return [];
  }
  causes.push(...checkConfigured(spec));
  if (causes.length === 0 && (spec.ipFamilies ?? []).length === 0) spec.ipFamilies = ["IPv4"];
  return causes;
}

/** A Service that prefers two stacks is left as it was while neither its addresses nor its families change. */
function keepsPreferDualStack(spec: ServiceSpec, before: ServiceSpec | undefined): boolean {
  if (before === undefined || before.type === "ExternalName") return false;
  const prefers = spec.ipFamilyPolicy === "PreferDualStack" && before.ipFamilyPolicy === "PreferDualStack";
  return prefers && same(spec.clusterIPs, before.clusterIPs) && same(spec.ipFamilies, before.ipFamilies);
}

function checkReleases(spec: ServiceSpec, before: ServiceSpec): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const [field, what] of [["clusterIPs", "cluster IP"] as const, ["ipFamilies", "IP family"] as const]) {
    const [after, old] = [spec[field] ?? [], before[field] ?? []];
    if (spec.ipFamilyPolicy === "SingleStack") {
      if (after.length > 1 && same(after, old)) Object.assign(spec, { [field]: after.slice(0, 1) });
    } else if (after.length > 0 && after.length < old.length && same(after[0], old[0])) {
      causes.push(invalid("spec.ipFamilyPolicy", spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`));
    }
  }
  return causes;
}

function checkPolicy({ ipFamilyPolicy, clusterIPs = [], ipFamilies = [] }: ServiceSpec): StatusCause[] {
  if (ipFamilyPolicy !== "SingleStack") return [];
  const causes: StatusCause[] = [];
  if (clusterIPs.length === 2) causes.push(invalid("spec.ipFamilyPolicy", ipFamilyPolicy, several("cluster IPs")));
  if (ipFamilies.length === 2) causes.push(invalid("spec.ipFamilyPolicy", ipFamilyPolicy, several("IP families")));
  return causes;
}

/** Families that are not named follow from the addresses. */
function inferFamilies(spec: ServiceSpec): StatusCause[] {
  const { clusterIPs = [] } = spec;
  const causes: StatusCause[] = [];
  clusterIPs.forEach((ip, index) => {
    if (ip === "None" || index < (spec.ipFamilies ?? []).length) return;
    const family = familyOf(ip);
    if (family === "IPv4") spec.ipFamilies = [...(spec.ipFamilies ?? []), family];
    else causes.push(invalid(`spec.clusterIPs[${index}]`, { go: goStringList(clusterIPs) }, `${family} is not configured on this cluster`));
  });
  return causes;
}

function checkConfigured({ ipFamilyPolicy, ipFamilies = [] }: ServiceSpec): StatusCause[] {
  const causes: StatusCause[] = [];
  if (ipFamilyPolicy === "RequireDualStack")
    causes.push(invalid("spec.ipFamilyPolicy", ipFamilyPolicy, "this cluster is not configured for dual-stack services"));
  ipFamilies.forEach((family, index) => {
    if (family !== "IPv4") causes.push(invalid(`spec.ipFamilies[${index}]`, family, "not configured on this cluster"));
  });
  return causes;
}

/** `clusterIP` and the first of `clusterIPs` are one value: whichever a client gives fills the other (`NormalizeClusterIPs`). */
export function normalizeNewClusterIps({ spec }: Service): void {
  if (spec === undefined || spec.type === "ExternalName") return;
  if ((spec.clusterIP ?? "") !== "" && (spec.clusterIPs ?? []).length === 0) spec.clusterIPs = [spec.clusterIP ?? ""];
}
