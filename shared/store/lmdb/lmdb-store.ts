import { chmodSync } from "node:fs";
import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import type { ObjectKey } from "../../kubernetes/object.ts";
import { type ClusterBase, emptyBase, firstRevision } from "../cluster-base.ts";
import type { Sealer } from "../sealer.ts";
import {
  type ClusterRef,
  type Head,
  isStoreError,
  type LogEntry,
  type Operation,
  type RecordKey,
  type RecordOperation,
  type Snapshot,
  type Store,
  type StoredObject,
  type StoredRecord,
  StoreError,
} from "../store.ts";
import { LazyEntry, LazyObject, serialize } from "../stored-entry.ts";
import { Chain } from "./chain.ts";
import { type ClusterState, type Follower, isDeleted, toState } from "./cluster-state.ts";
import { ClusterTables, type Placed } from "./cluster-tables.ts";
import { createEncoding, objectPath, scopeOf } from "./encoding.ts";
import { GroupCommit } from "./group-commit.ts";
import { RecordTable, type RecordWrite } from "./record-table.ts";
import { diskFull, explainRefusal, hasRoom } from "./refusal.ts";

export interface LmdbStoreOptions {
  /** Folder of the database; made when absent. One process at a time. */
  readonly path: string;
  /** Seals Secrets at rest; absent: they lie there as they are. */
  readonly sealer?: Sealer;
  /** What each cluster contains from the start without being written. */
  readonly base?: ClusterBase;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const limits = { operations: 1000, objectBytes: 1_572_864 } as const;
/** Groups are made here, and begin when they are told to. */
const groupedWrites = { eventTurnBatching: false, txnStartThreshold: 1 } as const;
const catchUpEntries = 1000;
const dropChunk = 5000;

function toEntry(operation: Operation, revision: number): LazyEntry {
  const { key, object } = operation;
  object.metadata.resourceVersion = String(revision);
  const bytes = serialize(object);
  if (bytes.length > limits.objectBytes) throw new StoreError("TooLarge", `${bytes.length} bytes: the limit is ${limits.objectBytes}`);
  if (operation.kind === "delete") return new LazyEntry("DELETED", undefined, key, revision, bytes, object);
  return new LazyEntry(operation.expected === 0 ? "ADDED" : "MODIFIED", operation.previous, key, revision, bytes, object);
}

/** What one commit changes. */
interface Flight {
  /** Its head is written too. */
  readonly state: ClusterState | undefined;
  readonly entries: readonly Placed[];
  readonly records: readonly RecordWrite[];
}

/** Twice, because an object and its log entry are put. */
function bytesOf(flights: readonly Flight[]): number {
  let bytes = 0;
  for (const { entries } of flights) for (const { entry } of entries) bytes += 2 * entry.bytes.length;
  return bytes;
}

/**
 * The store on LMDB, for one process. Conditions are checked in memory in the order of the calls; commits that arrive together share
 * one transaction and one sync, and become visible, in order, when they are on disk.
 */
export class LmdbStore implements Store {
  readonly limits = limits;
  readonly #path: string;
  readonly #root: RootDatabase<Buffer, string>;
  readonly #tables: ClusterTables;
  readonly #records: RecordTable;
  readonly #now: () => number;
  readonly #clusters = new Map<string, ClusterState>();
  readonly #group: GroupCommit<Flight>;

