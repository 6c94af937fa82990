import type { Cut } from "../cuts.ts";
import { noFaults } from "../dynamo/table-client.ts";
import type { FunctionsPlan } from "./functions-plan.ts";

/** Everything that can still be left out of a history of the functions. */
export function functionsCutsOf({ steps, watchers, faults, stream, slowShare, ...plan }: FunctionsPlan): Cut[] {
  const of = (kind: string, shares: object): Cut[] =>
    Object.entries(shares).flatMap(([name, share]) => (share > 0 ? [`${kind}:${name}`] : []));
  return [
    ...(steps > 1 ? ["steps"] : []),
    ...(watchers > 0 ? ["watchers"] : []),
    ...plan.agentCrashes.map((_, index) => `agent-crash:${index}`),
    ...plan.agentPauses.map((_, index) => `agent-pause:${index}`),
    ...of("fault", faults),
    ...of("stream", stream),
    ...(plan.lostCalls > 0 ? ["lost-calls"] : []),
    ...(plan.cutShort > 0 ? ["cut-short"] : []),
    ...(plan.clocksMs.some((ms) => ms !== 0) ? ["clocks"] : []),
    ...(slowShare > 0 ? ["slow"] : []),
  ];
}

/** @throws when nothing is called so */
export function cutFunctions(plan: FunctionsPlan, name: Cut): FunctionsPlan {
  const [kind, what = ""] = name.split(":");
  const others = <T>(all: readonly T[]): T[] => all.filter((_, index) => index !== Number(what));
  switch (kind) {
    case "steps":
      return { ...plan, steps: plan.steps - 1 };
    case "watchers":
      return { ...plan, watchers: plan.watchers - 1 };
    case "agent-crash":
      return { ...plan, agentCrashes: others(plan.agentCrashes) };
    case "agent-pause":
      return { ...plan, agentPauses: others(plan.agentPauses) };
    case "fault":
      return { ...plan, faults: { ...noFaults, ...plan.faults, [what]: 0 } };
    case "stream":
      return { ...plan, stream: { ...plan.stream, [what]: 0 } };
    case "lost-calls":
      return { ...plan, lostCalls: 0 };
    case "cut-short":
      return { ...plan, cutShort: 0 };
    case "clocks":
      return { ...plan, clocksMs: [0] };
    case "slow":
      return { ...plan, slowShare: 0 };
    default:
      throw new RangeError(`nothing is called ${name}`);
  }
}
