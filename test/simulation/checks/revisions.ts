import type { Violation } from "../history.ts";
import type { Judged } from "./all.ts";

/**
 * Revisions only grow: what a call answers is younger than everything that was answered before the call was made. A list, a head or a write that
 * shows less than somebody had been told before is stale.
 */
export function* checkRevisions({ calls }: Judged): Generator<Violation> {
  interface Point {
    readonly startMs: number;
    readonly endMs: number;
    readonly revision: number;
    /** What has to be at least everything known before. */
    readonly fresh: "above" | "from" | undefined;
    readonly story: string;
  }
  const points: Point[] = [];
  const floors: { startMs: number; endMs: number; floor: number }[] = [];
  for (const call of calls) {
    if (call.endMs === undefined) continue;
    const { startMs, endMs } = call;
    const add = (revision: number, fresh: Point["fresh"]): void =>
      void points.push({ startMs, endMs, revision, fresh, story: `${call.actor}: ${call.kind} answered revision ${revision}` });
    if (call.kind === "write" && call.outcome?.kind === "ok") {
      // The first one has to be above what was known; the last one is what is known from then on.
      const [first] = call.outcome.entries;
      if (first) add(first.revision, "above");
      add(call.outcome.entries.at(-1)?.revision ?? 0, undefined);
    }
    if (call.kind === "list" && call.failed === undefined) add(call.revision, "from");
    if (call.kind === "read" && call.found) add(call.found.revision, undefined);
    if (call.kind === "look") add(call.revision, undefined);
    if (call.kind === "head" && call.failed === undefined) {
      add(call.revision, "from");
      floors.push({ startMs, endMs, floor: call.floor });
    }
    if (call.kind === "stretch" && call.entries.length > 0) add(call.entries.at(-1)?.revision ?? 0, undefined);
  }
  const byEnd = [...points].sort((a, b) => a.endMs - b.endMs);
  const byStart = points.filter(({ fresh }) => fresh !== undefined).sort((a, b) => a.startMs - b.startMs);
  let known = { revision: 0, story: "" };
  let at = 0;
  for (const point of byStart) {
    for (let next = byEnd[at]; next && next.endMs < point.startMs; next = byEnd[++at]) if (next.revision > known.revision) known = next;
    const stale = point.fresh === "above" ? point.revision <= known.revision : point.revision < known.revision;
    if (stale) yield { rule: "revisions only grow", story: `${point.story}, but before it ${known.story}` };
  }
  floors.sort((a, b) => a.startMs - b.startMs);
  for (const later of floors)
    for (const earlier of floors)
      if (earlier.endMs < later.startMs && earlier.floor > later.floor)
        yield { rule: "the floor never falls", story: `floor ${earlier.floor}, then ${later.floor}` };
}
