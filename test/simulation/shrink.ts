import { type Cut, cut, cutsOf } from "./cuts.ts";
import type { Plan } from "./plan.ts";

/** Leaves out whatever the failure does not need, one thing after the other, until nothing more can go. */
export async function shrink(
  plan: Plan,
  fails: (smaller: Plan) => Promise<boolean>,
  mostTries = 300,
): Promise<{ plan: Plan; cuts: Cut[] }> {
  const cuts: Cut[] = [];
  let smallest = plan;
  let tries = 0;
  for (let progress = true; progress && tries < mostTries; ) {
    progress = false;
    for (const name of cutsOf(smallest)) {
      if (++tries > mostTries) break;
      const smaller = cut(smallest, name);
      if (!(await fails(smaller))) continue;
      smallest = smaller;
      cuts.push(name);
      progress = true;
    }
  }
  return { plan: smallest, cuts };
}
