import { matchesLabels, requirementsOf } from "../kubernetes/label-selector.ts";
import type { Cycle } from "./cycle.ts";
import { type Failure, formatFitError, formatReasons } from "./failure.ts";
import type { Nomination, Preemption } from "./plan.ts";
import type { PendingPod, PodInfo } from "./pod-info.ts";
import type { ClusterSnapshot } from "./snapshot.ts";
import { checkWithNominated } from "./trial.ts";

export interface PreemptionOutcome {
  readonly preemption: Preemption | undefined;
  readonly nomination: Nomination;
  /** For the end of the pod's message; empty when room will be made. */
  readonly message: string;
}

/** DefaultPreemptionArgs: how many nodes are tried, as a share and at the least. */
const candidatePercentage = 10;
const leastCandidates = 100;

const noVictims = { kind: "refused", reasons: ["No preemption victims found for incoming pod"] } as const;

interface Candidate {
  readonly slot: number;
  readonly victims: readonly PodInfo[];
  readonly violations: number;
}

/**
 * DefaultPreemption: looks for a node where removing less important pods makes room, and for the one where that does the least harm.
 * `failures` tells why each node was refused; nodes that are absent were never in question.
 */
export function preempt(
  snapshot: ClusterSnapshot,
  cycle: Cycle,
  pod: PendingPod,
  failures: ReadonlyMap<number, Failure>,
  random: () => number,
): PreemptionOutcome {
  const refusal = ineligible(snapshot, pod, failures);
  if (refusal !== undefined) return { preemption: undefined, nomination: { kind: "keep" }, message: `preemption: ${refusal}` };
  const potential = [...failures].filter(([, { isResolvable }]) => isResolvable).map(([slot]) => slot);
  const wanted = Math.min(potential.length, Math.max(leastCandidates, Math.floor((potential.length * candidatePercentage) / 100)));
  const offset = Math.floor(random() * potential.length);
  const candidates: Candidate[] = [];
  const reasons = new Map<string, number>();
  let isAnyHarmless = false;
  for (let i = 0; i < potential.length; i++) {
    const slot = potential[(offset + i) % potential.length] ?? 0;
    const outcome = selectVictims(snapshot, cycle, pod, slot);
    if (outcome.kind === "refused") {
      for (const reason of outcome.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      continue;
    }
    candidates.push(outcome);
    isAnyHarmless ||= outcome.violations === 0;
    if (isAnyHarmless && candidates.length >= wanted) break;
  }
  const best = pickNode(candidates);
  if (best === undefined) {
    const untouched = snapshot.nodes.count - potential.length;
    if (untouched > 0) reasons.set("Preemption is not helpful for scheduling", untouched);
    const message = `preemption: ${formatFitError(snapshot.nodes.count, formatReasons(reasons), "")}`;
    return { preemption: undefined, nomination: { kind: "clear" }, message };
  }
  const nodeName = snapshot.nodes.name(best.slot);
  const displaced = [...snapshot.nominatedTo(best.slot).values()].filter(({ priority }) => priority < pod.priority);
  return { preemption: { nodeName, victims: best.victims, displaced }, nomination: { kind: "set", nodeName }, message: "" };
}

/** `PodEligibleToPreemptOthers`. */
function ineligible(snapshot: ClusterSnapshot, pod: PendingPod, failures: ReadonlyMap<number, Failure>): string | undefined {
  if (pod.pod.spec?.preemptionPolicy === "Never") return "not eligible due to preemptionPolicy=Never.";
  const slot = snapshot.nodes.slot(snapshot.nominationOf(pod.uid));
  if (slot === undefined || failures.get(slot)?.isResolvable === false) return undefined;
  for (const other of snapshot.podsOn(slot).values()) {
    if (other.priority < pod.priority && isBeingPreempted(other)) return "not eligible due to a terminating pod on the nominated node.";
  }
  return undefined;
}

function isBeingPreempted({ isTerminating, pod }: PodInfo): boolean {
  if (!isTerminating) return false;
  const target = pod.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  return target?.status === "True" && target.reason === "PreemptionByScheduler";
}

/** The least important pods that have to go: all less important ones are taken away for a trial, then put back as far as the pod still fits. */
function selectVictims(
  snapshot: ClusterSnapshot,
  cycle: Cycle,
  pod: PendingPod,
  slot: number,
): ({ readonly kind: "possible" } & Candidate) | { readonly kind: "refused"; readonly reasons: readonly string[] } {
  if (!snapshot.hasLesserPods(pod.priority)) return noVictims;
  const lesser = [...snapshot.podsOn(slot).values()].filter(({ priority }) => priority < pod.priority).sort(byImportance);
  if (lesser.length === 0) return noVictims;
  for (const other of lesser) snapshot.change(other, slot, -1);
  const failure = checkWithNominated(snapshot, cycle, pod, slot);
  if (failure !== undefined) {
    for (const other of lesser) snapshot.change(other, slot, 1);
    return { kind: "refused", reasons: failure.reasons };
  }
  const protectedPods = budgetViolations(snapshot, lesser);
  const victims: PodInfo[] = [];
  let violations = 0;
  for (const isProtected of [true, false]) {
    for (const other of lesser) {
      if (protectedPods.has(other) !== isProtected) continue;
      snapshot.change(other, slot, 1);
      if (checkWithNominated(snapshot, cycle, pod, slot) === undefined) continue;
      snapshot.change(other, slot, -1);
      victims.push(other);
      if (isProtected) violations++;
    }
  }
  for (const victim of victims) snapshot.change(victim, slot, 1);
  return { kind: "possible", slot, victims: victims.sort(byImportance), violations };
}

/** The pods whose removal, in this order, some disruption budget does not allow. */
function budgetViolations(snapshot: ClusterSnapshot, pods: readonly PodInfo[]): ReadonlySet<PodInfo> {
  const violating = new Set<PodInfo>();
  for (const { metadata, spec, status } of snapshot.budgets()) {
    const requirements = spec?.selector && requirementsOf(spec.selector);
    if (requirements === undefined || requirements.length === 0) continue;
    let allowed = status?.disruptionsAllowed ?? 0;
    for (const pod of pods) {
      if (pod.namespace !== metadata.namespace || Object.keys(pod.labels).length === 0) continue;
      if (!matchesLabels(requirements, pod.labels) || status?.disruptedPods?.[pod.name] !== undefined) continue;
      if (--allowed < 0) violating.add(pod);
    }
  }
  return violating;
}

/** The six criteria of `pickOneNodeForPreemption`; the first of those that are alike wins. */
function pickNode(candidates: readonly Candidate[]): Candidate | undefined {
  const criteria: ((candidate: Candidate) => number)[] = [
    ({ violations }) => violations,
    ({ victims }) => victims[0]?.priority ?? 0,
    ({ victims }) => victims.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
    ({ victims }) => victims.length,
    ({ victims }) => -earliestStart(victims),
  ];
  let left = candidates;
  for (const criterion of criteria) {
    if (left.length <= 1) break;
    const harms = left.map(criterion);
    const least = harms.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    left = left.filter((_, index) => harms[index] === least);
  }
  return left[0];
}

/** Of the most important victims. */
function earliestStart(victims: readonly PodInfo[]): number {
  const highest = victims[0]?.priority;
  return victims
    .filter(({ priority }) => priority === highest)
    .reduce((earliest, victim) => Math.min(earliest, startOf(victim)), notStarted);
}

/** A pod that has not started counts as started now, which is after every other. */
const notStarted = Number.MAX_SAFE_INTEGER;

function startOf({ pod }: PodInfo): number {
  const start = Date.parse(pod.status?.startTime ?? "");
  return Number.isNaN(start) ? notStarted : start;
}

/** `MoreImportantPod`: higher priority first, then the longer running; ties by uid, so that the outcome is the same every time. */
function byImportance(a: PodInfo, b: PodInfo): number {
  return b.priority - a.priority || startOf(a) - startOf(b) || (a.uid < b.uid ? -1 : 1);
}
