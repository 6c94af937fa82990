import { collectionOf, type ObjectKey } from "../../kubernetes/object.ts";
import { type LogEntry, StoreError } from "../store.ts";
import { LazyEntry, LazyObject } from "../stored-entry.ts";
import { bytesAt, numberAt, textAt } from "./attributes.ts";
import { keyOfObject, logKey, logPartKey, objectSort } from "./keys.ts";
import { inlineBytes, type Payloads, split } from "./payload.ts";
import type { Item, Table } from "./table.ts";

/** One place of the log: an entry, or nothing for ever. */
export type Place =
  | { readonly kind: "entry"; readonly entry: LogEntry; readonly atMs: number }
  /** `atMs`: when it was decided that the place is empty. */
  | { readonly kind: "void"; readonly atMs: number };

/** Which log, and how long DynamoDB keeps an entry at the least. */
export interface LogSite {
  readonly scope: string;
  readonly log: string;
}

const voidType = "VOID";
const types: ReadonlySet<string> = new Set<LogEntry["type"]>(["ADDED", "MODIFIED", "DELETED"]);

/** A log entry on its way into the table. Attribute `type` is on log items alone: a filter of the table's stream can ask for it. */
export interface EntryDraft {
  readonly item: Item;
  /** Bytes that could lie in parts instead, to make room in a transaction. */
  readonly payloadBytes: number;
  /** The same entry with its payload in parts, which are to be written first. They go by TTL, needed or not. */
  spilled(): { item: Item; parts: Item[] };
}

export interface EntryStamp {
  /** Names the commit: how its writer knows its own entry after a lost answer. */
  readonly commit: string;
  readonly nowMs: number;
  readonly ttlSeconds: number;
}

export function draftOf(site: LogSite, payloads: Payloads, entry: LogEntry, stamp: EntryStamp): EntryDraft {
  const ttl = expiryOf(stamp);
  const body = payloads.encode(site.scope, entry.key, entry.bytes);
  const previous = entry.previous && payloads.encode(site.scope, entry.key, entry.previous.bytes);
  const common = {
    ...logKey(site.log, entry.revision),
    type: entry.type,
    collection: collectionOf(entry.key),
    object: objectSort(entry.key),
    commit: stamp.commit,
    at: stamp.nowMs,
    ttl,
    ...(entry.previous && { previousRevision: entry.previous.revision }),
  };
  const payloadBytes = body.length + (previous?.length ?? 0);
  return {
    item: { ...common, body, ...(previous && { previous }) },
    payloadBytes,
    spilled() {
      const partsOf = (name: string, payload: Buffer): Item[] =>
        split(payload).map((piece, index) => ({ ...logPartKey(site.log, entry.revision, `${name}${index}`), body: piece, ttl }));
      const bodyParts = partsOf("body", body);
      const previousParts = previous ? partsOf("previous", previous) : [];
      return {
        item: { ...common, bodyParts: bodyParts.length, previousParts: previousParts.length },
        parts: [...bodyParts, ...previousParts],
      };
    },
  };
}

export const fitsInline = (draft: EntryDraft): boolean => draft.payloadBytes <= inlineBytes;
/** In seconds since 1970, as DynamoDB's TTL counts. */
export const expiryOf = (stamp: EntryStamp): number => Math.floor(stamp.nowMs / 1000) + stamp.ttlSeconds;

/** A place that no entry will ever take; `span` places, when they are all its writer's. */
export function voidItem(site: LogSite, revision: number, span: number, stamp: EntryStamp): Item {
  return { ...logKey(site.log, revision), type: voidType, span, commit: stamp.commit, at: stamp.nowMs, ttl: expiryOf(stamp) };
}

export const isVoid = (item: Item): boolean => item.type === voidType;
/** How many places an item settles: a void of a writer all that were its own. */
export const spanOf = (item: Item): number => Math.max(1, numberAt(item, "span"));
/** What an entry is about; voids are about nothing. */
export const objectOfEntry = (item: Item): ObjectKey => keyOfObject(textAt(item, "collection"), textAt(item, "object"));
export const revisionOf = (item: Item): number => Number(item.sk);

export async function placeOf(site: LogSite, payloads: Payloads, table: Table, item: Item): Promise<Place> {
  const revision = revisionOf(item);
  const type = textAt(item, "type");
  if (!isEntryType(type)) return { kind: "void", atMs: numberAt(item, "at") };
  const key = objectOfEntry(item);
  const payloadOf = async (name: string): Promise<Buffer | undefined> => {
    const stored = bytesAt(item, name) ?? (await joined(site, table, revision, name, numberAt(item, `${name}Parts`)));
    return stored && payloads.decode(site.scope, key, stored);
  };
  const before = await payloadOf("previous");
  const previous = before && new LazyObject(key, numberAt(item, "previousRevision"), before);
  const bytes = (await payloadOf("body")) ?? Buffer.alloc(0);
  return { kind: "entry", entry: new LazyEntry(type, previous, key, revision, bytes), atMs: numberAt(item, "at") };
}

function isEntryType(type: string): type is LogEntry["type"] {
  return types.has(type);
}

async function joined(site: LogSite, table: Table, revision: number, name: string, count: number): Promise<Buffer | undefined> {
  if (count === 0) return undefined;
  const parts = await table.getMany(Array.from({ length: count }, (_, index) => logPartKey(site.log, revision, `${name}${index}`)));
  const bodies = parts.flatMap((part) => bytesAt(part, "body") ?? []);
  if (bodies.length < count) throw new StoreError("Compacted", `a part of revision ${revision} is gone: its time was over`);
  return Buffer.concat(bodies);
}
