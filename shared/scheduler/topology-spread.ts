import { type LabelRequirement, matchesLabels } from "../kubernetes/label-selector.ts";
import type { TopologySpreadConstraint } from "../kubernetes/types.ts";
import { selectorWithLabelKeys, selectPods } from "./affinity-terms.ts";
import { type Failure, resolvable, unresolvable } from "./failure.ts";
import { matchesNodeAffinity } from "./node-affinity.ts";
import type { PodInfo } from "./pod-info.ts";
import { maximumScore } from "./resource-fit.ts";
import type { ClusterSnapshot } from "./snapshot.ts";
import { untoleratedTaint } from "./taints.ts";
import type { DomainTable, Tally } from "./tally.ts";

type Rule = Pick<TopologySpreadConstraint, "topologyKey" | "maxSkew" | "minDomains" | "nodeAffinityPolicy" | "nodeTaintsPolicy"> & {
  readonly requirements: readonly LabelRequirement[] | undefined;
};

interface Constraint {
  readonly table: DomainTable;
  readonly tally: Tally;
  readonly maxSkew: number;
  readonly minDomains: number;
  /** The pod itself is one of those that are spread. */
  readonly matchesSelf: boolean;
  readonly isByHost: boolean;
}

const missingLabel = unresolvable("PodTopologySpread", "node(s) didn't match pod topology spread constraints (missing required label)");
const tooSkewed = resolvable("PodTopologySpread", "node(s) didn't match pod topology spread constraints");
/** In place of a sum: the node lacks a label and gets no score. */
const leftOut = -1;
const hostnameLabel = "kubernetes.io/hostname";
/** `systemDefaultConstraints` of the plugin: for pods without constraints of their own that belong to a service or a workload. */
const systemDefaults = [
  { topologyKey: hostnameLabel, maxSkew: 3 },
  { topologyKey: "topology.kubernetes.io/zone", maxSkew: 5 },
] as const;

/** PodTopologySpread for pods of one shape. */
export class TopologySpread {
  readonly #hard: readonly Constraint[];
  readonly #soft: readonly Constraint[];
  /** Nodes without one of the labels are left out of the score; with the system's defaults they are not. */
  readonly #requiresLabels: boolean;

  constructor(snapshot: ClusterSnapshot, pod: PodInfo) {
    this.#requiresLabels = (pod.pod.spec?.topologySpreadConstraints?.length ?? 0) > 0;
    const soft = this.#requiresLabels ? ownRules(pod, "ScheduleAnyway") : defaultRules(snapshot, pod);
    this.#hard = constraintsOf(snapshot, pod, ownRules(pod, "DoNotSchedule"), true);
    this.#soft = constraintsOf(snapshot, pod, soft, this.#requiresLabels);
  }

  get isFiltering(): boolean {
    return this.#hard.length > 0;
  }

  get isScoring(): boolean {
    return this.#soft.length > 0;
  }

