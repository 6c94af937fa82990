import type { KubernetesObject, ObjectKey } from "../kubernetes/object.ts";

/**
 * The store of every cluster's objects and of the platform's records. One adapter keeps it in LMDB, another in DynamoDB;
 * `test/contract/store.contract.ts` is run by each. The comments here are the specification.
 *
 * **Objects** belong to a cluster and are changed by commits. A commit of n operations takes n consecutive revisions of that
 * cluster's log: whole numbers that only grow and are never used twice. Every object carries the revision that wrote it as
 * `metadata.resourceVersion`; the store stamps it.
 *
 * **Records** are small versioned values outside the log (tenants, clusters, node heartbeats, leases, agenda, committed
 * resources of a node). They are read and written with conditions, and may be written in the same transaction as objects.
 *
 * Whatever a promise has acknowledged survives a crash at any later moment. Whatever a reader was shown does too.
 */
export interface Store {
  /**
   * Applies all operations or none. Entries come back in the order of the operations, with their revisions.
   * With no operations it is a barrier: it resolves when every earlier commit of this process to the cluster is durable.
   * @throws StoreError `RevisionConflict` (with `index`: the operation or, beyond them, the record operation) when a condition does not hold;
   * `TooLarge` when an object exceeds `limits.objectBytes`; `TooManyOperations`; `NoSuchCluster` when the cluster was dropped or never created; `Throttled`.
   */
  commit(cluster: ClusterRef, operations: readonly Operation[], records?: readonly RecordOperation[]): Promise<LogEntry[]>;
  /**
   * The newest state of each key that a commit would be checked against, in the order asked; absent keys are `undefined`.
   * It may run ahead of what is durable: build the next state from it, but show it to a client only behind a commit that succeeded.
   * `known` answers the caller's own copy of a key, if any: where its revision is still the newest, it may be answered without reading it again.
   */
  latest(
    cluster: ClusterRef,
    keys: readonly ObjectKey[],
    known?: (key: ObjectKey) => StoredObject | undefined,
  ): Promise<(StoredObject | undefined)[]>;
  /** The newest durable revision, and the floor below which the log is compacted. A cluster without a write has revision 1. @throws `NoSuchCluster` */
  head(cluster: ClusterRef): Promise<Head>;
  /** Every object of the cluster (or of one collection) exactly as of one revision, the settled head. Order: collection, namespace, name. */
  snapshot(cluster: ClusterRef, collection?: string): Promise<Snapshot>;
  /**
   * Log entries with revision > `after`, ascending, without gaps (void entries are left out), at most `limit`.
   * `through` is the revision up to which the answer is complete. @throws `Compacted` when `after` < floor.
   */
  readLog(cluster: ClusterRef, after: number, limit: number): Promise<{ entries: LogEntry[]; through: number }>;
  /**
   * Calls `onEntries` with every entry after `after`, in order, in batches, exactly once each, until the returned function is called.
   * `through` also moves without entries (voids). On `Compacted` or a failed adapter it calls `onEnd` once and stops.
   */
  follow(
    cluster: ClusterRef,
    after: number,
    onEntries: (entries: readonly LogEntry[], through: number) => void,
    onEnd: (error: StoreError) => void,
  ): () => void;
  /**
   * Moves the floor up to `floor`: entries at or below it may be deleted, readers below it get `Compacted`. Never moves it down. `floor` was the head a minute
   * ago or earlier: of what is at or below it lists are sure without the log, so nothing may be on its way there (DynamoDB: a commit shows up to 45 s late).
   */
  compact(cluster: ClusterRef, floor: number): Promise<void>;

  /** Makes an empty cluster and writes `records` with it, all or nothing. @throws `RevisionConflict` when it exists or a record's condition fails. */
  createCluster(cluster: ClusterRef, records?: readonly RecordOperation[]): Promise<void>;
  /** Deletes every object, log entry and the head. Resumable: calling it again finishes what a crash left. Dropping an absent cluster does nothing. */
  dropCluster(cluster: ClusterRef): Promise<void>;

