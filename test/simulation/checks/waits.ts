import type { Call, Violation } from "../history.ts";
import type { Judged } from "./all.ts";

/** `fillAfterMs` of the store twice (what lies beyond a page or a partition of the log is met later), and what a reader's own way takes. */
const boundMs = 2 * 1000 + 700;
/** Who reads the log here reads up to four pages of few entries, and sees no further than their ends: up to eight writers may have died one page after the other. */
const pagesBoundMs = 12_000;

function longestOf(call: Call): number | undefined {
  if (call.kind === "read" || call.kind === "list") return boundMs;
  return call.kind === "stretch" && call.way === "readLog" && !call.actor.startsWith("auditor") ? pagesBoundMs : undefined;
}

/** Where calls do not fail, nobody is kept waiting by others that died or were stopped in the middle of a commit. */
export function* checkWaits({ plan, calls }: Judged): Generator<Violation> {
  const { throttled, conflict, lost, unanswered, late } = plan.faults;
  if (throttled + conflict + lost + unanswered + late > 0 || plan.applyMs * (plan.slowShare > 0 ? 40 : 1) > 200) return;
  if (plan.clockSteps.length > 0) return;
  // Places of those that died lie on up to three pages of the log.
  const deathsMs = plan.deaths.length > 0 ? 1000 : 0;
  for (const call of calls) {
    const boundOfCall = longestOf(call);
    if (boundOfCall === undefined || call.endMs === undefined || call.paused) continue;
    const tookMs = call.endMs - call.startMs;
    if (tookMs > boundOfCall + deathsMs)
      yield { rule: "nobody waits long for the dead", story: `${call.actor}: ${call.kind} took ${Math.round(tookMs)} ms` };
  }
}
