import type { Cut } from "../cuts.ts";
import { noFaults } from "../dynamo/table-client.ts";
import type { ClusterPlan } from "./cluster-plan.ts";

/** Everything that can still be left out of a cluster's history. */
export function clusterCutsOf({
  steps,
  crashes,
  pauses,
  agentStops,
  faults,
  clocks,
  stream,
  slowShare,
  rivals,
  crowded,
  freezes,
}: ClusterPlan): Cut[] {
  return [
    ...(steps > 1 ? ["steps"] : []),
    ...crashes.map(({ atMs }) => `crash:${Math.floor(atMs)}`),
    ...pauses.map(({ atMs }) => `pause:${Math.floor(atMs)}`),
    ...agentStops.map(({ atMs }) => `agent-stop:${Math.floor(atMs)}`),
    ...Object.entries(faults).flatMap(([kind, share]) => (share > 0 ? [`fault:${kind}`] : [])),
    ...(clocks.some(({ offsetMs }) => offsetMs !== 0) ? ["clocks"] : []),
    ...(stream ? ["stream"] : []),
    ...freezes.map((_, index) => `freeze:${index}`),
    ...(rivals > 0 ? ["rivals"] : []),
    ...(crowded ? ["crowd"] : []),
    ...(slowShare > 0 ? ["slow"] : []),
  ];
}

/** @throws when nothing is called so */
export function cutCluster(plan: ClusterPlan, name: Cut): ClusterPlan {
  const [kind, what = ""] = name.split(":");
  const others = <T extends { readonly atMs: number }>(all: readonly T[]): T[] =>
    all.filter(({ atMs }) => Math.floor(atMs) !== Number(what));
  switch (kind) {
    case "steps":
      return { ...plan, steps: plan.steps - 1 };
    case "crash":
      return { ...plan, crashes: others(plan.crashes) };
    case "pause":
      return { ...plan, pauses: others(plan.pauses) };
    case "agent-stop":
      return { ...plan, agentStops: others(plan.agentStops) };
    case "fault":
      return { ...plan, faults: { ...noFaults, ...plan.faults, [what]: 0 } };
    case "clocks":
      return { ...plan, clocks: plan.clocks.map(() => ({ offsetMs: 0, drift: 0 })) };
    case "stream":
      return { ...plan, stream: false };
    case "freeze":
      return { ...plan, freezes: plan.freezes.filter((_, index) => index !== Number(what)) };
    case "rivals":
      return { ...plan, rivals: plan.rivals - 1 };
    case "crowd":
      return { ...plan, crowded: false };
    case "slow":
      return { ...plan, slowShare: 0 };
    default:
      throw new RangeError(`nothing is called ${name}`);
  }
}