  /** Strongly consistent reads, in the order asked. */
  getRecords(keys: readonly RecordKey[]): Promise<(StoredRecord | undefined)[]>;
  /** Records of a partition with `from` <= sort < `to`, ascending by sort (byte order), at most `limit` (default 1,000). */
  queryRecords(partition: string, range?: { from?: string; to?: string; limit?: number }): Promise<StoredRecord[]>;
  /**
   * All or none. @throws `RevisionConflict` with `index`. Answers the new versions, 0 for a delete. The version of a record that was added to, and of one
   * among several that was written whatever lay there, may be `undefined`: who writes need not be able to read.
   */
  writeRecords(operations: readonly RecordOperation[]): Promise<(number | undefined)[]>;

  readonly limits: { readonly operations: number; readonly objectBytes: number };
  /** Waits for what is under way and releases the files or sockets. */
  close(): Promise<void>;
}

/** What reaches one tenant's clusters and records. Hosts that can tell tenants apart by credentials give one that reaches no other's. */
export type StoreOf = (tenant: string) => Store;

/** A tenant's cluster. Both are identifiers without `#` or `/`. */
export interface ClusterRef {
  readonly tenant: string;
  readonly cluster: string;
}

export interface Head {
  readonly revision: number;
  readonly floor: number;
}

export type Operation =
  | {
      readonly kind: "put";
      readonly key: ObjectKey;
      /** The revision the writer saw; 0: the key must be absent. */
      readonly expected: number;
      /** The new state. The store sets `metadata.resourceVersion` on it and owns it from then on: nobody may change it any more. */
      readonly object: KubernetesObject;
      /** Given when labels or selectable fields differ from it: the log keeps it, so that a filtered watch that resumes can tell. */
      readonly previous?: StoredObject;
    }
  | {
      readonly kind: "delete";
      readonly key: ObjectKey;
      readonly expected: number;
      /** The last state, which the DELETED event shows with the revision of the deletion. The store owns it. */
      readonly object: KubernetesObject;
    };

/** An object with its exact serialized form, shared by every reader: never changed after it was made. */
export interface StoredObject {
  readonly key: ObjectKey;
  readonly revision: number;
  /** Parsed on first use and kept. Deeply read-only by convention: clone before changing. */
  readonly object: KubernetesObject;
  /** UTF-8 JSON of `object`, `kind` first and `apiVersion` second. */
  readonly bytes: Buffer;
}

export interface LogEntry extends StoredObject {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** The state before, where the committer gave it. */
  readonly previous: StoredObject | undefined;
}

export interface Snapshot {
  readonly revision: number;
  readonly objects: StoredObject[];
}

export interface RecordKey {
  /** Begins with the tenant's id wherever it holds a tenant's state, so that a session policy can confine a request to it. */
  readonly partition: string;
  readonly sort: string;
}

export interface StoredRecord extends RecordKey {
  /** Grows by one at each write, from 1. */
  readonly version: number;
  readonly value: Readonly<Record<string, unknown>>;
}

/** `put` replaces the whole value, `add` changes numbers in place and so never conflicts with another `add`. One operation a record in a transaction. */
export type RecordOperation =
  | (RecordKey & {
      readonly kind: "put";
      /** The version the writer saw; 0: must be absent; `undefined`: whatever is there. */
      readonly expected: number | undefined;
      readonly value: Readonly<Record<string, unknown>>;
    })
  | (RecordKey & { readonly kind: "delete"; readonly expected: number | undefined })
  | (RecordKey & {
      readonly kind: "add";
      /** Top-level numeric fields and what to add to each; an absent record or field counts as 0. */
      readonly add: Readonly<Record<string, number>>;
      /** Condition: the field's value before the addition is at most this. */
      readonly atMost?: Readonly<Record<string, number>>;
    });

export type StoreErrorCode =
  | "RevisionConflict"
  | "Compacted"
  | "TooLarge"
  | "TooManyOperations"
  | "NoSuchCluster"
  | "Throttled"
  /** Nothing of it was written, nor will be. Reads go on, and so do writes once there is room. */
  | "DiskFull"
  | "Unavailable";

/** The only error that leaves a store. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  /** For `RevisionConflict`: the position of the operation whose condition failed; record operations follow the object operations. */
  readonly index: number | undefined;
  constructor(code: StoreErrorCode, message: string, options: { index?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "StoreError";
    this.code = code;
    this.index = options.index;
  }
}

export function isStoreError(error: unknown, code?: StoreErrorCode): error is StoreError {
  return error instanceof StoreError && (code === undefined || error.code === code);
}
