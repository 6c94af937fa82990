import type { LabelSelector, Node, Pod, PodAffinityTerm, TopologySpreadConstraint } from "../../shared/kubernetes/types.ts";

/** A pod and the node it lies on. */
export interface Placement {
  readonly pod: Pod;
  readonly node: Node;
}

/**
 * Why a pod must not go to a node, by the rules read literally and slowly: nothing is shared with the scheduler but the types. It knows
 * what the random clusters contain, no more. Undefined: it may.
 */
export function objection(pod: Pod, node: Node, nodes: readonly Node[], placed: readonly Placement[]): string | undefined {
  if (node.spec?.unschedulable) return "cordoned";
  if (!toleratesTaints(pod, node)) return "tainted";
  if (!matchesNodeSelector(pod, node)) return "node selector";
  const here = placed.filter((other) => other.node === node).map((other) => other.pod);
  if (sharesHostPort(pod, here)) return "host port";
  if (here.length + 1 > amount(node, "pods") / 1000) return "too many pods";
  for (const resource of ["cpu", "memory", "example.com/gpu"]) {
    const used = here.reduce((sum, other) => sum + requested(other, resource), 0);
    const wanted = requested(pod, resource);
    if (wanted > 0 && used + wanted > amount(node, resource)) return resource;
  }
  if (!keepsSkew(pod, node, nodes, placed)) return "skew";
  return affinityObjection(pod, node, placed);
}

function affinityObjection(pod: Pod, node: Node, placed: readonly Placement[]): string | undefined {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  for (const term of podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
    if (labelOf(node, term.topologyKey) === undefined) return "affinity label";
    const matching = placed.filter((other) => selects(term, pod, other.pod) && labelOf(other.node, term.topologyKey) !== undefined);
    if (matching.length === 0 && selects(term, pod, pod)) continue;
    if (!matching.some((other) => labelOf(other.node, term.topologyKey) === labelOf(node, term.topologyKey))) return "affinity";
  }
  for (const term of podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
    if (placed.some((other) => selects(term, pod, other.pod) && isTogether(term, node, other.node))) return "anti-affinity";
  }
  for (const other of placed) {
    for (const term of other.pod.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      if (selects(term, other.pod, pod) && isTogether(term, node, other.node)) return "existing anti-affinity";
    }
  }
  return undefined;
}

function keepsSkew(pod: Pod, node: Node, nodes: readonly Node[], placed: readonly Placement[]): boolean {
  const hard = pod.spec?.topologySpreadConstraints?.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === "DoNotSchedule") ?? [];
  if (hard.some(({ topologyKey }) => labelOf(node, topologyKey) === undefined)) return false;
  return hard.every((constraint) => {
    const counted = nodes.filter((other) => isCounted(pod, other, hard, constraint));
    const countIn = (domain: string): number =>
      placed.filter(
        (other) =>
          counted.includes(other.node) &&
          labelOf(other.node, constraint.topologyKey) === domain &&
          other.pod.metadata.namespace === pod.metadata.namespace &&
          matches(constraint.labelSelector, other.pod),
      ).length;
    const domains = [...new Set(counted.map((other) => labelOf(other, constraint.topologyKey) ?? ""))];
    const least = domains.length < (constraint.minDomains ?? 1) ? 0 : Math.min(...domains.map(countIn));
    const self = matches(constraint.labelSelector, pod) ? 1 : 0;
    return countIn(labelOf(node, constraint.topologyKey) ?? "") + self - least <= constraint.maxSkew;
  });
}

function isCounted(pod: Pod, node: Node, hard: readonly TopologySpreadConstraint[], constraint: TopologySpreadConstraint): boolean {
  if (hard.some(({ topologyKey }) => labelOf(node, topologyKey) === undefined)) return false;
  if (constraint.nodeAffinityPolicy !== "Ignore" && !matchesNodeSelector(pod, node)) return false;
  return constraint.nodeTaintsPolicy !== "Honor" || toleratesTaints(pod, node);
}

function toleratesTaints(pod: Pod, node: Node): boolean {
  return (node.spec?.taints ?? []).length === 0 || (pod.spec?.tolerations ?? []).length > 0;
}

function matchesNodeSelector(pod: Pod, node: Node): boolean {
  return Object.entries(pod.spec?.nodeSelector ?? {}).every(([key, value]) => labelOf(node, key) === value);
}

function sharesHostPort(pod: Pod, here: readonly Pod[]): boolean {
  const ports = (one: Pod): number[] => one.spec?.containers.flatMap((c) => c.ports?.map(({ hostPort = 0 }) => hostPort) ?? []) ?? [];
  return here.some((other) => ports(other).some((port) => ports(pod).includes(port)));
}

function labelOf(node: Node, key: string): string | undefined {
  return node.metadata.labels?.[key];
}

function isTogether({ topologyKey }: PodAffinityTerm, a: Node, b: Node): boolean {
  return labelOf(a, topologyKey) !== undefined && labelOf(a, topologyKey) === labelOf(b, topologyKey);
}

function selects({ labelSelector }: PodAffinityTerm, owner: Pod, other: Pod): boolean {
  return owner.metadata.namespace === other.metadata.namespace && matches(labelSelector, other);
}

function matches(selector: LabelSelector | undefined, pod: Pod): boolean {
  return selector !== undefined && Object.entries(selector.matchLabels ?? {}).every(([key, value]) => pod.metadata.labels?.[key] === value);
}

/** Thousandths of pieces, or mebibytes. */
function quantity(text: string | number | undefined): number {
  const [, digits = "0", unit = ""] = /^(\d+)(.*)$/.exec(String(text ?? 0)) ?? [];
  return Number(digits) * ({ m: 1, Mi: 1, Gi: 1024, "": 1000 }[unit] ?? Number.NaN);
}

function amount(node: Node, resource: string): number {
  return quantity(node.status?.allocatable?.[resource]);
}

function requested(pod: Pod, resource: string): number {
  return (pod.spec?.containers ?? []).reduce((sum, { resources }) => sum + quantity(resources?.requests?.[resource]), 0);
}
