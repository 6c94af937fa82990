import type { Cycle } from "./cycle.ts";
import { type Failure, type FilterPlugin, formatFitError, formatReasons } from "./failure.ts";
import type { Decision, Plan } from "./plan.ts";
import type { PendingPod } from "./pod-info.ts";
import { preempt } from "./preemption.ts";
import { maximumScore } from "./resource-fit.ts";
import type { ClusterSnapshot } from "./snapshot.ts";
import { checkWithNominated } from "./trial.ts";

export interface DecideOptions {
  /** Uniform in [0, 1): breaks ties. The same snapshot, pods and random numbers give the same plan. */
  readonly random: () => number;
  /** `nextStartIndex` of the plan before; default 0. */
  readonly startIndex?: number;
  /** Stops the search once so many of the nodes fit; 0 or absent: adapted to their number, as kube-scheduler does. */
  readonly percentageOfNodesToScore?: number;
  /** Asked before every pod but the first: true ends the plan there. */
  readonly shouldStop?: () => boolean;
}

/** Score weights of kube-scheduler's default profile; LeastAllocated, BalancedAllocation and ImageLocality have 1. */
const weights = { taints: 3, nodeAffinity: 2, spread: 2, podAffinity: 2 } as const;
const leastNodesToFind = 100;
const leastPercentage = 5;

/**
 * Decides on pods, in the order given, by kube-scheduler's default filters, scores and preemption. The snapshot is the working copy of
 * the batch: a placed pod is assumed on its node and a preempting one nominated to it, so that the next decision knows.
 * Whoever does not carry out a placement calls `snapshot.forget`.
 */
export function decide(snapshot: ClusterSnapshot, pods: readonly PendingPod[], options: DecideOptions): Plan {
  snapshot.held.sweep();
  const search = new Search(snapshot, options);
  const decisions: Decision[] = [];
  for (const pod of pods) {
    if (decisions.length > 0 && options.shouldStop?.()) break;
    const decision = search.decide(pod);
    decisions.push(decision);
    apply(snapshot, decision);
    if (decision.kind === "placed" || decision.preemption !== undefined) search.forgetFailures();
  }
  return { decisions, nextStartIndex: search.startIndex };
}

/** How many fitting nodes are enough (`numFeasibleNodesToFind`): all below 100 nodes, then 50 % falling to 5 % at 5,625 nodes. */
export function nodesToFind(nodeCount: number, percentageOfNodesToScore = 0): number {
  if (nodeCount < leastNodesToFind) return nodeCount;
  const percentage = percentageOfNodesToScore > 0 ? percentageOfNodesToScore : Math.max(leastPercentage, 50 - Math.floor(nodeCount / 125));
  return Math.max(leastNodesToFind, Math.floor((nodeCount * Math.min(percentage, 100)) / 100));
}

function apply(snapshot: ClusterSnapshot, decision: Decision): void {
  if (decision.kind === "placed") {
    snapshot.assume(decision.pod, decision.nodeName);
    return;
  }
  const { nomination, preemption, pod } = decision;
  if (nomination.kind === "keep") return;
  snapshot.nominate(pod, nomination.kind === "set" ? nomination.nodeName : "");
  for (const displaced of preemption?.displaced ?? []) snapshot.nominate(displaced, "");
}

type Unschedulable = Decision & { readonly kind: "unschedulable" };

class Search {
  startIndex: number;
  readonly #snapshot: ClusterSnapshot;
  readonly #options: DecideOptions;
  /** Slots that fit, and their scores, by position. */
  #fitting = new Int32Array(0);
  #totals = new Float64Array(0);
  #count = 0;
  /** Refused slots and why, by position. */
  readonly #failedSlots: number[] = [];
  readonly #failures: Failure[] = [];
  /** By shape: as long as nothing moves, pods of one shape fail alike. */
  readonly #failed = new Map<string, Unschedulable>();

  constructor(snapshot: ClusterSnapshot, options: DecideOptions) {
    this.#snapshot = snapshot;
    this.#options = options;
    this.startIndex = options.startIndex ?? 0;
  }

