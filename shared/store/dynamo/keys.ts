import { collectionOf, type ObjectKey } from "../../kubernetes/object.ts";
import type { ClusterRef, RecordKey } from "../store.ts";
import type { ItemKey } from "./table.ts";

/**
 * The items of the table. Every partition key begins with the tenant's id, so that a session policy with `dynamodb:LeadingKeys` can
 * confine a request to it.
 *
 * | item | pk | sk |
 * |---|---|---|
 * | head | `{tenant}#{cluster}#head` | `head` |
 * | names of collections | `{tenant}#{cluster}#head` | `collections` |
 * | object | `{tenant}#{cluster}#{group}/{resource}` | `{namespace}/{name}` |
 * | part of a large object | `{tenant}#{cluster}#{group}/{resource}#parts` | `{namespace}/{name}/{number}` |
 * | log entry | `{tenant}#{cluster}#log#{incarnation}#{revision / 4096}` | revision, 16 digits |
 * | part of a large log entry | `{tenant}#{cluster}#log#{incarnation}#parts` | `{revision}/{number}` |
 * | record | `{partition}#records` | `/{sort}` |
 *
 * The incarnation keeps a late writer of a dropped cluster out of one that was made again under the same name.
 */
export const revisionsPerPartition = 4096;
const revisionDigits = 16;

export const scopeOf = (cluster: ClusterRef): string => `${cluster.tenant}#${cluster.cluster}`;
const headPartition = (scope: string): string => `${scope}#head`;
export const headKey = (scope: string): ItemKey => ({ pk: headPartition(scope), sk: "head" });
export const collectionsKey = (scope: string): ItemKey => ({ pk: headPartition(scope), sk: "collections" });

/** How collections are spelled in keys: a slash tells an object's partition from the others. */
export const collectionPartition = (scope: string, collection: string): string =>
  `${scope}#${collection.includes("/") ? collection : `/${collection}`}`;
export const objectSort = (key: ObjectKey): string => `${key.namespace}/${key.name}`;
export const objectKey = (scope: string, key: ObjectKey): ItemKey => ({
  pk: collectionPartition(scope, collectionOf(key)),
  sk: objectSort(key),
});
export const objectPartKey = (object: ItemKey, part: number): ItemKey => ({ pk: `${object.pk}#parts`, sk: `${object.sk}/${part}` });

export function keyOfObject(collection: string, sk: string): ObjectKey {
  const slash = collection.indexOf("/");
  const end = sk.indexOf("/");
  return {
    group: slash < 0 ? "" : collection.slice(0, slash),
    resource: collection.slice(slash + 1),
    namespace: sk.slice(0, end),
    name: sk.slice(end + 1),
  };
}

/** A key as one string whose order is that of (collection, namespace, name). */
export const objectPath = (key: ObjectKey): string => `${collectionOf(key)}\u0001${key.namespace}\u0001${key.name}`;

export const partitionOfRevision = (revision: number): number => Math.floor(revision / revisionsPerPartition);
export const logPartition = (log: string, partition: number): string => `${log}#${partition}`;
export const logOf = (scope: string, incarnation: string): string => `${scope}#log#${incarnation}`;
export const logSort = (revision: number): string => String(revision).padStart(revisionDigits, "0");
export const logKey = (log: string, revision: number): ItemKey => ({
  pk: logPartition(log, partitionOfRevision(revision)),
  sk: logSort(revision),
});
/** What the key of a log entry says; undefined: it is the key of something else. */
export function logEntryOf({ pk, sk }: ItemKey): { readonly ref: ClusterRef; readonly revision: number } | undefined {
  const [tenant = "", cluster = "", kind, incarnation, partition, ...more] = pk.split("#");
  const revision = /^\d+$/.test(sk) ? Number(sk) : Number.NaN;
  if (kind !== "log" || tenant === "" || cluster === "" || incarnation === undefined || partition === undefined || more.length > 0)
    return undefined;
  return Number.isSafeInteger(revision) ? { ref: { tenant, cluster }, revision } : undefined;
}

export const logPartsPartition = (log: string): string => `${log}#parts`;
export const logPartKey = (log: string, revision: number, part: string): ItemKey => ({
  pk: logPartsPartition(log),
  sk: `${logSort(revision)}/${part}`,
});

const recordsEnd = "#records";
export const recordPartition = (partition: string): string => `${partition}${recordsEnd}`;
/** The partition of a record by its partition key; undefined: it is no record's. */
export const partitionOfRecord = (pk: string): string | undefined =>
  pk.endsWith(recordsEnd) ? pk.slice(0, -recordsEnd.length) : undefined;
export const recordSort = (sort: string): string => `/${sort}`;
export const recordKey = (key: RecordKey): ItemKey => ({ pk: recordPartition(key.partition), sk: recordSort(key.sort) });
