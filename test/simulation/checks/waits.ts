import type { Violation } from "../history.ts";
import type { Judged } from "./all.ts";

/** `fillAfterMs` of the store twice (what lies beyond a page or a partition of the log is met later), and what a reader's own way takes. */
const boundMs = 2 * 1000 + 700;

/** Where calls do not fail, nobody is kept waiting by others that died or were stopped in the middle of a commit. */
export function* checkWaits({ plan, calls }: Judged): Generator<Violation> {
  const { throttled, conflict, lost, unanswered, late } = plan.faults;
  if (throttled + conflict + lost + unanswered + late > 0 || plan.applyMs * (plan.slowShare > 0 ? 40 : 1) > 200) return;
  if (plan.clockSteps.length > 0) return;
  for (const call of calls) {
    if (call.kind !== "read" && call.kind !== "list") continue;
    if (call.endMs === undefined || call.paused) continue;
    const tookMs = call.endMs - call.startMs;
    if (tookMs > boundMs)
      yield { rule: "nobody waits long for the dead", story: `${call.actor}: ${call.kind} took ${Math.round(tookMs)} ms` };
  }
}
