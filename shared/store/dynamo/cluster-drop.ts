import type { Clock } from "../../clock.ts";
import type { ClusterRef } from "../store.ts";
import { setAt } from "./attributes.ts";
import { certainFrom, type HeadRow, headRow, keptFrom } from "./head-item.ts";
import {
  collectionsKey,
  headKey,
  logOf,
  logPartition,
  logPartsPartition,
  logSort,
  objectKey,
  partitionOfRevision,
  revisionsPerPartition,
  scopeOf,
} from "./keys.ts";
import { isVoid, type LogSite, objectOfEntry, revisionOf, spanOf, voidItem } from "./log-items.ts";
import { keysOfPartition, type ObjectTable } from "./object-table.ts";
import { type Item, type ItemKey, isTableError, type Table } from "./table.ts";

const voidsAtOnce = 16;

export interface DropParts {
  readonly table: Table;
  readonly objects: ObjectTable;
  readonly clock: Clock;
  readonly ttlSeconds: number;
}

/**
 * Deletes a cluster in steps that can be repeated: no more revisions; then none of the writers that still hold some can use them (their places are
 * voided); then objects, log and head. Voids stay behind for some hours, until their TTL: they keep out writers that were held up for long.
 */
export async function dropItems(parts: DropParts, cluster: ClusterRef): Promise<void> {
  const { table, objects } = parts;
  const scope = scopeOf(cluster);
  const closed = await closeHead(table, scope);
  if (!closed) return;
  const head = headRow(closed);
  const site = { scope, log: logOf(scope, head.incarnation) };
  if (closed.voided !== true) {
    await voidEmptyPlaces(parts, site, head);
    await table.write({ kind: "update", key: headKey(scope), update: { set: { voided: true } }, when: { is: "present" } });
  }
  const names = setAt(await table.get(collectionsKey(scope)), "names");
  for (const name of names) for await (const keys of objects.itemKeys(scope, name)) await remove(table, keys);
  const from = keptFrom(head, parts.clock.now(), parts.ttlSeconds);
  for await (const items of logPages(table, site, from, head.revision)) {
    const entries = items.filter((item) => !isVoid(item));
    // A query may show a transaction's entry and not yet its object: what was looked through above may have lacked it.
    const named = new Map(entries.map((entry) => [`${entry.collection}/${entry.object}`, objectKey(scope, objectOfEntry(entry))]));
    await remove(table, [...named.values(), ...entries]);
  }
  for await (const keys of keysOfPartition(table, logPartsPartition(site.log))) await remove(table, keys);
  await remove(table, [collectionsKey(scope)]);
  await remove(table, [headKey(scope)]);
}

/** From here on no revision is handed out. `undefined`: there is no such cluster. */
async function closeHead(table: Table, scope: string): Promise<Item | undefined> {
  try {
    return await table.write({ kind: "update", key: headKey(scope), update: { set: { dropping: true } }, when: { is: "present" } });
  } catch (error) {
    if (isTableError(error, "ConditionFailed")) return undefined;
    throw error;
  }
}

async function voidEmptyPlaces({ table, clock, ttlSeconds }: DropParts, site: LogSite, head: HeadRow): Promise<void> {
  const from = certainFrom(head, clock.now(), ttlSeconds);
  const empty: number[] = [];
  let next = Math.max(from, 1) + 1;
  for await (const items of logPages(table, site, from, head.revision)) {
    for (const item of items) {
      while (next < revisionOf(item)) empty.push(next++);
      next = Math.max(next, revisionOf(item) + spanOf(item));
    }
  }
  while (next <= head.revision) empty.push(next++);
  const stamp = { commit: "drop", nowMs: clock.now(), ttlSeconds };
  const fill = async (revision: number): Promise<void> => {
    try {
      await table.write({ kind: "put", item: voidItem(site, revision, 1, stamp), when: { is: "absent" } });
    } catch (error) {
      if (!isTableError(error, "ConditionFailed")) throw error;
    }
  };
  for (let start = 0; start < empty.length; start += voidsAtOnce) await Promise.all(empty.slice(start, start + voidsAtOnce).map(fill));
}

async function* logPages(table: Table, site: LogSite, after: number, last: number): AsyncGenerator<Item[]> {
  for (let partition = partitionOfRevision(after + 1); partition <= partitionOfRevision(last); partition++) {
    let from = logSort(Math.max(after + 1, partition * revisionsPerPartition));
    for (let more = true; more; ) {
      const page = await table.query(logPartition(site.log, partition), { from });
      yield page.items;
      more = page.more && page.items.length > 0;
      from = `${page.items.at(-1)?.sk ?? from}\u0000`;
    }
  }
}

const remove = (table: Table, keys: readonly ItemKey[]): Promise<void> =>
  table.writeMany(keys.map(({ pk, sk }) => ({ kind: "delete", key: { pk, sk } })));
