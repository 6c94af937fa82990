import { clusterCutsOf, cutCluster } from "./cluster/cluster-cuts.ts";
import { type ClusterPlan, clusterPlanOf } from "./cluster/cluster-plan.ts";
import { runCluster } from "./cluster/run-cluster.ts";
import { cut, cutsOf } from "./cuts.ts";
import { cutDrop, type DropPlan, dropCutsOf, dropPlanOf } from "./drop/drop-plan.ts";
import { runDrop } from "./drop/run-drop.ts";
import { cutFunctions, functionsCutsOf } from "./functions/functions-cuts.ts";
import { type FunctionsPlan, functionsPlanOf } from "./functions/functions-plan.ts";
import { runFunctions } from "./functions/run-functions.ts";
import type { Call } from "./history.ts";
import { type Plan, planOf } from "./plan.ts";
import { runHistory } from "./run-history.ts";
import type { Playable } from "./shrink.ts";

/** Every so many seeds a whole cluster plays; they take some thirty times as long as histories of the store. */
const clusterEvery = 20;

/** Every so many the whole serverless host, and a cluster that is dropped. */
const othersEvery = 40;

export function playableOf(seed: number): Playable {
  if (seed % othersEvery === 10) return ofFunctions(functionsPlanOf(seed));
  if (seed % othersEvery === 30) return ofDrop(dropPlanOf(seed));
  return seed % clusterEvery === 0 ? ofCluster(clusterPlanOf(seed)) : ofStore(planOf(seed));
}

const ofStore = (plan: Plan): Playable => ({
  plan,
  cuts: () => cutsOf(plan),
  without: (name) => ofStore(cut(plan, name)),
  async play() {
    const { calls, ...outcome } = await runHistory(plan);
    return { ...outcome, tell: () => calls.map((call) => lineOf(call, calls[0]?.startMs ?? 0)) };
  },
});

const ofCluster = (plan: ClusterPlan): Playable => ({
  plan,
  cuts: () => clusterCutsOf(plan),
  without: (name) => ofCluster(cutCluster(plan, name)),
  async play() {
    const { changes, ...outcome } = await runCluster(plan);
    return { ...outcome, tell: () => changes.map((change) => JSON.stringify(change)) };
  },
});

const ofFunctions = (plan: FunctionsPlan): Playable => ({
  plan,
  cuts: () => functionsCutsOf(plan),
  without: (name) => ofFunctions(cutFunctions(plan, name)),
  play: () => runFunctions(plan),
});

const ofDrop = (plan: DropPlan): Playable => ({
  plan,
  cuts: () => dropCutsOf(plan),
  without: (name) => ofDrop(cutDrop(plan, name)),
  play: () => runDrop(plan),
});

function lineOf({ startMs, endMs, actor, paused, ...call }: Call, firstMs: number): string {
  const since = (atMs: number): string => (atMs - firstMs).toFixed(1);
  return `${since(startMs)} – ${endMs === undefined ? "…" : since(endMs)}${paused ? " (paused)" : ""} ${actor} ${JSON.stringify(call)}`;
}
