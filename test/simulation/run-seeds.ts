import type { Cut } from "./cuts.ts";
import type { Violation } from "./history.ts";
import { playableOf } from "./playable.ts";
import { type Playable, shrink } from "./shrink.ts";

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
    const { violations, happenings } = await playableOf(seed).play();
    const failure = violations.length > 0 ? await failureOf(seed, violations, shrinks) : undefined;
    yield { histories: 1, happenings, failure };
    if (failure) return;
  }
}

async function failureOf(seed: number, violations: readonly Violation[], shrinks: boolean): Promise<Failure> {
  if (!shrinks) return { seed, violations, cuts: [] };
  const rules = new Set(violations.map(({ rule }) => rule));
  const fails = async (smaller: Playable): Promise<boolean> => (await smaller.play()).violations.some(({ rule }) => rules.has(rule));
  const { smallest, cuts } = await shrink(playableOf(seed), fails);
  return { seed, violations: (await smallest.play()).violations, cuts };
}

/** One history, told from beginning to end. */
export async function replay(seed: number, cuts: readonly Cut[], write: (line: string) => void): Promise<boolean> {
  const playable = cuts.reduce((rest, name) => rest.without(name), playableOf(seed));
  write(JSON.stringify(playable.plan, undefined, 2));
  const { violations, happenings, digest, tell } = await playable.play();
  for (const line of tell()) write(line);
  write(`${happenings} happenings, digest ${digest}`);
  for (const { rule, story } of violations) write(`✗ ${rule}: ${story}`);
  return violations.length === 0;
}
