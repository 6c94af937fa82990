import type { Clock } from "../../clock.ts";
import { collectionOf } from "../../kubernetes/object.ts";
import type { LogEntry, Snapshot, StoredObject } from "../store.ts";
import type { ClusterFacts } from "./cluster-state.ts";
import { certainFrom, type HeadRow } from "./head-item.ts";
import { objectPath } from "./keys.ts";
import type { LogReader } from "./log-reader.ts";
import type { Found, ObjectTable } from "./object-table.ts";

/**
 * A query may show a transaction half-applied, and a commit lands up to `longestCommitMs` (3 s) and a request (12 s) after it was stamped, by a clock that
 * may differ by 30 s: entries so young, and so many at the least, are laid over what the query showed.
 */
const overlapMs = 45_000;
const overlapEntries = 100;
/** Longer than clocks differ. */
const restMs = 5 * 60_000;
const pageEntries = 1000;
const collectionsAtOnce = 8;

export interface SnapshotParts {
  readonly facts: ClusterFacts;
  readonly objects: ObjectTable;
  readonly reader: LogReader;
  readonly clock: Clock;
  readonly ttlSeconds: number;
  readonly readHead: () => Promise<HeadRow>;
}

/**
 * Exactly what the cluster (or one collection) held at the revision the head had when the objects had been read. The objects are read first and may
 * show anything between then and now; the log from somewhat before then up to that revision says what is right.
 */
export async function takeSnapshot(
  parts: SnapshotParts,
  before: HeadRow,
  collections: readonly string[],
  only?: string,
): Promise<Snapshot> {
  const { facts, objects, reader } = parts;
  const state = new Map<string, StoredObject>();
  for (const [path, stored] of facts.base()) if (only === undefined || collectionOf(stored.key) === only) state.set(path, stored);
  const show = (path: string, found: Found): void => {
    if (found.kind === "live") state.set(path, found.stored);
    else state.delete(path);
  };
  // One collection answers one request; what holds the whole cluster is followed on from for long, and looks further back.
  const start = await overlapStart(parts, before, only !== undefined);
  const waiting = [...collections];
  const work = async (): Promise<void> => {
    for (let collection = waiting.shift(); collection !== undefined; collection = waiting.shift())
      for (const { key, found } of await objects.readCollection(facts.scope, collection)) show(objectPath(key), found);
  };
  await Promise.all(Array.from({ length: Math.min(collectionsAtOnce, waiting.length) }, work));
  const head = await parts.readHead();
  for (let at = start; at < head.revision; ) {
    const { entries, through } = await reader.readSettled(head, at, pageEntries);
    for (const entry of entries) if (only === undefined || collectionOf(entry.key) === only) show(objectPath(entry.key), foundOf(entry));
    at = through;
  }
  const sorted = [...state].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stored]) => stored);
  return { revision: head.revision, objects: sorted };
}

const foundOf = (entry: LogEntry): Found => (entry.type === "DELETED" ? { kind: "gone" } : { kind: "live", stored: entry });

/** A revision up to which everything was settled some seconds ago. */
async function overlapStart({ reader, clock, ttlSeconds }: SnapshotParts, head: HeadRow, brief: boolean): Promise<number> {
  const lowest = certainFrom(head, clock.now(), ttlSeconds);
  if (brief) {
    const last = Math.max(lowest, head.revision - 1);
    const { oldestAtMs } = await reader.read(head, last, 1);
    if (oldestAtMs !== undefined && oldestAtMs < clock.now() - restMs) return last;
  }
  for (let back = overlapEntries; ; back *= 4) {
    const start = Math.max(lowest, head.revision - back);
    if (start === lowest) return start;
    const { oldestAtMs } = await reader.read(head, start, 1);
    if (oldestAtMs !== undefined && oldestAtMs < clock.now() - overlapMs) return start;
  }
}
