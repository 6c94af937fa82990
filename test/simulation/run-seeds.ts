import { type Cut, cut } from "./cuts.ts";
import type { Violation } from "./history.ts";
import { planOf } from "./plan.ts";
import { runHistory } from "./run-history.ts";
import { shrink } from "./shrink.ts";

export interface Failure {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly cuts: readonly Cut[];
}

export interface Progress {
  readonly histories: number;
  readonly happenings: number;
  readonly failure: Failure | undefined;
}

/** Plays the histories of some seeds until one fails, which it makes as small as it can. */
export async function* runSeeds(seeds: Iterable<number>, shrinks: boolean): AsyncGenerator<Progress> {
  for (const seed of seeds) {
    const { violations, happenings } = await runHistory(planOf(seed));
    const failure = violations.length > 0 ? await failureOf(seed, violations, shrinks) : undefined;
    yield { histories: 1, happenings, failure };
    if (failure) return;
  }
}

async function failureOf(seed: number, violations: readonly Violation[], shrinks: boolean): Promise<Failure> {
  if (!shrinks) return { seed, violations, cuts: [] };
  const rules = new Set(violations.map(({ rule }) => rule));
  const fails = async (plan: Parameters<typeof runHistory>[0]): Promise<boolean> =>
    (await runHistory(plan)).violations.some(({ rule }) => rules.has(rule));
  const { plan, cuts } = await shrink(planOf(seed), fails);
  return { seed, violations: (await runHistory(plan)).violations, cuts };
}

/** One history, told from beginning to end. */
export async function replay(seed: number, cuts: readonly Cut[], write: (line: string) => void): Promise<boolean> {
  const plan = cuts.reduce(cut, planOf(seed));
  const { calls, violations, happenings, digest } = await runHistory(plan);
  write(JSON.stringify(plan, undefined, 2));
  const [firstCall] = calls;
  for (const { startMs, endMs, actor, paused, ...call } of calls) {
    const since = (atMs: number): string => (atMs - (firstCall?.startMs ?? 0)).toFixed(1);
    write(`${since(startMs)} – ${endMs === undefined ? "…" : since(endMs)}${paused ? " (paused)" : ""} ${actor} ${JSON.stringify(call)}`);
  }
  write(`${calls.length} calls, ${happenings} happenings, digest ${digest}`);
  for (const { rule, story } of violations) write(`✗ ${rule}: ${story}`);
  return violations.length === 0;
}
