import { type CallFaults, noFaults } from "../dynamo/table-client.ts";
import { farthestMs } from "../plan.ts";
import { createRandom } from "../random.ts";

/** A history of the whole serverless host: its functions over one table, the table's stream, agents on machines, clients and their watches. */
export interface FunctionsPlan {
  readonly seed: number;
  readonly machines: number;
  /** Pods that find room on a machine. */
  readonly room: number;
  readonly steps: number;
  readonly watchers: number;
  readonly faults: CallFaults;
  readonly applyMs: number;
  readonly slowShare: number;
  /** Shares of batches of the stream. */
  readonly stream: { readonly late: number; readonly repeated: number; readonly poisoned: number };
  /** Share of HTTP requests whose way there or back fails. */
  readonly lostCalls: number;
  /** Share of invocations that end as at their time limit, in the middle of whatever they do. */
  readonly cutShort: number;
  readonly clocksMs: readonly number[];
  readonly agentCrashes: readonly { readonly machine: number; readonly atMs: number; readonly downMs: number }[];
  readonly agentPauses: readonly { readonly machine: number; readonly atMs: number; readonly forMs: number }[];
}

const lengthMs = 12_000;

export function functionsPlanOf(seed: number): FunctionsPlan {
  const random = createRandom(seed, "functions-plan");
  const machines = 1 + random.below(2);
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: random.below(most + 1) }, make);
  const share = (): number => (random.chance(0.4) ? random.pick([0.02, 0.1]) : 0);
  const someMachine = (): { readonly machine: number; readonly atMs: number } => ({
    machine: random.below(machines),
    atMs: random.between(0, lengthMs),
  });
  return {
    ...{ seed, machines, room: 2 + random.below(3), steps: 3 + random.below(5), watchers: 1 },
    faults: { ...noFaults, throttled: share(), lost: share(), unanswered: share(), slow: random.pick([0, 0.3, 0.6]) },
    ...{ applyMs: random.pick([1, 5, 30]), slowShare: random.pick([0, 0.05]) },
    stream: { late: share() * 3, repeated: share() * 3, poisoned: share() * 6 },
    ...{ lostCalls: share() * 2, cutShort: share() },
    clocksMs: Array.from({ length: 8 }, () => random.pick([0, random.between(-farthestMs, farthestMs)])),
    agentCrashes: some(2, () => ({ ...someMachine(), downMs: random.pick([300, 8000]) })),
    agentPauses: some(1, () => ({ ...someMachine(), forMs: random.pick([1000, 120_000]) })),
  };
}
