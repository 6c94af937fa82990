import type { ReadCall, SeenEntry, Violation, WriteCall } from "../history.ts";
import type { Judged } from "./all.ts";
import { describe } from "./writes.ts";

/** One call on one key, as a register sees it. */
interface Operation {
  readonly startMs: number;
  readonly endMs: number;
  readonly call: ReadCall | WriteCall;
  /** Which of the key's states it left (a write) or saw (a read). */
  readonly place: (known: number) => number | undefined;
  readonly isWrite: boolean;
}

/**
 * Each key is a linearizable register with compare-and-set (Herlihy and Wing). The log gives the only order of a key's states in which its writes can
 * have happened, so there is nothing to search for: the calls are linearizable exactly if no call shows an older state than one that ended before it
 * began, and every write followed on the state that it named.
 */
export function* checkKeys({ calls, truth }: Judged): Generator<Violation> {
  const states = new Map<string, SeenEntry[]>();
  for (const entry of truth.entries) {
    const of = states.get(entry.path);
    if (of) of.push(entry);
    else states.set(entry.path, [entry]);
  }
  const startOf = new Map<string, number>();
  const expectations = new Map<string, number>();
  const operations = new Map<string, Operation[]>();
  const conflicts: WriteCall[] = [];
  const add = (path: string, operation: Operation): void => {
    const of = operations.get(path);
    if (of) of.push(operation);
    else operations.set(path, [operation]);
  };
  for (const call of calls) {
    if (call.kind === "write") {
      for (const { value, expected } of call.operations) {
        startOf.set(value, call.startMs);
        expectations.set(value, expected);
      }
      if (call.outcome?.kind === "conflict") conflicts.push(call);
      if (call.endMs === undefined || call.outcome?.kind !== "ok") continue;
      for (const { path, revision } of call.outcome.entries) {
        const at = (states.get(path) ?? []).findIndex((state) => state.revision === revision) + 1;
        add(path, { startMs: call.startMs, endMs: call.endMs, call, isWrite: true, place: () => (at > 0 ? at : undefined) });
      }
    }
    if (call.kind === "read" && call.endMs !== undefined && call.failed === undefined) {
      const of = states.get(call.path) ?? [];
      const { found, startMs, endMs, path } = call;
      add(path, { startMs, endMs, call, isWrite: false, place: (known) => placeOfRead(of, found, known) });
    }
  }
  for (const [path, of] of states) yield* checkSuccession(path, of, expectations);
  for (const [path, of] of operations) yield* checkRegister(path, of, states.get(path) ?? [], startOf);
  for (const call of conflicts) yield* checkConflict(call, states, startOf, operations);
}

/** States are counted from 1; 0 is the key before its first one. */
function placeOfRead(states: readonly SeenEntry[], found: ReadCall["found"], known: number): number | undefined {
  if (found) {
    const at = states.findIndex(({ revision, value, type }) => revision === found.revision && value === found.value && type !== "DELETED");
    return at < 0 ? undefined : at + 1;
  }
  if (known === 0) return 0;
  const at = states.findIndex(({ type }, index) => index + 1 >= known && type === "DELETED");
  return at < 0 ? undefined : at + 1;
}

function* checkSuccession(path: string, states: readonly SeenEntry[], expectations: ReadonlyMap<string, number>): Generator<Violation> {
  let live = 0;
  for (const { revision, value, type } of states) {
    const expected = expectations.get(value);
    if (expected !== undefined && expected !== live)
      yield {
        rule: "a write follows on the state it named",
        story: `${path} at ${revision}: ${value} expected ${expected}, there was ${live}`,
      };
    if (type === "ADDED" && live !== 0)
      yield { rule: "a write follows on the state it named", story: `${path} at ${revision} was added twice` };
    live = type === "DELETED" ? 0 : revision;
  }
}

function* checkRegister(
  path: string,
  operations: Operation[],
  states: readonly SeenEntry[],
  startOf: ReadonlyMap<string, number>,
): Generator<Violation> {
  const byEnd = [...operations].sort((a, b) => a.endMs - b.endMs);
  const places: { endMs: number; place: number; story: string }[] = [];
  for (const operation of byEnd) {
    let known = { place: 0, story: "it was made" };
    for (const before of places) if (before.endMs < operation.startMs && before.place > known.place) known = before;
    const place = operation.place(known.place);
    const story = `${path.replaceAll("\u0001", "/")}: ${operation.call.actor} ${operation.call.kind === "write" ? describe(operation.call) : `read ${operation.call.way} → ${operation.call.found ? `${operation.call.found.value}@${operation.call.found.revision}` : "absent"}`}`;
    if (place === undefined) {
      yield { rule: "a read shows a state that was", story: `${story} [${operation.startMs} – ${operation.endMs}], after ${known.story}` };
      continue;
    }
    if (place < known.place || (operation.isWrite && place === known.place))
      yield { rule: "keys are linearizable", story: `${story}, after ${known.story}` };
    const made = states[place - 1];
    if (made && (startOf.get(made.value) ?? 0) > operation.endMs)
      yield { rule: "keys are linearizable", story: `${story}, before that was written` };
    places.push({ endMs: operation.endMs, place, story });
  }
}

/** A conflict is a read of another state than the expected one: refusing although that state stood all the time is a lie. */
function* checkConflict(
  call: WriteCall,
  states: ReadonlyMap<string, SeenEntry[]>,
  startOf: ReadonlyMap<string, number>,
  operations: ReadonlyMap<string, Operation[]>,
): Generator<Violation> {
  const operation = call.outcome?.kind === "conflict" ? call.operations[call.outcome.index] : undefined;
  if (!operation || call.endMs === undefined) return;
  const of = states.get(operation.path) ?? [];
  const at = operation.expected === 0 ? undefined : of.findIndex(({ revision }) => revision === operation.expected);
  if (at === undefined || at < 0 || of[at]?.type === "DELETED") return;
  const known = (operations.get(operation.path) ?? []).some(({ endMs, place }) => endMs < call.startMs && (place(0) ?? 0) === at + 1);
  const next = of[at + 1];
  const nextStart = next ? (startOf.get(next.value) ?? 0) : Number.POSITIVE_INFINITY;
  if (known && nextStart > call.endMs) yield { rule: "a conflict has a reason", story: `${call.actor}: ${describe(call)}` };
}
