import type { Database, RootDatabase } from "lmdb";
import type { ObjectKey } from "../../kubernetes/object.ts";
import type { ClusterBase } from "../cluster-base.ts";
import { type Head, type LogEntry, type StoredObject, StoreError } from "../store.ts";
import type { LazyEntry } from "../stored-entry.ts";
import type { ClusterState } from "./cluster-state.ts";
import { type Encoding, endOfPrefix, joinKey, keyOfPath } from "./encoding.ts";

/** A cluster as its head says it. */
export interface HeadRow extends Head {
  readonly createdAtMs: number;
}

/** An entry and the path of its object in the cluster. */
export interface Placed {
  readonly path: string;
  readonly entry: LazyEntry;
}

type Key = string | [string, number];

/** The tables of all clusters: heads, objects, logs. What lies there may not be synced yet, and knows nothing of what waits to be written. */
export class ClusterTables {
  readonly #heads: Database<HeadRow, string>;
  readonly #objects: Database<Buffer, string>;
  readonly #log: Database<Buffer, [string, number]>;
  readonly #encoding: Encoding;
  readonly #base: ClusterBase;

  constructor(root: RootDatabase<Buffer, string>, encoding: Encoding, base: ClusterBase) {
    this.#heads = root.openDB<HeadRow, string>({ name: "heads", encoding: "json" });
    this.#objects = root.openDB<Buffer, string>({ name: "objects", encoding: "binary" });
    this.#log = root.openDB<Buffer, [string, number]>({ name: "log", encoding: "binary" });
    this.#encoding = encoding;
    this.#base = base;
  }

  head(scope: string): HeadRow | undefined {
    return this.#heads.get(scope);
  }

  /** 0: there is no such object. */
  revision(state: ClusterState, path: string): number {
    const value = this.#objects.getBinaryFast(joinKey(state.scope, path));
    return value ? this.#encoding.liveRevisionOf(value) : (this.#baseObject(state, path)?.revision ?? 0);
  }

  object(state: ClusterState, path: string, key: ObjectKey): StoredObject | undefined {
    const value = this.#objects.getBinary(joinKey(state.scope, path));
    return value ? this.#encoding.decodeObject(state.scope, key, value) : this.#baseObject(state, path);
  }

  /** In the order of their paths. `collection`: of that alone. */
  objects(state: ClusterState, collection: string | undefined): StoredObject[] {
    const prefix = collection === undefined ? state.scope : joinKey(state.scope, collection);
    const found = new Map(
      [...this.#baseOf(state)].filter(([path]) => collection === undefined || path.startsWith(joinKey(collection, ""))),
    );
    for (const { key, value } of this.#objects.getRange({ start: joinKey(prefix, ""), end: endOfPrefix(prefix) })) {
      const path = key.slice(state.scope.length + 1);
      const stored = this.#encoding.decodeObject(state.scope, keyOfPath(path), value);
      if (stored) found.set(path, stored);
      else found.delete(path);
    }
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stored]) => stored);
  }

  /** @throws StoreError `Compacted` */
  readLog(state: ClusterState, after: number, limit: number): { entries: LogEntry[]; through: number } {
    if (after < state.floor) throw new StoreError("Compacted", `revision ${after} is below the floor ${state.floor}`);
    const entries: LogEntry[] = [];
    for (const { key, value } of this.#log.getRange({ start: [state.scope, after + 1], end: [state.scope, state.durable + 1], limit })) {
      entries.push(this.#encoding.decodeEntry(state.scope, key[1], value));
    }
    return { entries, through: entries.length < limit ? Math.max(after, state.durable) : (entries.at(-1)?.revision ?? after) };
  }

  /** Inside of a transaction. */
  writeHead({ scope, written, floor, createdAtMs }: ClusterState): void {
    void this.#heads.put(scope, { revision: written, floor, createdAtMs });
  }

  /** Inside of a transaction. `isNewest`: the object has no newer state that goes into the same one. */
  writeEntry(scope: string, { path, entry }: Placed, isNewest: boolean): void {
    const key = joinKey(scope, path);
    void this.#log.put([scope, entry.revision], this.#encoding.encodeEntry(key, path, entry));
    if (!isNewest) return;
    if (entry.type !== "DELETED") void this.#objects.put(key, this.#encoding.encodeObject(key, entry));
    else if (this.#base.has(path)) void this.#objects.put(key, this.#encoding.encodeTombstone(entry.revision));
    else void this.#objects.remove(key);
  }

  /** What takes away the next `limit` entries of a log up to `through`. `undefined`: there are none. */
  removalOfLog(scope: string, through: number, limit: number): (() => void) | undefined {
    return removal(this.#log, this.#log.getKeys({ start: [scope, 0], end: [scope, through + 1], limit }));
  }

  /** The same for the objects of a cluster. */
  removalOfObjects(scope: string, limit: number): (() => void) | undefined {
    return removal(this.#objects, this.#objects.getKeys({ start: joinKey(scope, ""), end: endOfPrefix(scope), limit }));
  }

  removeHead(scope: string): Promise<boolean> {
    return this.#heads.remove(scope);
  }

  #baseObject(state: ClusterState, path: string): StoredObject | undefined {
    return this.#base.has(path) ? this.#baseOf(state).get(path) : undefined;
  }

  #baseOf(state: ClusterState): ReadonlyMap<string, StoredObject> {
    state.base ??= this.#base.of(state.cluster, state.createdAtMs);
    return state.base;
  }
}

function removal<K extends Key>(table: Database<Buffer, K>, found: Iterable<K>): (() => void) | undefined {
  const keys = [...found];
  if (keys.length === 0) return undefined;
  return () => {
    for (const key of keys) void table.remove(key);
  };
}