  constructor(options: LmdbStoreOptions) {
    this.#path = options.path;
    this.#root = open<Buffer, string>({ path: options.path, maxDbs: 8, encoding: "binary", compression: false, ...groupedWrites });
    // LMDB makes its files readable by everyone.
    for (const file of ["data.mdb", "lock.mdb"]) chmodSync(join(options.path, file), 0o600);
    this.#tables = new ClusterTables(this.#root, createEncoding(options.sealer), options.base ?? emptyBase);
    this.#records = new RecordTable(this.#root);
    this.#now = options.now;
    this.#group = new GroupCommit({
      root: this.#root,
      chain: new Chain(this.#root),
      write: (flights) => this.#write(flights),
      landed: (flights) => this.#landed(flights),
      lost: () => this.#lost(),
      refuse: (flights) => (hasRoom(this.#path, bytesOf(flights)) ? undefined : diskFull()),
      explain: (cause) => explainRefusal(this.#path, cause),
    });
  }

  commit(cluster: ClusterRef, operations: readonly Operation[], records: readonly RecordOperation[] = []): Promise<LogEntry[]> {
    try {
      this.#refuseIfFailed();
      if (operations.length > limits.operations) throw new StoreError("TooManyOperations", `${operations.length} operations in one commit`);
      const state = this.#cluster(cluster);
      const paths = operations.map(({ key }) => objectPath(key));
      this.#check(state, operations, paths, records);
      const first = state.assigned + 1;
      const placed = operations.map((operation, index) => ({ path: paths[index] ?? "", entry: toEntry(operation, first + index) }));
      for (const { path, entry } of placed) this.#assign(state, path, entry);
      return this.#launch(placed.length > 0 ? state : undefined, placed, records).then(() => placed.map(({ entry }) => entry));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  async latest(
    cluster: ClusterRef,
    keys: readonly ObjectKey[],
    known?: (key: ObjectKey) => StoredObject | undefined,
  ): Promise<(StoredObject | undefined)[]> {
    this.#refuseIfFailed();
    const state = this.#cluster(cluster);
    const paths = keys.map(objectPath);
    // That a key is absent is told without a commit behind it.
    if (paths.some((path) => isDeleted(state.pending.get(path)))) await this.#settled();
    return keys.map((key, index) => {
      const path = paths[index] ?? "";
      const pending = state.pending.get(path);
      if (pending) return pending.stored;
      const copy = known?.(key);
      if (copy && this.#revision(state, path) === copy.revision) return copy;
      return this.#tables.object(state, path, key);
    });
  }

  async head(cluster: ClusterRef): Promise<Head> {
    const { durable, floor } = this.#cluster(cluster);
    return { revision: durable, floor };
  }

  async snapshot(cluster: ClusterRef, collection?: string): Promise<Snapshot> {
    const state = this.#cluster(cluster);
    // What LMDB shows may be committed but not yet synced: it is handed out only after a barrier.
    const objects = this.#tables.objects(state, collection);
    const revision = this.#tables.head(state.scope)?.revision ?? state.durable;
    await this.#settled();
    return { revision, objects };
  }

  async readLog(cluster: ClusterRef, after: number, limit: number): Promise<{ entries: LogEntry[]; through: number }> {
    return this.#tables.readLog(this.#cluster(cluster), after, limit);
  }

  follow(cluster: ClusterRef, after: number, onEntries: Follower["onEntries"], onEnd: Follower["onEnd"]): () => void {
    const follower: Follower = { onEntries, onEnd };
    let stopped = false;
    let live: ClusterState | undefined;
    const catchUp = (position: number): void => {
      if (stopped) return;
      try {
        const state = this.#cluster(cluster);
        if (position >= state.durable) {
          live = state;
          state.followers.add(follower);
          return;
        }
        const { entries, through } = this.#tables.readLog(state, position, catchUpEntries);
        onEntries(entries, through);
        setImmediate(() => catchUp(through));
      } catch (error) {
        stopped = true;
        onEnd(error instanceof StoreError ? error : new StoreError("Unavailable", "the log could not be read", { cause: error }));
      }
    };
    queueMicrotask(() => catchUp(after));
    return () => {
      stopped = true;
      live?.followers.delete(follower);
    };
  }

  async compact(cluster: ClusterRef, floor: number): Promise<void> {
    const state = this.#cluster(cluster);
    const target = Math.min(floor, state.durable);
    if (target <= state.floor) return;
    state.floor = target;
    try {
      await this.#launch(state, [], []);
      await this.#removeAll(() => this.#tables.removalOfLog(state.scope, target, dropChunk));
    } catch (cause) {
      if (isStoreError(cause)) throw cause;
      throw new StoreError("Unavailable", "the log was not shortened", { cause });
    }
  }

  createCluster(cluster: ClusterRef, records: readonly RecordOperation[] = []): Promise<void> {
    const scope = scopeOf(cluster);
    try {
      this.#refuseIfFailed();
      const known = this.#clusters.get(scope);
      if ((known && !known.dropped) || this.#tables.head(scope) !== undefined)
        throw new StoreError("RevisionConflict", "the cluster exists", { index: 0 });
      this.#records.check(records, 0);
      const state = toState(cluster, { revision: firstRevision, floor: 0, createdAtMs: this.#now() });
      this.#clusters.set(scope, state);
      return this.#launch(state, [], records);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async dropCluster(cluster: ClusterRef): Promise<void> {
    const scope = scopeOf(cluster);
    const state = this.#clusters.get(scope);
    if (state) state.dropped = true;
    await this.#barrier();
    const ended = new StoreError("NoSuchCluster", "the cluster was dropped");
    for (const follower of state?.followers ?? []) follower.onEnd(ended);
    state?.followers.clear();
    await this.#removeAll(() => this.#tables.removalOfObjects(scope, dropChunk));
    await this.#removeAll(() => this.#tables.removalOfLog(scope, Number.MAX_SAFE_INTEGER - 1, dropChunk));
    await this.#lasting(this.#tables.removeHead(scope));
    await this.#root.flushed;
    this.#clusters.delete(scope);
  }

  getRecords(keys: readonly RecordKey[]): Promise<(StoredRecord | undefined)[]> {
    return this.#readRecords((newest) => keys.map((key) => this.#records.get(key, newest)));
  }

  queryRecords(partition: string, range: { from?: string; to?: string; limit?: number } = {}): Promise<StoredRecord[]> {
    return this.#readRecords((newest) => this.#records.query(partition, range, newest));
  }

  writeRecords(operations: readonly RecordOperation[]): Promise<number[]> {
    try {
      this.#refuseIfFailed();
      this.#records.check(operations, 0);
      const versions = operations.map((operation) => this.#records.nextVersion(operation));
      return this.#launch(undefined, [], operations).then(() => versions);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  async close(): Promise<void> {
    await this.#settled();
    // lmdb would wait for the sync of a transaction that it gave up. The files need no closing.
    if (!this.#group.failed && !this.#group.refused) await this.#root.close();
  }

  #cluster(cluster: ClusterRef): ClusterState {
    const scope = scopeOf(cluster);
    let state = this.#clusters.get(scope);
    if (!state) {
      const head = this.#tables.head(scope);
      if (!head) throw new StoreError("NoSuchCluster", `no cluster ${scope}`);
      state = toState(cluster, head);
      this.#clusters.set(scope, state);
    }
    if (state.dropped) throw new StoreError("NoSuchCluster", `no cluster ${scope}`);
    return state;
  }

  #check(state: ClusterState, operations: readonly Operation[], paths: readonly string[], records: readonly RecordOperation[]): void {
    const touched = operations.length > 1 ? new Set<string>() : undefined;
    for (const [index, operation] of operations.entries()) {
      const path = paths[index] ?? "";
      if (touched?.has(path)) throw new StoreError("RevisionConflict", "one key twice in a commit", { index });
      touched?.add(path);
      if (this.#revision(state, path) !== operation.expected)
        throw new StoreError("RevisionConflict", "the object has been modified", { index });
    }
    this.#records.check(records, operations.length);
  }

  #revision(state: ClusterState, path: string): number {
    const pending = state.pending.get(path);
    if (pending) return pending.stored ? pending.revision : 0;
    return this.#tables.revision(state, path);
  }

  #assign(state: ClusterState, path: string, entry: LazyEntry): void {
    const stored = entry.type === "DELETED" ? undefined : new LazyObject(entry.key, entry.revision, entry.bytes, entry.object);
    state.pending.set(path, { revision: entry.revision, stored });
    state.assigned = entry.revision;
  }

  /** Resolves, in the order of the calls, when it is on disk. */
  #launch(state: ClusterState | undefined, entries: readonly Placed[], records: readonly RecordOperation[]): Promise<void> {
    if (!state && records.length === 0 && this.#group.idle) return Promise.resolve();
    return this.#group.add({ state, entries, records: this.#records.assign(records) });
  }

  #write(flights: readonly Flight[]): void {
    const heads = new Set<ClusterState>();
    for (const { state, entries, records } of flights) {
      if (state) {
        heads.add(state);
        for (const placed of entries) {
          const { path, entry } = placed;
          state.written = entry.revision;
          this.#tables.writeEntry(state.scope, placed, state.pending.get(path)?.revision === entry.revision);
        }
      }
      this.#records.write(records);
    }
    for (const state of heads) this.#tables.writeHead(state);
  }

  #landed(flights: readonly Flight[]): void {
    const batches = new Map<ClusterState, LogEntry[]>();
    for (const { state, entries, records } of flights) {
      this.#records.landed(records);
      if (!state || entries.length === 0) continue;
      const batch = batches.get(state) ?? [];
      batches.set(state, batch);
      for (const { path, entry } of entries) {
        if (state.pending.get(path)?.revision === entry.revision) state.pending.delete(path);
        batch.push(entry);
      }
    }
    for (const [state, entries] of batches) {
      state.durable = entries.at(-1)?.revision ?? state.durable;
      for (const follower of [...state.followers]) follower.onEntries(entries, state.durable);
    }
  }

  /** Back to what is on disk. */
  #lost(): void {
    this.#records.lost();
    for (const [scope, state] of this.#clusters) {
      state.pending.clear();
      state.written = state.durable;
      if (!state.dropped && this.#tables.head(scope) === undefined) this.#clusters.delete(scope);
    }
  }

  /** What waited for a write that never came is neither there nor absent: it is not to be shown, nor to be checked against. */
  #refuseIfFailed(): void {
    if (this.#group.failed) throw this.#group.failed;
  }

  /** A conflict tells of what was written before: not until that is on disk. */
  async #refuse(error: unknown): Promise<never> {
    if (isStoreError(error, "RevisionConflict")) await this.#barrier();
    throw error;
  }

  async #barrier(): Promise<void> {
    this.#refuseIfFailed();
    await this.#launch(undefined, [], []);
  }

  /** Whatever lies in LMDB by now is on disk; whether what was on its way is too. */
  async #settled(): Promise<boolean> {
    try {
      await this.#barrier();
      return true;
    } catch {
      this.#refuseIfFailed();
      return false;
    }
  }

  /** The newest records, unless they cannot be written: then those that were. */
  async #readRecords<T>(read: (newest: boolean) => T): Promise<T> {
    const newest = read(true);
    if (await this.#settled()) return newest;
    const written = read(false);
    await this.#settled();
    return written;
  }

  /** A write beside the groups. */
  async #lasting(write: Promise<boolean>): Promise<void> {
    try {
      await write;
    } catch (cause) {
      throw await explainRefusal(this.#path, cause);
    }
  }

  /** In transactions of their own, one after another. */
  async #removeAll(next: () => (() => void) | undefined): Promise<void> {
    for (let remove = next(); remove !== undefined; remove = next()) await this.#lasting(this.#root.batch(remove));
  }
}
