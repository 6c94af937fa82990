import { capacity } from "../actors/accountant.ts";
import type { RecordCall, Violation } from "../history.ts";
import type { Judged } from "./all.ts";

/** Numbers that are added to count what was acknowledged once and what was not at most once, and stay within their limits; versions are given once. */
export function* checkBooks({ calls }: Judged): Generator<Violation> {
  const records = calls.filter((call) => call.kind === "record");
  for (const balance of calls) {
    if (balance.kind !== "balance") continue;
    const of = records.filter(({ sort }) => sort === balance.sort);
    if (balance.sort === "versioned") yield* checkVersions(of, balance.value);
    else {
      const sum = (counts: (call: RecordCall) => boolean): number =>
        of.filter(counts).reduce((total, { change }) => total + (change.kind === "add" ? change.by : 0), 0);
      const least = sum(({ outcome }) => outcome?.kind === "ok");
      const most = sum(({ outcome }) => outcome?.kind !== "conflict");
      if (balance.amount < least || balance.amount > most)
        yield {
          rule: "what is added is counted once",
          story: `${balance.sort} is ${balance.amount}; acknowledged ${least}, at most ${most}`,
        };
      if (balance.sort === "limited" && balance.amount > capacity)
        yield { rule: "a limit is never passed", story: `${balance.amount} of ${capacity}` };
    }
  }
  for (const sort of ["sum", "limited", "versioned"]) {
    const done = records.filter((call) => call.sort === sort && call.outcome?.kind === "ok");
    if (
      done.length > 0 &&
      !calls.some((call) => call.kind === "balance" && call.sort === sort) &&
      calls.some((call) => call.actor === "auditor")
    )
      yield { rule: "an acknowledged write is not lost", story: `the record ${sort} is gone` };
  }
}

function* checkVersions(calls: readonly RecordCall[], last: string): Generator<Violation> {
  const byVersion = new Map<number, string>();
  for (const { outcome, change } of calls) {
    if (outcome?.kind !== "ok" || change.kind !== "put") continue;
    if (outcome.version !== change.expected + 1)
      yield { rule: "a record's version grows by one", story: JSON.stringify({ change, outcome }) };
    const other = byVersion.get(outcome.version);
    if (other !== undefined) yield { rule: "a version is given once", story: `${outcome.version} to ${other} and to ${change.value}` };
    byVersion.set(outcome.version, change.value);
  }
  const newest = Math.max(0, ...byVersion.keys());
  const unknown = calls.some(({ outcome, change }) => change.kind === "put" && change.value === last && outcome?.kind !== "conflict");
  if (newest > 0 && byVersion.get(newest) !== last && !unknown)
    yield {
      rule: "an acknowledged write is not lost",
      story: `the record holds ${last}, the newest acknowledged is ${byVersion.get(newest)}`,
    };
}