  forgetFailures(): void {
    this.#failed.clear();
  }

  decide(pod: PendingPod): Decision {
    const isNominated = pod.nominatedNodeName !== "" || this.#snapshot.nominationOf(pod.uid) !== "";
    const failed = isNominated ? undefined : this.#failed.get(pod.shape);
    if (failed) return { ...failed, pod };
    const decision = this.#decide(pod);
    if (decision.kind === "unschedulable" && !isNominated) this.#failed.set(pod.shape, decision);
    return decision;
  }

  #decide(pod: PendingPod): Decision {
    const { nodes } = this.#snapshot;
    if (nodes.count === 0) return unschedulable(pod, new Map(), "no nodes available to schedule pods", new Set());
    const cycle = this.#snapshot.cycles.of(pod);
    cycle.refresh();
    if (cycle.rejected) return this.#rejected(pod, cycle, cycle.rejected);
    const nominated = this.#nominatedSlot(pod, cycle);
    if (nominated !== undefined) return this.#placed(pod, nominated);
    this.#find(pod, cycle);
    if (this.#count === 0) return this.#unschedulable(pod, cycle);
    return this.#placed(pod, this.#count === 1 ? (this.#fitting[0] ?? 0) : this.#pick(cycle));
  }

  #placed(pod: PendingPod, slot: number): Decision {
    const { nodes, volumes } = this.#snapshot;
    const node = nodes.facts(slot);
    return { kind: "placed", pod, nodeName: nodes.name(slot), claims: node ? volumes.bindings(pod, node) : [] };
  }

  /** The node that was made room on is tried first; it is most likely the only one. */
  #nominatedSlot(pod: PendingPod, cycle: Cycle): number | undefined {
    const slot = this.#snapshot.nodes.slot(this.#snapshot.nominationOf(pod.uid) || pod.nominatedNodeName);
    if (slot === undefined || this.#snapshot.nodes.facts(slot) === undefined) return undefined;
    return checkWithNominated(this.#snapshot, cycle, pod, slot) === undefined ? slot : undefined;
  }

  /** Fills `#fitting`, or `#failures` with why each node that was looked at does not fit. */
  #find(pod: PendingPod, cycle: Cycle): void {
    const snapshot = this.#snapshot;
    const order = cycle.named === undefined ? snapshot.nodes.order() : this.#namedSlots(cycle.named);
    const wanted = nodesToFind(order.length, this.#options.percentageOfNodesToScore);
    if (this.#fitting.length < wanted) {
      this.#fitting = new Int32Array(wanted);
      this.#totals = new Float64Array(wanted);
    }
    this.#failures.length = 0;
    this.#failedSlots.length = 0;
    const hasNominations = snapshot.hasNominations;
    const fitting = this.#fitting;
    const start = this.startIndex % Math.max(1, order.length);
    let count = 0;
    let looked = 0;
    for (; looked < order.length && count < wanted; looked++) {
      const position = start + looked;
      const slot = order[position < order.length ? position : position - order.length] ?? 0;
      const failure = hasNominations ? checkWithNominated(snapshot, cycle, pod, slot) : cycle.check(slot);
      if (failure === undefined) fitting[count++] = slot;
      else {
        this.#failures.push(failure);
        this.#failedSlots.push(slot);
      }
    }
    this.#count = count;
    this.startIndex = (this.startIndex + looked) % snapshot.nodes.count;
  }

  #namedSlots(names: ReadonlySet<string>): Int32Array {
    const { nodes } = this.#snapshot;
    const slots = [...names].map((name) => nodes.slot(name)).filter((slot) => slot !== undefined && nodes.facts(slot) !== undefined);
    return Int32Array.from(slots as number[]);
  }

  /** The slot with the highest score; each of several is as likely (`selectHost`). */
  #pick(cycle: Cycle): number {
    this.#score(cycle);
    const totals = this.#totals;
    let most = Number.NEGATIVE_INFINITY;
    let alike = 0;
    for (let position = 0; position < this.#count; position++) {
      const total = totals[position] ?? 0;
      if (total > most) {
        most = total;
        alike = 1;
      } else if (total === most) alike++;
    }
    let skip = alike === 1 ? 0 : Math.floor(this.#options.random() * alike);
    let best = 0;
    while (totals[best] !== most || skip-- > 0) best++;
    return this.#fitting[best] ?? 0;
  }

  #score(cycle: Cycle): void {
    const { staticFit, resources, images, spread, affinity } = cycle;
    const imageScores = images.scores();
    const fitting = this.#fitting;
    const totals = this.#totals;
    const count = this.#count;
    let mostTaints = 0;
    let mostPreferred = 0;
    for (let position = 0; position < count; position++) {
      const slot = fitting[position] ?? 0;
      totals[position] = imageScores === undefined ? resources.score(slot) : resources.score(slot) + (imageScores[slot] ?? 0);
      mostTaints = Math.max(mostTaints, staticFit.untoleratedPreferences(slot));
      if (staticFit.hasPreferences) mostPreferred = Math.max(mostPreferred, staticFit.preferredWeight(slot));
    }
    if (mostTaints > 0) {
      this.#add(weights.taints, (slot) => maximumScore - share(staticFit.untoleratedPreferences(slot), mostTaints));
    }
    if (mostPreferred > 0) this.#add(weights.nodeAffinity, (slot) => share(staticFit.preferredWeight(slot), mostPreferred));
    if (spread.isScoring) spread.score(this.#fitting, this.#count, this.#totals, weights.spread);
    if (affinity.isScoring) affinity.score(this.#fitting, this.#count, this.#totals, weights.podAffinity);
  }

  #add(weight: number, scoreOf: (slot: number) => number): void {
    for (let position = 0; position < this.#count; position++) {
      this.#totals[position] = (this.#totals[position] ?? 0) + weight * scoreOf(this.#fitting[position] ?? 0);
    }
  }

  #rejected(pod: PendingPod, cycle: Cycle, failure: Failure): Unschedulable {
    const outcome = preempt(this.#snapshot, cycle, pod, new Map(), this.#options.random);
    const { count } = this.#snapshot.nodes;
    const reasons = new Map(failure.reasons.map((reason) => [reason, count]));
    const message = formatFitError(count, failure.reasons.join(", "), outcome.message);
    return unschedulable(pod, reasons, message, new Set([failure.plugin]), outcome);
  }

  #unschedulable(pod: PendingPod, cycle: Cycle): Unschedulable {
    const failures = new Map<number, Failure>();
    for (const [index, failure] of this.#failures.entries()) failures.set(this.#failedSlots[index] ?? 0, failure);
    const { count } = this.#snapshot.nodes;
    const reasons = new Map<string, number>();
    const plugins = new Set<FilterPlugin>();
    const countReason = (reason: string, nodes: number): void => void reasons.set(reason, (reasons.get(reason) ?? 0) + nodes);
    for (const { reasons: texts, plugin } of failures.values()) {
      for (const text of texts) countReason(text, 1);
      plugins.add(plugin);
    }
    if (cycle.named && failures.size < count) {
      countReason("node(s) didn't satisfy plugin(s) [NodeAffinity]", count - failures.size);
      plugins.add("NodeAffinity");
    }
    const outcome = preempt(this.#snapshot, cycle, pod, failures, this.#options.random);
    return unschedulable(pod, reasons, formatFitError(count, formatReasons(reasons), outcome.message), plugins, outcome);
  }
}

/** A hundredfold fraction, rounded down (`DefaultNormalizeScore`). */
function share(score: number, most: number): number {
  return Math.floor((maximumScore * score) / most);
}

function unschedulable(
  pod: PendingPod,
  reasons: ReadonlyMap<string, number>,
  message: string,
  plugins: ReadonlySet<FilterPlugin>,
  { preemption, nomination }: Pick<Unschedulable, "preemption" | "nomination"> = { preemption: undefined, nomination: { kind: "clear" } },
): Unschedulable {
  return { kind: "unschedulable", pod, reasons, message, plugins, preemption, nomination };
}
