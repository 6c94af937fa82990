import { type CallFaults, noFaults } from "./dynamo/table-client.ts";
import type { ClockError } from "./process.ts";
import { createRandom, type Random } from "./random.ts";

export type Role = "writer" | "reader" | "lister" | "watcher" | "accountant" | "compactor";

export interface ActorPlan {
  readonly name: string;
  readonly role: Role;
  /** Index of the process in which it lives. */
  readonly process: number;
  readonly steps: number;
}

/** Everything of a history that the seed decides before it begins. Smaller plans of the same seed are made by `cuts.ts`. */
export interface Plan {
  readonly seed: number;
  readonly host: "dynamo" | "lmdb";
  readonly keys: number;
  readonly thinkMs: number;
  /** Share of writes that are too large for one item. */
  readonly large: number;
  readonly actors: readonly ActorPlan[];
  readonly clocks: readonly ClockError[];
  readonly faults: CallFaults;
  /** Transactions: see `ServiceSpeed`. */
  readonly applyMs: number;
  readonly slowShare: number;
  /** Tries of a call before the store gives it up. */
  readonly attempts: number;
  readonly crashes: readonly { readonly process: number; readonly atMs: number; readonly downMs: number }[];
  /** Processes that die from then on as soon as the head has handed them revisions: places that nobody will write. */
  readonly deaths: readonly { readonly process: number; readonly atMs: number }[];
  readonly pauses: readonly { readonly process: number; readonly atMs: number; readonly forMs: number }[];
  /** Clocks that are set: what they show beside true time from then on. */
  readonly clockSteps: readonly { readonly process: number; readonly atMs: number; readonly offsetMs: number }[];
  /** Everything is off for hours, and TTL deletes some of what it may. */
  readonly night: { readonly atMs: number; readonly hours: number; readonly swept: number } | undefined;
  /** Whether the stream tells processes of what was written, late and more than once. */
  readonly stream: boolean;
  /** So many transactions find room on the disk. */
  readonly diskTransactions: number | undefined;
}

/** From true time: any two clocks differ by 30 s at most, which is what the store is made for (`overlapMs` of its lists). */
export const farthestMs = 15_000;

const faultKinds: readonly (keyof CallFaults)[] = ["throttled", "conflict", "lost", "unanswered", "late"];

export function planOf(seed: number): Plan {
  const random = createRandom(seed, "plan");
  const host = random.chance(0.2) ? "lmdb" : "dynamo";
  const processes = host === "lmdb" ? 1 : 1 + random.below(4);
  const lengthMs = random.pick([800, 2000, 5000]);
  const times = <T>(most: number, make: () => T): T[] => Array.from({ length: random.below(most + 1) }, make);
  const someProcess = (): number => random.below(processes);
  const quiet = random.chance(0.35);
  const massacre = processes > 2 && random.chance(0.25);
  /** Everybody at one object that is large every time. */
  const hot = host === "dynamo" && !massacre && random.chance(0.1);
  const faults: Record<keyof CallFaults, number> = { ...noFaults };
  if (!quiet && !massacre) for (const kind of faultKinds) if (random.chance(0.4)) faults[kind] = random.pick([0.01, 0.05, 0.1, 0.2]);
  return {
    seed,
    host,
    keys: hot ? 1 : random.pick([1, 2, 4, 12]),
    thinkMs: massacre || hot ? 5 : random.pick([5, 40, 150]),
    large: hot ? 1 : massacre ? 0 : random.pick([0, 0, 0.03, 0.3]),
    actors: actorsOf(random, processes, massacre, hot),
    clocks: Array.from({ length: processes }, () => clockOf(random)),
    faults,
    applyMs: massacre ? 1 : random.pick([1, 5, 30]),
    slowShare: massacre ? 0 : random.pick([0, 0.02, 0.1]),
    attempts: random.pick([2, 8, 8]),
    crashes:
      random.chance(0.6) && !massacre
        ? times(4, () => ({ process: someProcess(), atMs: random.between(0, lengthMs), downMs: random.pick([20, 500, 5000, 60_000]) }))
        : [],
    deaths: massacre ? deathsOfAllBut(random, processes) : [],
    pauses: random.chance(0.4)
      ? times(3, () => ({
          process: someProcess(),
          atMs: random.between(0, lengthMs),
          forMs: random.pick([30, 900, 1500, 10_000, 240_000]),
        }))
      : [],
    clockSteps: random.chance(0.2)
      ? times(2, () => ({ process: someProcess(), atMs: random.between(0, lengthMs), offsetMs: random.between(-farthestMs, farthestMs) }))
      : [],
    night: random.chance(0.2)
      ? { atMs: random.between(100, lengthMs), hours: random.pick([1, 3, 23, 26, 26, 50]), swept: random.pick([0, 0.3, 1, 1]) }
      : undefined,
    stream: random.chance(0.5),
    diskTransactions: host === "lmdb" && random.chance(0.1) ? 3 + random.below(30) : undefined,
  };
}

/** All but the first process die within a moment, as functions do that run into the same time-out, or one after another. */
function deathsOfAllBut(random: Random, processes: number): Plan["deaths"] {
  const atMs = random.between(20, 300);
  const withinMs = random.pick([80, 700]);
  return Array.from({ length: processes - 1 }, (_, index) => ({ process: index + 1, atMs: atMs + random.between(0, withinMs) }));
}

/** Writers that nobody kills. */
const survivors = 3;

function actorsOf(random: Random, processes: number, massacre: boolean, hot: boolean): ActorPlan[] {
  const counts: readonly (readonly [Role, number])[] = [
    ["writer", massacre ? 10 : 1 + random.below(4)],
    ["reader", hot ? 6 : random.below(3)],
    ["lister", massacre ? 4 : random.below(2)],
    ["watcher", random.below(3)],
    ["accountant", random.below(3)],
    ["compactor", random.chance(0.2) ? 1 : 0],
  ];
  return counts.flatMap(([role, count]) =>
    Array.from({ length: count }, (_, index) => ({
      name: `${role}${index}`,
      role,
      process: massacre && (role === "lister" || index < survivors) ? 0 : random.below(processes),
      steps: hot || (massacre && index < survivors) ? 40 : 3 + random.below(10),
    })),
  );
}

function clockOf(random: Random): ClockError {
  const offsetMs = random.pick([0, 0, random.between(-300, 300), random.between(-farthestMs, farthestMs)]);
  return { offsetMs, drift: random.pick([0, 0, random.between(-0.001, 0.001)]) };
}
