import type { SeenEntry, Violation, WriteCall } from "../history.ts";
import type { Judged } from "./all.ts";

/** Acknowledged writes are there, as they were made, at consecutive revisions; refused ones are not; all others are there whole or not at all. */
export function* checkWrites({ calls, truth }: Judged): Generator<Violation> {
  const byValue = new Map<string, SeenEntry[]>();
  for (const entry of truth.entries) {
    const same = byValue.get(entry.value);
    if (same) same.push(entry);
    else byValue.set(entry.value, [entry]);
  }
  const known = new Set<string>();
  for (const call of calls) {
    if (call.kind !== "write") continue;
    const landed = call.operations.map(({ value }) => byValue.get(value) ?? []);
    for (const { value } of call.operations) known.add(value);
    const story = `${call.actor}: ${describe(call)}`;
    const twice = landed.find((entries) => entries.length > 1);
    if (twice) yield { rule: "a write is done once", story: `${story}; at revisions ${twice.map(({ revision }) => revision).join(", ")}` };
    const present = landed.filter((entries) => entries.length > 0).length;
    if (call.outcome?.kind === "ok") {
      const { entries } = call.outcome;
      const first = entries[0]?.revision ?? 0;
      for (const [index, { value, path }] of call.operations.entries()) {
        const [there] = landed[index] ?? [];
        const said = entries[index];
        if (!there || !said || there.revision !== said.revision || there.path !== path || there.value !== value)
          yield {
            rule: "an acknowledged write is not lost",
            story: `${story}: ${value} was acknowledged at ${said?.revision}, the log has it at ${there?.revision}`,
          };
        else if (said.revision !== first + index) yield { rule: "a commit's revisions are consecutive", story };
      }
    } else if (call.outcome?.kind === "conflict" || call.outcome?.code === "DiskFull") {
      if (present > 0) yield { rule: "a refused write is not done", story };
    } else if (present > 0 && present < call.operations.length) yield { rule: "a write is done whole or not at all", story };
    else if (present > 0) {
      const first = landed[0]?.[0]?.revision ?? 0;
      if (landed.some(([entry], index) => entry?.revision !== first + index)) yield { rule: "a commit's revisions are consecutive", story };
    }
  }
  for (const { value, revision } of truth.entries)
    if (!known.has(value)) yield { rule: "nothing is written that nobody wrote", story: `revision ${revision} holds ${value}` };
}

export const describe = (call: WriteCall): string =>
  `${call.operations.map(({ type, path, expected, value }) => `${type} ${path.replaceAll("\u0001", "/")} (saw ${expected}) as ${value}`).join(", ")} → ${JSON.stringify(call.outcome)}`;
