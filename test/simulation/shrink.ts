import type { Cut } from "./cuts.ts";
import type { Violation } from "./history.ts";

/** A history that can be played, and made smaller. */
export interface Playable {
  readonly plan: object;
  /** Everything that can still be left out. */
  readonly cuts: () => Cut[];
  /** @throws when nothing is called so */
  readonly without: (name: Cut) => Playable;
  readonly play: () => Promise<Played>;
}

export interface Played {
  readonly violations: readonly Violation[];
  /** What happened, in order, for whoever replays it. */
  readonly tell: () => Iterable<string>;
  readonly happenings: number;
  readonly digest: string;
}

/** Leaves out whatever the failure does not need, one thing after the other, until nothing more can go. */
export async function shrink(
  playable: Playable,
  fails: (smaller: Playable) => Promise<boolean>,
  mostTries = 300,
): Promise<{ smallest: Playable; cuts: Cut[] }> {
  const cuts: Cut[] = [];
  let smallest = playable;
  let tries = 0;
  for (let progress = true; progress && tries < mostTries; ) {
    progress = false;
    for (const name of smallest.cuts()) {
      if (++tries > mostTries) break;
      if (!smallest.cuts().includes(name)) continue;
      const smaller = smallest.without(name);
      if (!(await fails(smaller))) continue;
      smallest = smaller;
      cuts.push(name);
      progress = true;
    }
  }
  return { smallest, cuts };
}
