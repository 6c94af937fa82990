import { noFaults } from "./dynamo/table-client.ts";
import type { Plan } from "./plan.ts";

/** Names of what was left out of a plan: `actor:NAME`, `steps:NAME`, `crash:I`, `death:I`, `pause:I`, `clock-step:I`, `night`, `clocks`, `stream`, `slow`, `fault:KIND`, `disk`. */
export type Cut = string;

/** Everything that can still be left out. */
export function cutsOf(plan: Plan): Cut[] {
  const { actors, crashes, deaths, pauses, clockSteps, clocks, faults, night, stream, slowShare, diskTransactions } = plan;
  return [
    ...actors.map(({ name }) => `actor:${name}`),
    ...crashes.map(({ atMs }) => `crash:${Math.floor(atMs)}`),
    ...deaths.map(({ atMs }) => `death:${Math.floor(atMs)}`),
    ...pauses.map(({ atMs }) => `pause:${Math.floor(atMs)}`),
    ...clockSteps.map(({ atMs }) => `clock-step:${Math.floor(atMs)}`),
    ...Object.entries(faults).flatMap(([kind, share]) => (share > 0 ? [`fault:${kind}`] : [])),
    ...(night ? ["night"] : []),
    ...(stream ? ["stream"] : []),
    ...(slowShare > 0 ? ["slow"] : []),
    ...(diskTransactions === undefined ? [] : ["disk"]),
    ...(clocks.some(({ offsetMs, drift }) => offsetMs !== 0 || drift !== 0) ? ["clocks"] : []),
    ...actors.flatMap(({ name, steps }) => (steps > 1 ? [`steps:${name}`] : [])),
  ];
}

/** The same history with less in it. @throws when nothing is called so */
export function cut(plan: Plan, name: Cut): Plan {
  const [kind, what = ""] = name.split(":");
  const others = <T extends { readonly atMs: number }>(all: readonly T[]): T[] =>
    all.filter(({ atMs }) => Math.floor(atMs) !== Number(what));
  switch (kind) {
    case "actor":
      return { ...plan, actors: plan.actors.filter((actor) => actor.name !== what) };
    case "steps":
      return {
        ...plan,
        actors: plan.actors.map((actor) => (actor.name === what ? { ...actor, steps: Math.floor(actor.steps / 2) } : actor)),
      };
    case "crash":
      return { ...plan, crashes: others(plan.crashes) };
    case "death":
      return { ...plan, deaths: others(plan.deaths) };
    case "pause":
      return { ...plan, pauses: others(plan.pauses) };
    case "clock-step":
      return { ...plan, clockSteps: others(plan.clockSteps) };
    case "fault":
      return { ...plan, faults: { ...noFaults, ...plan.faults, [what]: 0 } };
    case "night":
      return { ...plan, night: undefined };
    case "stream":
      return { ...plan, stream: false };
    case "slow":
      return { ...plan, slowShare: 0 };
    case "disk":
      return { ...plan, diskTransactions: undefined };
    case "clocks":
      return { ...plan, clocks: plan.clocks.map(() => ({ offsetMs: 0, drift: 0 })) };
    default:
      throw new RangeError(`nothing is called ${name}`);
  }
}
