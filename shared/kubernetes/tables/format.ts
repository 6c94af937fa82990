import { humanDuration } from "../duration.ts";
import { formatLabelSelector, requirementsOf } from "../label-selector.ts";
import type { KubernetesObject } from "../object.ts";
import type { Container, LabelSelector, ObjectMeta } from "../types.ts";

/** What the cells of a row are made from: the object in its storage version, and the time of the request in milliseconds. */
export type Printer = (object: KubernetesObject, nowMs: number) => unknown[];

/** How long ago an RFC 3339 time was; "<unknown>" when there is none. */
export function since(timestamp: string | undefined | null, nowMs: number): string {
  return timestamp ? humanDuration(nowMs - Date.parse(timestamp)) : "<unknown>";
}

export function age({ metadata }: { readonly metadata: ObjectMeta }, nowMs: number): string {
  return since(metadata.creationTimestamp, nowMs);
}

/** Labels as `k=v,…` in order; "<none>" when there are none. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? "<none>" : pairs.sort().join(",");
}

/** A label selector in the form of a query; empty for an absent or empty one. */
export function selectorString(selector: LabelSelector | undefined): string {
  return selector ? formatLabelSelector(requirementsOf(selector)) : "";
}

export function formatSelector(selector: LabelSelector | undefined): string {
  return selectorString(selector) || "<none>";
}

/** The names and the images of containers, each joined by commas. */
export function containerCells(containers: readonly Container[] | undefined): [names: string, images: string] {
  const listed = containers ?? [];
  return [listed.map(({ name }) => name).join(","), listed.map(({ image }) => image ?? "").join(",")];
}

/** The first `shown` of a list, and how many there are beyond them. */
export function firstFew(list: readonly string[], shown: number, total: number = list.length): string {
  const text = list.slice(0, shown).join(",");
  return total > shown ? `${text} + ${total - shown} more...` : text;
}

/** Addresses of a load balancer: each IP or, failing it, hostname, once and in order. */
export function loadBalancerAddresses(ingress: readonly { readonly ip?: string; readonly hostname?: string }[] | undefined): string[] {
  const addresses = (ingress ?? []).map(({ ip, hostname }) => ip || hostname || "").filter((address) => address !== "");
  return [...new Set(addresses)].sort();
}
