import type { ClusterRef, LogEntry, StoredObject, StoreError } from "../store.ts";
import type { HeadRow } from "./cluster-tables.ts";
import { scopeOf } from "./encoding.ts";

/** Somebody who is told of what has become durable. */
export interface Follower {
  readonly onEntries: (entries: readonly LogEntry[], through: number) => void;
  readonly onEnd: (error: StoreError) => void;
}

/** Newest state of an object whose commit is not on disk yet; `undefined`: deleted. */
interface Pending {
  readonly revision: number;
  readonly stored: StoredObject | undefined;
}

export const isDeleted = (pending: Pending | undefined): boolean => pending !== undefined && pending.stored === undefined;

/** What this process knows of a cluster beyond the files: the revisions it handed out and what is on its way to the disk. */
export interface ClusterState {
  readonly scope: string;
  readonly cluster: ClusterRef;
  readonly createdAtMs: number;
  base: ReadonlyMap<string, StoredObject> | undefined;
  /** The last revision handed out. One that was not written is not handed out again: somebody may have built upon it. */
  assigned: number;
  /** The last revision given to LMDB. */
  written: number;
  /** The last revision on disk; readers see no further. */
  durable: number;
  floor: number;
  dropped: boolean;
  readonly pending: Map<string, Pending>;
  readonly followers: Set<Follower>;
}

export function toState(cluster: ClusterRef, head: HeadRow): ClusterState {
  const { revision, floor, createdAtMs } = head;
  const known = { scope: scopeOf(cluster), cluster, createdAtMs, base: undefined, floor, dropped: false };
  return { ...known, assigned: revision, written: revision, durable: revision, pending: new Map(), followers: new Set() };
}
