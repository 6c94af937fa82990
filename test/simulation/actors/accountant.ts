import { isStoreError, type RecordOperation } from "../../../shared/store/store.ts";
import type { ActorState, Host } from "../bench.ts";
import type { RecordCall } from "../history.ts";
import { begin, codeOf } from "./calls.ts";

export const books = "t#books";
export const capacity = 12;

/** Adds to numbers that have a limit, and changes records on condition of their version. */
export async function account(host: Host, actor: ActorState): Promise<void> {
  const { random, store } = host;
  const sort = random.pick(["sum", "limited", "versioned"]);
  let operation: RecordOperation;
  let change: RecordCall["change"];
  if (sort === "versioned") {
    const version = await versionOf(host, sort);
    const value = `${actor.plan.name}:${++actor.values}`;
    change = { kind: "put", expected: version, value };
    operation = { partition: books, sort, kind: "put", expected: version, value: { value } };
  } else {
    const by = 1 + random.below(3);
    const atMost = sort === "limited" ? capacity - by : undefined;
    change = { kind: "add", by, atMost };
    operation = { partition: books, sort, kind: "add", add: { amount: by }, ...(atMost !== undefined && { atMost: { amount: atMost } }) };
  }
  const { span, note, end } = begin(host, actor);
  const call: RecordCall = note({ ...span, kind: "record", sort, change, outcome: undefined });
  try {
    const [version = 0] = await store.writeRecords([operation]);
    call.outcome = { kind: "ok", version };
  } catch (error) {
    call.outcome = isStoreError(error, "RevisionConflict") ? { kind: "conflict" } : { kind: "failed", code: codeOf(error) };
  }
  end(call);
}

async function versionOf(host: Host, sort: string): Promise<number> {
  try {
    const [record] = await host.store.getRecords([{ partition: books, sort }]);
    return record?.version ?? 0;
  } catch (error) {
    codeOf(error);
    return 0;
  }
}
