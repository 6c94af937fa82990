import type { Node } from "../../kubernetes/types.ts";
import { parseTime } from "../timestamp.ts";
import { isOutage } from "./taints.ts";

/** One node a zone is given up every ten seconds; every hundred where much of a large zone is down (`--node-eviction-rate`, `--secondary-node-eviction-rate`). */
const evictionIntervalMs = { normal: 10_000, reduced: 100_000 } as const;
const unhealthyShare = 0.55;
const largeZone = 50;

const regionLabel = "topology.kubernetes.io/region";
const zoneLabel = "topology.kubernetes.io/zone";

export type OutageDecision =
  | { readonly kind: "set" }
  /** The whole cluster seems down: more likely it is the control plane that is cut off, so nobody's pods are ended. */
  | { readonly kind: "clear" }
  /** Too many nodes were given up just now; undefined: none will be while the zone is like this. */
  | { readonly kind: "keep"; readonly againAtMs: number | undefined };

/** Region and zone: nodes of one are given up one after another. */
export const zoneOf = ({ metadata: { labels } }: Node): string => `${labels?.[regionLabel] ?? ""}/${labels?.[zoneLabel] ?? ""}`;

const isReady = ({ status }: Node): boolean =>
  status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;

/**
 * Whether the pods of a node that is not ready may be ended now (`handleDisruption` and the rate-limited tainting pass of
 * kube-controller-manager, from nothing but the nodes: when a node was given up stands in its taint). A cluster of one node is taken at
 * its word: that one node down does not tell which side is cut off. `lastGivenUpMs`: when a node of the zone was last given up, where a
 * taint may not show it yet.
 */
export function decideOutage(node: Node, nodes: readonly Node[], nowMs: number, lastGivenUpMs = 0): OutageDecision {
  if (nodes.length > 1 && !nodes.some(isReady)) return { kind: "clear" };
  if (node.spec?.taints?.some(isOutage)) return { kind: "set" };
  const zone = nodes.filter((other) => zoneOf(other) === zoneOf(node));
  const down = zone.filter((other) => !isReady(other));
  const isPartial = down.length < zone.length && down.length > 2 && down.length / zone.length >= unhealthyShare;
  if (isPartial && zone.length <= largeZone) return { kind: "keep", againAtMs: undefined };
  const interval = isPartial ? evictionIntervalMs.reduced : evictionIntervalMs.normal;
  const givenUpMs = down.flatMap(({ spec }) => (spec?.taints ?? []).filter(isOutage).map(({ timeAdded }) => parseTime(timeAdded) ?? 0));
  const nextMs = Math.max(lastGivenUpMs, ...givenUpMs) + interval;
  return nextMs <= nowMs ? { kind: "set" } : { kind: "keep", againAtMs: nextMs };
}
