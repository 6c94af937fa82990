import { type CallFaults, noFaults } from "../dynamo/table-client.ts";
import { farthestMs } from "../plan.ts";
import type { ClockError } from "../process.ts";
import { createRandom } from "../random.ts";

/** A history of a whole cluster: servers, functions that turn its loops, machines, and somebody who wants pods. */
export interface ClusterPlan {
  readonly seed: number;
  readonly servers: number;
  readonly machines: number;
  /** Pods that find room on a machine. */
  readonly room: number;
  /** More pods than find room are wanted most of the time. */
  readonly crowded: boolean;
  /** Schedulers beside the cluster's own: they bind what looked unbound a while ago, to any machine. */
  readonly rivals: number;
  /** How likely it is that a pod that runs has ended whenever its agent looks. */
  readonly ending: number;
  readonly steps: number;
  readonly faults: CallFaults;
  readonly applyMs: number;
  readonly slowShare: number;
  readonly attempts: number;
  readonly stream: boolean;
  readonly clocks: readonly ClockError[];
  readonly crashes: readonly { readonly server: number; readonly atMs: number; readonly downMs: number }[];
  readonly pauses: readonly { readonly server: number; readonly atMs: number; readonly forMs: number }[];
  /** A holder of the loops' lease that is frozen when it is about to send its so-manieth commit, past its lease. */
  readonly freezes: readonly { readonly server: number; readonly commit: number; readonly forMs: number }[];
  /** Machines that lose touch: their agents come back and go on with what they ran. */
  readonly agentStops: readonly { readonly machine: number; readonly atMs: number; readonly downMs: number }[];
}

const lengthMs = 8000;

export function clusterPlanOf(seed: number): ClusterPlan {
  const random = createRandom(seed, "cluster-plan");
  const servers = 2 + random.below(2);
  const machines = random.pick([1, 2, 3, 3]);
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: random.below(most + 1) }, make);
  const share = (): number => (random.chance(0.3) ? random.pick([0.01, 0.05]) : 0);
  return {
    seed,
    servers,
    machines,
    room: 1 + random.below(4),
    crowded: random.chance(0.5),
    rivals: random.chance(0.5) ? 1 + random.below(2) : 0,
    ending: random.pick([0.02, 0.2]),
    steps: 4 + random.below(8),
    faults: { ...noFaults, throttled: share(), lost: share(), unanswered: share(), late: share(), slow: random.pick([0, 0.3, 0.6]) },
    applyMs: random.pick([1, 5, 30]),
    slowShare: random.pick([0, 0.05]),
    attempts: 8,
    stream: random.chance(0.7),
    clocks: Array.from({ length: servers }, () => ({
      offsetMs: random.pick([random.between(-1500, 1500), random.between(-farthestMs, farthestMs)]),
      drift: 0,
    })),
    crashes: some(2, () => ({ server: random.below(servers), atMs: random.between(0, lengthMs), downMs: random.pick([50, 2000]) })),
    pauses: some(3, () => ({
      server: random.below(servers),
      atMs: random.between(0, lengthMs),
      forMs: random.pick([800, 31_000, 40_000]),
    })),
    freezes: random.chance(0.5)
      ? some(3, () => ({ server: random.below(servers), commit: 1 + random.below(25), forMs: random.pick([31_500, 36_000]) }))
      : [],
    agentStops: some(2, () => ({ machine: random.below(machines), atMs: random.between(0, lengthMs), downMs: random.pick([500, 5000]) })),
  };
}
