import { firstRevision } from "../cluster-base.ts";
import type { Head } from "../store.ts";
import { numberAt, numbersAt, textAt } from "./attributes.ts";
import { headKey } from "./keys.ts";
import type { Condition, Item, NumberMap, Write } from "./table.ts";

/** The head of a cluster: the last revision that was handed out, whether or not anything lies there yet. */
export interface HeadRow extends Head {
  readonly createdAtMs: number;
  /** Tells a cluster from an earlier one of the same name. */
  readonly incarnation: string;
  /** Being dropped: nothing is written any more. */
  readonly dropping: boolean;
  /** Time in milliseconds → the revision that had been handed out by then. */
  readonly marks: NumberMap;
  readonly lastMarkMs: number;
}

export function headRow(item: Item): HeadRow {
  return {
    revision: numberAt(item, "revision"),
    floor: numberAt(item, "floor"),
    createdAtMs: numberAt(item, "createdAtMs"),
    incarnation: textAt(item, "incarnation"),
    dropping: item.dropping === true,
    marks: numbersAt(item, "marks"),
    lastMarkMs: numberAt(item, "lastMarkMs"),
  };
}

export function firstHead(scope: string, incarnation: string, createdAtMs: number): Write {
  const marks = { [String(createdAtMs)]: 0 };
  const item = { ...headKey(scope), revision: firstRevision, floor: 0, createdAtMs, incarnation, marks, lastMarkMs: createdAtMs };
  return { kind: "put", item, when: { is: "absent" } };
}

const serving: Condition = { is: "all", of: [{ is: "present" }, { is: "unset", path: ["dropping"] }] };

/** Hands out `count` revisions. */
export const advance = (scope: string, count: number): Write => ({
  kind: "update",
  key: headKey(scope),
  update: { add: { revision: count } },
  when: serving,
});

const hourMs = 3_600_000;
const markEveryMs = 2 * hourMs;

/**
 * DynamoDB deletes what its TTL names late and in no order, and an idle cluster has nobody who moves its floor. So the head keeps a mark every
 * two hours of writing: what was written after a mark younger than the TTL (less some hours for clocks) is still there.
 * Whoever was handed revisions by a head whose mark is due makes the next one above them and takes others: so nothing is on its way at or below a
 * mark while readers take it for the lowest, and what they do not lay over a list is long settled.
 */
export function nextMark(scope: string, head: HeadRow, nowMs: number, ttlSeconds: number): Write | undefined {
  if (nowMs - head.lastMarkMs < markEveryMs) return undefined;
  const young = Object.entries(head.marks).filter(([atMs]) => Number(atMs) > nowMs - 2 * ttlSeconds * 1000);
  const marks = { ...Object.fromEntries(young), [String(nowMs)]: head.revision };
  return {
    kind: "update",
    key: headKey(scope),
    update: { set: { marks, lastMarkMs: nowMs } },
    when: { is: "equal", path: ["lastMarkMs"], value: head.lastMarkMs },
  };
}

/** How long before its TTL an entry is no longer counted on. */
const marginMs = (ttlSeconds: number): number => Math.min(4 * hourMs, (ttlSeconds * 1000) / 4);

/** Everything above this revision is still in the log. */
export function keptFrom(head: HeadRow, nowMs: number, ttlSeconds: number): number {
  const oldest = nowMs - (ttlSeconds * 1000 - marginMs(ttlSeconds));
  const young = Object.keys(head.marks)
    .map(Number)
    .filter((atMs) => atMs >= oldest);
  return young.length > 0 ? (head.marks[String(Math.min(...young))] ?? head.revision) : head.revision;
}

/** At or below this revision a missing entry may have been deleted by its TTL: it says nothing. Above it, it was never written. */
export const certainFrom = (head: HeadRow, nowMs: number, ttlSeconds: number): number =>
  Math.max(head.floor, keptFrom(head, nowMs, ttlSeconds));

/**
 * A void says that its place was empty when the table executed it: some time after its stamp, or a day after it where its process stood still in between.
 * What was above the mark when it was stamped is there for `marginMs` from then on; so a void that is found earlier is right. An hour is for clocks.
 */
export const isYoungVoid = (stampedAtMs: number, nowMs: number, ttlSeconds: number): boolean =>
  nowMs - stampedAtMs < (marginMs(ttlSeconds) * 3) / 4;