  refresh(): void {
    for (const { table } of this.#hard) table.refresh();
    for (const { table } of this.#soft) table.refresh();
  }

  check(slot: number): Failure | undefined {
    for (const { table, maxSkew, minDomains, matchesSelf } of this.#hard) {
      if ((table.topology.domainOf[slot] ?? -1) < 0) return missingLabel;
      const least = table.domainCount < minDomains ? 0 : table.least();
      if (table.sumAt(slot) + (matchesSelf ? 1 : 0) - least > maxSkew) return tooSkewed;
    }
    return undefined;
  }

  /** Adds `weight` times the score of each of the nodes to `totals`; both are by position. */
  score(slots: Int32Array, count: number, totals: Float64Array, weight: number): void {
    const raw = new Float64Array(count);
    if (this.#requiresLabels) this.#leaveOut(slots, count, raw);
    for (const constraint of this.#soft) {
      const { table, tally, maxSkew, isByHost } = constraint;
      const { domainOf } = table.topology;
      const factor = Math.log(sizeOf(constraint, slots, count, raw) + 2);
      for (let position = 0; position < count; position++) {
        const slot = slots[position] ?? 0;
        const domain = domainOf[slot] ?? -1;
        const sum = raw[position] ?? leftOut;
        if (domain < 0 || sum === leftOut) continue;
        const matching = isByHost ? tally.count(slot) : (table.sums[domain] ?? 0);
        raw[position] = sum + matching * factor + maxSkew - 1;
      }
    }
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (let position = 0; position < count; position++) {
      const sum = raw[position] ?? leftOut;
      if (sum === leftOut) continue;
      const rounded = Math.round(sum);
      raw[position] = rounded;
      if (rounded < least) least = rounded;
      if (rounded > most) most = rounded;
    }
    for (let position = 0; position < count; position++) {
      const score = raw[position] ?? leftOut;
      if (score === leftOut) continue;
      const normalized = most === 0 ? maximumScore : Math.floor((maximumScore * (most + least - score)) / most);
      totals[position] = (totals[position] ?? 0) + weight * normalized;
    }
  }

  #leaveOut(slots: Int32Array, count: number, raw: Float64Array): void {
    for (let position = 0; position < count; position++) {
      const slot = slots[position] ?? 0;
      if (this.#soft.some(({ table }) => (table.topology.domainOf[slot] ?? -1) < 0)) raw[position] = leftOut;
    }
  }
}

/** How many domains the nodes lie in that are not left out; a missing label is one domain too. */
function sizeOf({ table, isByHost }: Constraint, slots: Int32Array, count: number, raw: Float64Array): number {
  const { domainOf, count: domainCount } = table.topology;
  const seen = new Uint8Array(domainCount + 1);
  let size = 0;
  for (let position = 0; position < count; position++) {
    if (raw[position] === leftOut) continue;
    const domain = (domainOf[slots[position] ?? 0] ?? -1) + 1;
    if (!isByHost && seen[domain] === 1) continue;
    seen[domain] = 1;
    size++;
  }
  return size;
}

function ownRules({ pod, labels }: PodInfo, whenUnsatisfiable: TopologySpreadConstraint["whenUnsatisfiable"]): Rule[] {
  const own = pod.spec?.topologySpreadConstraints?.filter((constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable) ?? [];
  return own.map((constraint) => ({
    ...constraint,
    requirements: selectorWithLabelKeys(constraint.labelSelector, labels, constraint.matchLabelKeys),
  }));
}

function defaultRules(snapshot: ClusterSnapshot, pod: PodInfo): Rule[] {
  const requirements = snapshot.selectors.of(pod);
  return requirements.length === 0 ? [] : systemDefaults.map((constraint) => ({ ...constraint, requirements }));
}

function constraintsOf(
  snapshot: ClusterSnapshot,
  { pod, namespace, labels }: PodInfo,
  rules: readonly Rule[],
  requiresLabels: boolean,
): Constraint[] {
  const { nodes } = snapshot;
  const keys = requiresLabels ? rules.map(({ topologyKey }) => topologyKey) : [];
  const { nodeSelector, affinity, tolerations = [] } = pod.spec ?? {};
  return rules.map((rule) => {
    const { topologyKey, maxSkew, minDomains = 1, nodeAffinityPolicy = "Honor", nodeTaintsPolicy = "Ignore", requirements } = rule;
    // A selector without requirements counts no pod, though it matches the pod itself (`countPodsMatchSelector`).
    const counted = requirements?.length === 0 ? undefined : requirements;
    const tally = snapshot.groups.tally([selectPods(namespace, counted)], false);
    const honorsAffinity = nodeAffinityPolicy === "Honor";
    const honorsTaints = nodeTaintsPolicy === "Honor";
    const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    const key = JSON.stringify([keys, honorsAffinity && [nodeSelector, required], honorsTaints && tolerations]);
    const isCounted = (slot: number): boolean => {
      const node = nodes.facts(slot);
      if (node === undefined || !keys.every((label) => node.labels[label] !== undefined)) return false;
      if (honorsAffinity && !matchesNodeAffinity(pod.spec ?? {}, node)) return false;
      return !honorsTaints || untoleratedTaint(node.taints, tolerations) === undefined;
    };
    return {
      table: tally.domains(snapshot.topology(topologyKey), key, isCounted, nodes),
      tally,
      maxSkew,
      minDomains,
      matchesSelf: requirements !== undefined && matchesLabels(requirements, labels),
      isByHost: topologyKey === hostnameLabel,
    };
  });
}
