import type { Call, Violation } from "../history.ts";
import type { Judged } from "./all.ts";

/**
 * `fillAfterMs` of the store (1 s), and what a reader's own way takes: a list goes over some thirty pages, a request now and then takes 240 ms, and 1.06 s
 * in all were seen once in 24,000 histories (seed 4024168). All dead writers are waited for at the same time.
 */
const boundMs = 2500;
/** A clock that is set back meanwhile makes the waiting begin anew. */
const stepMs = 1000;

const isReading = (call: Call): boolean =>
  call.kind === "read" || call.kind === "list" || (call.kind === "stretch" && call.way === "readLog" && !call.actor.startsWith("auditor"));

/** Where calls do not fail, nobody is kept waiting by others that died or were stopped in the middle of a commit. */
export function* checkWaits({ plan, calls }: Judged): Generator<Violation> {
  const { throttled, conflict, lost, unanswered, late } = plan.faults;
  if (throttled + conflict + lost + unanswered + late > 0 || plan.applyMs * (plan.slowShare > 0 ? 40 : 1) > 200) return;
  const longestMs = boundMs + stepMs * plan.clockSteps.length;
  for (const call of calls) {
    if (!isReading(call) || call.endMs === undefined || call.paused) continue;
    const tookMs = call.kind === "stretch" ? call.slowestMs : call.endMs - call.startMs;
    if (tookMs > longestMs)
      yield { rule: "nobody waits long for the dead", story: `${call.actor}: ${call.kind} took ${Math.round(tookMs)} ms` };
  }
}
