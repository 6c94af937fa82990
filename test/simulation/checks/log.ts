import type { Violation } from "../history.ts";
import type { Judged } from "./all.ts";

/** Whoever reads or follows the log from a revision gets every entry above it up to where he is told to be: in order, once, as it was written. */
export function* checkLog({ calls, truth }: Judged): Generator<Violation> {
  for (const call of calls) {
    if (call.kind !== "stretch") continue;
    const name = `${call.actor} ${call.way} (${call.after}, ${call.through}]`;
    let last = call.after;
    for (const { revision, path, value, type } of call.entries) {
      if (revision <= last) yield { rule: "a watch is in order and without repeats", story: `${name}: ${revision} after ${last}` };
      last = revision;
      const right = truth.get(revision);
      if (!right || right.path !== path || right.value !== value || right.type !== type)
        yield {
          rule: "a watch shows what was written",
          story: `${name}: ${type} ${path} ${value}@${revision}, the log has ${right?.type} ${right?.path} ${right?.value}`,
        };
    }
    const got = new Set(call.entries.map(({ revision }) => revision));
    const missed = truth.between(call.after, call.through).find(({ revision }) => !got.has(revision));
    if (missed) yield { rule: "a watch is complete", story: `${name}: ${missed.value}@${missed.revision} is missing` };
  }
}
