import type { Cut } from "../cuts.ts";
import { type CallFaults, noFaults } from "../dynamo/table-client.ts";
import { createRandom } from "../random.ts";

/** A cluster that is deleted while many write to it, and made again under its name. */
export interface DropPlan {
  readonly seed: number;
  readonly processes: number;
  readonly faults: CallFaults;
  readonly applyMs: number;
  readonly slowShare: number;
  readonly dropAtMs: number;
  /** So long after it began does the first process die that drops the cluster; another one finishes. */
  readonly diesAfterMs: number | undefined;
  readonly pauses: readonly { readonly process: number; readonly atMs: number; readonly forMs: number }[];
  readonly remade: boolean;
}

export function dropPlanOf(seed: number): DropPlan {
  const random = createRandom(seed, "drop-plan");
  const processes = 2 + random.below(3);
  const share = (): number => (random.chance(0.5) ? random.pick([0.02, 0.1, 0.2]) : 0);
  const dropAtMs = random.between(50, 600);
  return {
    ...{ seed, processes, dropAtMs, applyMs: random.pick([1, 5, 30]), slowShare: random.pick([0, 0.05]) },
    faults: { ...noFaults, throttled: share(), conflict: share(), lost: share(), unanswered: share(), late: share() },
    diesAfterMs: random.chance(0.5) ? random.between(1, 80) : undefined,
    pauses: Array.from({ length: random.below(3) }, () => ({
      process: random.below(processes),
      atMs: random.between(0, dropAtMs),
      forMs: random.pick([30, 900, 10_000, 240_000]),
    })),
    remade: random.chance(0.6),
  };
}

export const dropCutsOf = ({ faults, pauses, diesAfterMs, remade }: DropPlan): Cut[] => [
  ...Object.entries(faults).flatMap(([kind, share]) => (share > 0 ? [`fault:${kind}`] : [])),
  ...pauses.map((_, index) => `pause:${index}`),
  ...(diesAfterMs === undefined ? [] : ["death"]),
  ...(remade ? ["remade"] : []),
];

/** @throws when nothing is called so */
export function cutDrop(plan: DropPlan, name: Cut): DropPlan {
  const [kind, what = ""] = name.split(":");
  switch (kind) {
    case "fault":
      return { ...plan, faults: { ...noFaults, ...plan.faults, [what]: 0 } };
    case "pause":
      return { ...plan, pauses: plan.pauses.filter((_, index) => index !== Number(what)) };
    case "death":
      return { ...plan, diesAfterMs: undefined };
    case "remade":
      return { ...plan, remade: false };
    default:
      throw new RangeError(`nothing is called ${name}`);
  }
}
