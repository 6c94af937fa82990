import type { KubernetesObject } from "../../kubernetes/object.ts";
import { isExtendedResource } from "../../kubernetes/resource-names.ts";
import type { Node, NodeCondition, Taint } from "../../kubernetes/types.ts";
import type { NodeDescription } from "./protocol.ts";

/** The label of a Node that says which pool its machine is in. */
export const poolLabel = "coracle.dev/pool";

export interface NodeSource {
  readonly nodeName: string;
  readonly pool: string;
  readonly description: NodeDescription;
  readonly poolLabels: Readonly<Record<string, string>>;
  readonly poolTaints: NodeDescription["taints"];
}

/** Labels the server sets and a description cannot override. */
function labelsOf({ nodeName, pool, description, poolLabels }: NodeSource): Record<string, string> {
  const { architecture, operatingSystem } = description.info;
  return {
    ...poolLabels,
    ...description.labels,
    "beta.kubernetes.io/arch": architecture,
    "beta.kubernetes.io/os": operatingSystem,
    "kubernetes.io/arch": architecture,
    "kubernetes.io/hostname": nodeName,
    "kubernetes.io/os": operatingSystem,
    [poolLabel]: pool,
    "coracle.dev/runtime": description.runtime,
  };
}

function annotationsOf({ description }: NodeSource): Record<string, string> {
  const annotations: Record<string, string> = { "volumes.kubernetes.io/controller-managed-attach-detach": "true" };
  if (description.runtime !== "containerd") annotations["coracle.dev/images-ignored"] = "true";
  return annotations;
}

/** The Node object that a cluster of the pool sees when it does not have one yet; its status follows by `nodeStatus`. */
export function newNode(source: NodeSource): Node {
  const { description } = source;
  const taints: Taint[] = [...source.poolTaints, ...description.taints];
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: source.nodeName, labels: labelsOf(source), annotations: annotationsOf(source) },
    spec: {
      providerID: `coracle://${source.pool}/${source.nodeName}`,
      ...(description.podCidr === undefined ? {} : { podCIDR: description.podCidr, podCIDRs: [description.podCidr] }),
      ...(taints.length === 0 ? {} : { taints }),
    },
  };
}

/**
 * A merge patch that brings the metadata of an existing Node in line, and says its pods' range once that is known, or `undefined` when it is. Labels that people added stay, as
 * with kubelet's `reconcileLabels`; taints belong to the cluster once the Node exists.
 */
export function nodePatch(current: Node, source: NodeSource): Record<string, unknown> | undefined {
  const labels = differing(labelsOf(source), current.metadata.labels);
  const annotations = differing(annotationsOf(source), current.metadata.annotations);
  const { podCidr } = source.description;
  // Kubernetes lets it be set once, and never changed.
  const spec = podCidr === undefined || current.spec?.podCIDR !== undefined ? undefined : { podCIDR: podCidr, podCIDRs: [podCidr] };
  if (labels === undefined && annotations === undefined && spec === undefined) return undefined;
  return { metadata: { ...(labels && { labels }), ...(annotations && { annotations }) }, ...(spec && { spec }) };
}

function differing(wanted: Record<string, string>, actual: Record<string, string> | undefined): Record<string, string> | undefined {
  const entries = Object.entries(wanted).filter(([key, value]) => actual?.[key] !== value);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/**
 * The Node with the status that the description asks for, or `undefined` when it says so already and its heartbeat times are younger
 * than `refreshSeconds` (kubelet's nodeStatusReportFrequency is 300). Conditions and extended resources that others set are kept.
 */
export function nodeWithStatus(
  current: Node,
  description: NodeDescription,
  nowMs: number,
  refreshSeconds: number,
): (Node & KubernetesObject) | undefined {
  const now = new Date(nowMs).toISOString().replace(/\.\d{3}Z$/, "Z");
  const before = new Map((current.status?.conditions ?? []).map((condition) => [condition.type, condition]));
  let changed = false;
  const conditions: NodeCondition[] = [];
  for (const reported of description.conditions) {
    const old = before.get(reported.type);
    before.delete(reported.type);
    const same = old?.status === reported.status && old.reason === reported.reason && old.message === reported.message;
    const stale = old?.lastHeartbeatTime === undefined || nowMs - Date.parse(old.lastHeartbeatTime) >= refreshSeconds * 1000;
    if (!same || stale) changed = true;
    const lastTransitionTime = old?.status === reported.status ? (old.lastTransitionTime ?? now) : now;
    conditions.push({
      type: reported.type,
      status: reported.status,
      lastHeartbeatTime: now,
      lastTransitionTime,
      reason: reported.reason,
      message: reported.message,
    });
  }
  const { addresses, info } = description;
  const capacity = { ...extendedOf(current.status?.capacity), ...description.capacity };
  const allocatable = { ...extendedOf(current.status?.allocatable), ...description.allocatable };
  const status = { ...current.status, capacity, allocatable, addresses, nodeInfo: info };
  if (!changed && JSON.stringify(facts(status)) === JSON.stringify(facts(current.status ?? {}))) return undefined;
  return { ...current, status: { ...status, conditions: [...before.values(), ...conditions] } };
}

type Amounts = NonNullable<NonNullable<Node["status"]>["capacity"]>;

function extendedOf(amounts: Amounts = {}): Amounts {
  return Object.fromEntries(Object.entries(amounts).filter(([name]) => isExtendedResource(name)));
}

function facts(status: NonNullable<Node["status"]>): unknown {
  const sorted = (values: Record<string, unknown> = {}) => Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  return [sorted(status.capacity), sorted(status.allocatable), status.addresses, sorted({ ...status.nodeInfo })];
}
