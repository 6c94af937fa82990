import type { Clock } from "../../clock.ts";
import type { ObjectKey } from "../../kubernetes/object.ts";
import { type ClusterBase, emptyBase } from "../cluster-base.ts";
import type { Sealer } from "../sealer.ts";
import {
  type ClusterRef,
  type Head,
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
import { dropItems } from "./cluster-drop.ts";
import { type ClusterFacts, factsOf, noSuchCluster, openHead, readHead } from "./cluster-state.ts";
import { Committer, limits } from "./committer.ts";
import { storeErrorOf } from "./failures.ts";
import { firstHead, type HeadRow } from "./head-item.ts";
import { KeyTurns } from "./key-turns.ts";
import { collectionsKey, headKey, objectPath, scopeOf } from "./keys.ts";
import { LogReader, type LogTimings } from "./log-reader.ts";
import { ObjectTable } from "./object-table.ts";
import { createPayloads, type Payloads } from "./payload.ts";
import { RecordTable, transactionItems } from "./record-table.ts";
import { refuseTwice } from "./record-writes.ts";
import { defaultRetryPolicy, RetryingTable, type RetryPolicy } from "./retrying-table.ts";
import { RevisionSource } from "./revision-source.ts";
import { takeSnapshot } from "./snapshots.ts";
import { isTableError, type Table, type Write } from "./table.ts";
import { type PollTimings, Tail } from "./tail.ts";

export interface DynamoStoreOptions {
  readonly table: Table;
  readonly clock: Clock;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  /** At most 36 characters, never the same twice in any process. */
  readonly makeId: () => string;
  /** Seals Secrets at rest; absent: they lie there as they are. */
  readonly sealer?: Sealer;
  /** What each cluster contains from the start without being written. */
  readonly base?: ClusterBase;
  readonly timings?: Partial<LogTimings & PollTimings>;
  readonly retries?: RetryPolicy;
}

const defaultTimings: LogTimings & PollTimings = {
  fillAfterMs: 1000,
  lookAgainMs: 25,
  ttlSeconds: 24 * 3600,
  busyMs: 50,
  idleMs: 1000,
  failures: 5,
};
const mostClusters = 2000;

interface OpenCluster {
  readonly facts: ClusterFacts;
  readonly revisions: RevisionSource;
  readonly reader: LogReader;
  readonly tail: Tail;
  readonly turns: KeyTurns;
  /** Newest revisions this process has written or met, by path of the key: whoever expects an older one need not ask the table. */
  readonly seen: Map<string, number>;
}

/**
 * The store on DynamoDB, for any number of processes. A commit takes its revisions from the head and is then one transaction; the order of the
 * log is that of revisions, and readers go up to the first place that is neither written nor void.
 * A commit has at most 49 operations, and with its records (one item each) and parts of large objects at most 100 items and 4 MB.
 */
export class DynamoStore implements Store {
  readonly limits = limits;
  readonly #table: RetryingTable;
  readonly #clock: Clock;
  readonly #makeId: () => string;
  readonly #base: ClusterBase;
  readonly #timings: LogTimings & PollTimings;
  readonly #payloads: Payloads;
  readonly #objects: ObjectTable;
  readonly #records: RecordTable;
  readonly #committer: Committer;
  readonly #recordTurns = new KeyTurns();
  readonly #clusters = new Map<string, Promise<OpenCluster>>();

  constructor({ table, clock, random, makeId, sealer, base, timings, retries }: DynamoStoreOptions) {
    this.#table = new RetryingTable(table, clock, random, retries ?? defaultRetryPolicy);
    this.#clock = clock;
    this.#makeId = makeId;
    this.#base = base ?? emptyBase;
    this.#timings = { ...defaultTimings, ...timings };
    this.#payloads = createPayloads(sealer);
    this.#objects = new ObjectTable(this.#table, this.#payloads, this.#base);
    this.#records = new RecordTable(this.#table, makeId);
    const { ttlSeconds } = this.#timings;
    this.#committer = new Committer({ table: this.#table, objects: this.#objects, payloads: this.#payloads, clock, makeId, ttlSeconds });
  }

  async commit(cluster: ClusterRef, operations: readonly Operation[], records: readonly RecordOperation[] = []): Promise<LogEntry[]> {
    refuseTooMany(operations, records);
    refuseLarge(operations);
    return this.#edge(cluster, async (open) => {
      if (operations.length === 0 && records.length === 0) {
        await open.turns.all();
        return [];
      }
      const paths = operations.map(({ key }) => objectPath(key));
      refuseTwice(records, operations.length);
      const twice = paths.findIndex((path, index) => paths.indexOf(path) < index);
      if (twice >= 0) throw new StoreError("RevisionConflict", "one key twice in a commit", { index: twice });
      return open.turns.run(paths, () => this.#recordTurns.run(records.map(turnOf), () => this.#commit(open, paths, operations, records)));
    });
  }

  async latest(
    cluster: ClusterRef,
    keys: readonly ObjectKey[],
    known?: (key: ObjectKey) => StoredObject | undefined,
  ): Promise<(StoredObject | undefined)[]> {
    return this.#edge(cluster, async ({ facts, turns, seen }) => {
      const paths = keys.map(objectPath);
      // What this process is about to write is about to be the newest.
      await turns.after(paths);
      const found = await this.#objects.read(facts.scope, keys, known);
      return found.map((state, index) => {
        const path = paths[index] ?? "";
        if (state.kind === "live") remember(seen, path, state.stored.revision);
        if (state.kind === "absent" && this.#base.has(path)) return facts.base().get(path);
        return state.kind === "live" ? state.stored : undefined;
      });
    });
  }

  /** The last revision handed out: no acknowledged commit is above it, and a reader of the log reaches it. */
  head(cluster: ClusterRef): Promise<Head> {
    return this.#edge(cluster, async (open) => {
      const { revision, floor } = await this.#head(open.facts);
      open.tail.heardOf(revision);
      return { revision, floor };
    });
  }

  snapshot(cluster: ClusterRef, collection?: string): Promise<Snapshot> {
    return this.#edge(cluster, async ({ facts, reader }) => {
      const { head, collections } = await openHead(this.#table, cluster);
      for (const name of collections) facts.collections.add(name);
      // A collection is named before the first object of it is written.
      const wanted = collection === undefined ? [...collections] : collections.has(collection) ? [collection] : [];
      const readHeadNow = () => this.#head(facts);
      const { ttlSeconds } = this.#timings;
      return takeSnapshot(
        { facts, objects: this.#objects, reader, clock: this.#clock, ttlSeconds, readHead: readHeadNow },
        head,
        wanted,
        collection,
      );
    });
  }

  readLog(cluster: ClusterRef, after: number, limit: number): Promise<{ entries: LogEntry[]; through: number }> {
    return this.#edge(cluster, async ({ facts, reader }) => {
      const { entries, through } = await reader.readSettled(await this.#head(facts), after, limit);
      return { entries, through };
    });
  }

  follow(
    cluster: ClusterRef,
    after: number,
    onEntries: (entries: readonly LogEntry[], through: number) => void,
    onEnd: (error: StoreError) => void,
  ): () => void {
    let stop = (): void => {
      stopped = true;
    };
    let stopped = false;
    this.#open(cluster).then(
      (open) => {
        if (!stopped) stop = open.tail.follow(after, onEntries, onEnd);
      },
      (error: unknown) => {
        if (!stopped) onEnd(storeErrorOf(error));
      },
    );
    return () => stop();
  }

  /** Something was written to the cluster elsewhere: its followers look at once instead of at their next interval. */
  wake(cluster: ClusterRef): void {
    this.#clusters.get(scopeOf(cluster))?.then(
      ({ tail }) => tail.wake(),
      () => undefined,
    );
  }

  compact(cluster: ClusterRef, floor: number): Promise<void> {
    return this.#edge(cluster, async ({ facts }) => {
      const { revision } = await this.#head(facts);
      const target = Math.min(floor, revision);
      try {
        const lower = { is: "atMost", path: ["floor"], value: target } as const;
        await this.#table.write({ kind: "update", key: headKey(facts.scope), update: { set: { floor: target } }, when: lower });
      } catch (error) {
        // It lies higher already.
        if (!isTableError(error, "ConditionFailed")) throw error;
      }
    });
  }

  async createCluster(cluster: ClusterRef, records: readonly RecordOperation[] = []): Promise<void> {
    const scope = scopeOf(cluster);
    if (records.length + 2 > transactionItems) throw new StoreError("TooManyOperations", `${records.length} records with a new cluster`);
    const head = firstHead(scope, this.#makeId().slice(0, 8), this.#clock.now());
    const collections: Write = { kind: "put", item: { ...collectionsKey(scope) }, when: { is: "absent" } };
    try {
      await this.#recordTurns.run(records.map(turnOf), () => this.#records.writeWith([head, collections], records));
    } catch (error) {
      if (error instanceof StoreError && error.code === "RevisionConflict" && (error.index ?? 0) < 0)
        throw new StoreError("RevisionConflict", "the cluster exists", { index: 0 });
      throw storeErrorOf(error);
    }
    this.#forget(scope);
  }

  async dropCluster(cluster: ClusterRef): Promise<void> {
    const scope = scopeOf(cluster);
    const known = await this.#clusters.get(scope)?.catch(() => undefined);
    this.#forget(scope);
    try {
      const { ttlSeconds } = this.#timings;
      await dropItems({ table: this.#table, objects: this.#objects, clock: this.#clock, ttlSeconds }, cluster);
    } catch (error) {
      throw storeErrorOf(error);
    }
    known?.tail.end(noSuchCluster(scope));
    this.#forget(scope);
  }

  async getRecords(keys: readonly RecordKey[]): Promise<(StoredRecord | undefined)[]> {
    return this.#recordEdge(() => this.#records.get(keys));
  }

  async queryRecords(partition: string, range: { from?: string; to?: string; limit?: number } = {}): Promise<StoredRecord[]> {
    return this.#recordEdge(() => this.#records.query(partition, range));
  }

  async writeRecords(operations: readonly RecordOperation[]): Promise<(number | undefined)[]> {
    return this.#recordEdge(() => this.#recordTurns.run(operations.map(turnOf), () => this.#records.write(operations)));
  }

  async close(): Promise<void> {
    const open = await Promise.allSettled(this.#clusters.values());
    for (const result of open) {
      if (result.status === "rejected") continue;
      result.value.tail.end(new StoreError("Unavailable", "the store was closed"));
      await result.value.turns.all();
    }
    await this.#recordTurns.all();
    await this.#table.close();
  }

  async #commit(
    open: OpenCluster,
    paths: readonly string[],
    operations: readonly Operation[],
    records: readonly RecordOperation[],
  ): Promise<LogEntry[]> {
    if (operations.length === 0) {
      await this.#records.writeWith([], records);
      return [];
    }
    for (const [index, path] of paths.entries()) {
      const expected = operations[index]?.expected ?? 0;
      if (expected > 0 && (open.seen.get(path) ?? 0) > expected)
        throw new StoreError("RevisionConflict", "the object has been modified", { index });
    }
    const entries = await this.#committer.commit(open.facts, open.revisions, operations, records, open.tail);
    for (const [index, path] of paths.entries()) remember(open.seen, path, entries[index]?.revision ?? 0);
    return entries;
  }

  #open(cluster: ClusterRef): Promise<OpenCluster> {
    const scope = scopeOf(cluster);
    const known = this.#clusters.get(scope);
    if (known) return known;
    const opening = openHead(this.#table, cluster).then(({ head, collections }): OpenCluster => {
      const facts = factsOf(cluster, head, collections, this.#base);
      const reader = new LogReader(facts, this.#table, this.#payloads, this.#clock, this.#timings);
      const tail = new Tail(reader, () => this.#head(facts), this.#clock, this.#timings, storeErrorOf);
      return { facts, reader, tail, revisions: new RevisionSource(this.#table, scope), turns: new KeyTurns(), seen: new Map() };
    });
    this.#clusters.set(scope, opening);
    opening.then(
      () => this.#makeRoom(),
      () => this.#forget(scope),
    );
    return opening;
  }

  /** @throws StoreError `NoSuchCluster`, also where another cluster has the name now */
  async #head(facts: ClusterFacts): Promise<HeadRow> {
    const head = await readHead(this.#table, facts.scope);
    if (head.incarnation === facts.incarnation) return head;
    throw noSuchCluster(facts.scope);
  }

  async #edge<T>(cluster: ClusterRef, action: (open: OpenCluster) => Promise<T>): Promise<T> {
    try {
      return await action(await this.#open(cluster));
    } catch (error) {
      const reason = storeErrorOf(error);
      if (reason.code === "NoSuchCluster") this.#forget(scopeOf(cluster));
      throw reason;
    }
  }

  async #recordEdge<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw storeErrorOf(error);
    }
  }

  #forget(scope: string): void {
    this.#clusters.delete(scope);
  }

  /** Clusters that nobody follows or writes to are opened again with one small read. */
  async #makeRoom(): Promise<void> {
    for (const [scope, opening] of this.#clusters) {
      if (this.#clusters.size <= mostClusters) return;
      const open = await opening.catch(() => undefined);
      if (!open || (!open.tail.followed && open.turns.idle)) this.#clusters.delete(scope);
    }
  }
}

const mostSeen = 10_000;

function remember(seen: Map<string, number>, path: string, revision: number): void {
  if (revision <= (seen.get(path) ?? 0)) return;
  seen.delete(path);
  seen.set(path, revision);
  const [oldest] = seen.keys();
  if (seen.size > mostSeen && oldest !== undefined) seen.delete(oldest);
}

const turnOf = ({ partition, sort }: RecordKey): string => `${partition}\u0001${sort}`;

function refuseTooMany(operations: readonly Operation[], records: readonly RecordOperation[]): void {
  const items = operations.length * 2 + records.length;
  if (operations.length > limits.operations || items > transactionItems)
    throw new StoreError("TooManyOperations", `${operations.length} operations and ${records.length} records in one commit`);
}

/** Revisions are longer than what stands there before: too little to matter. */
function refuseLarge(operations: readonly Operation[]): void {
  for (const { object } of operations) {
    const bytes = Buffer.byteLength(JSON.stringify(object));
    if (bytes > limits.objectBytes) throw new StoreError("TooLarge", `${bytes} bytes: the limit is ${limits.objectBytes}`);
  }
}
