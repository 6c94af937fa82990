import type { Node, Pod, PodSpec, Toleration } from "../../kubernetes/types.ts";
import { matchesNodeAffinity, namedNodes } from "../../scheduler/node-affinity.ts";
import { untoleratedTaint } from "../../scheduler/taints.ts";

const exists = (key: string, effect: "NoExecute" | "NoSchedule"): Toleration => ({ key, operator: "Exists", effect });
const everywhere: readonly Toleration[] = [
  exists("node.kubernetes.io/not-ready", "NoExecute"),
  exists("node.kubernetes.io/unreachable", "NoExecute"),
  exists("node.kubernetes.io/disk-pressure", "NoSchedule"),
  exists("node.kubernetes.io/memory-pressure", "NoSchedule"),
  exists("node.kubernetes.io/pid-pressure", "NoSchedule"),
  exists("node.kubernetes.io/unschedulable", "NoSchedule"),
];
const onHostNetwork = exists("node.kubernetes.io/network-unavailable", "NoSchedule");

/** The spec of a template as daemon pods have it: they stand a node's troubles and its cordon (`AddOrUpdateDaemonPodTolerations`). */
export function daemonPodSpec(spec: PodSpec): PodSpec {
  const added = spec.hostNetwork === true ? [...everywhere, onHostNetwork] : everywhere;
  const isAdded = ({ key, operator, effect, value = "" }: Toleration): boolean =>
    value === "" && added.some((each) => each.key === key && each.operator === operator && each.effect === effect);
  return { ...spec, tolerations: [...(spec.tolerations ?? []).filter((each) => !isAdded(each)), ...added] };
}

/** `run`: a daemon pod belongs on the node; `stay`: one that is there may stay, a new one is not made; `leave`: none may be there. */
export type Placement = "run" | "stay" | "leave";

/** Where pods of such a spec belong (`NodeShouldRunDaemonPod`); `spec` is that of `daemonPodSpec`. */
export function placementOn(spec: PodSpec, { metadata: { name = "", labels = {} }, spec: { taints = [] } = {} }: Node): Placement {
  if ((spec.nodeName ?? "") !== "" && spec.nodeName !== name) return "leave";
  if (!matchesNodeAffinity(spec, { name, labels })) return "leave";
  const { tolerations = [] } = spec;
  if (!untoleratedTaint(taints, tolerations)) return "run";
  const ending = taints.filter(({ effect }) => effect === "NoExecute");
  return untoleratedTaint(ending, tolerations) ? "leave" : "stay";
}

/** The spec for the one node, by `metadata.name`, whatever node affinity the template required (`ReplaceDaemonSetPodNodeNameNodeAffinity`). */
export function pinnedTo(nodeName: string, spec: PodSpec): PodSpec {
  const required = { nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In" as const, values: [nodeName] }] }] };
  const nodeAffinity = { ...spec.affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: required };
  return { ...spec, affinity: { ...spec.affinity, nodeAffinity } };
}

/** The node that a daemon pod is on or is made for (`GetTargetNodeName`). */
export function targetNode({ spec }: Pod): string | undefined {
  if (spec?.nodeName) return spec.nodeName;
  const names = spec && namedNodes(spec);
  return names?.size === 1 ? [...names][0] : undefined;
}
