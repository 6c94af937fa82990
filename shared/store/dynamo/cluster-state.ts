import { type ClusterBase, emptyBase } from "../cluster-base.ts";
import type { ClusterRef, StoredObject } from "../store.ts";
import { StoreError } from "../store.ts";
import { setAt } from "./attributes.ts";
import { type HeadRow, headRow } from "./head-item.ts";
import { collectionsKey, headKey, logOf, scopeOf } from "./keys.ts";
import type { LogSite } from "./log-items.ts";
import type { Table } from "./table.ts";

export const noSuchCluster = (scope: string): StoreError => new StoreError("NoSuchCluster", `no cluster ${scope}`);

/** What never changes of a cluster, and what its table says of its collections. */
export interface ClusterFacts extends LogSite {
  readonly cluster: ClusterRef;
  readonly incarnation: string;
  readonly createdAtMs: number;
  /** Collections that have or had objects; grows. */
  readonly collections: Set<string>;
  /** What the cluster contains from the start. */
  base(): ReadonlyMap<string, StoredObject>;
}

export function factsOf(cluster: ClusterRef, head: HeadRow, collections: ReadonlySet<string>, base: ClusterBase = emptyBase): ClusterFacts {
  const scope = scopeOf(cluster);
  let born: ReadonlyMap<string, StoredObject> | undefined;
  return {
    scope,
    cluster,
    log: logOf(scope, head.incarnation),
    incarnation: head.incarnation,
    createdAtMs: head.createdAtMs,
    collections: new Set(collections),
    base() {
      born ??= base.of(cluster, head.createdAtMs);
      return born;
    },
  };
}

/** The head and the names of the collections, in one request. @throws StoreError `NoSuchCluster` */
export async function openHead(table: Table, cluster: ClusterRef): Promise<{ head: HeadRow; collections: ReadonlySet<string> }> {
  const scope = scopeOf(cluster);
  const [item, collections] = await table.getMany([headKey(scope), collectionsKey(scope)]);
  const head = item && headRow(item);
  if (!head || head.dropping) throw noSuchCluster(scope);
  return { head, collections: setAt(collections, "names") };
}

/** @throws StoreError `NoSuchCluster` */
export async function readHead(table: Table, scope: string): Promise<HeadRow> {
  const item = await table.get(headKey(scope));
  const head = item && headRow(item);
  if (!head || head.dropping) throw noSuchCluster(scope);
  return head;
}
