import type { Call, Violation } from "../history.ts";
import type { Plan } from "../plan.ts";
import type { Truth } from "../truth.ts";
import { checkBooks } from "./books.ts";
import { checkKeys } from "./keys.ts";
import { checkLists } from "./lists.ts";
import { checkLog } from "./log.ts";
import { checkRevisions } from "./revisions.ts";
import { checkWaits } from "./waits.ts";
import { checkWrites } from "./writes.ts";

export interface Judged {
  readonly plan: Plan;
  readonly calls: readonly Call[];
  readonly truth: Truth;
}

/** Every rule over what clients saw. */
export function checkAll(plan: Plan, calls: readonly Call[], truth: Truth): Violation[] {
  const judged: Judged = { plan, calls, truth };
  return [
    ...truth.faults.map((story) => ({ rule: "a place of the log is written once", story })),
    ...checkWrites(judged),
    ...checkRevisions(judged),
    ...checkKeys(judged),
    ...checkLists(judged),
    ...checkLog(judged),
    ...checkWaits(judged),
    ...checkBooks(judged),
  ];
}
