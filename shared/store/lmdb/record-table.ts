import type { Database, RootDatabase } from "lmdb";
import { type RecordKey, type RecordOperation, type StoredRecord, StoreError } from "../store.ts";
import { endOfPrefix, joinKey } from "./encoding.ts";

interface Row {
  readonly version: number;
  readonly value: Readonly<Record<string, unknown>>;
}

/** A record's new value; `undefined`: deleted. */
export interface RecordWrite {
  readonly path: string;
  readonly row: Row | undefined;
}

const defaultLimit = 1000;
const pathOf = (key: RecordKey): string => joinKey(key.partition, key.sort);
const numberAt = (row: Row | undefined, field: string): number => {
  const value = row?.value[field];
  return typeof value === "number" ? value : 0;
};

/** The records of a store in one LMDB table. Writes wait in `#pending` until they are on disk, so that later conditions see them. */
export class RecordTable {
  readonly #table: Database<Row, string>;
  readonly #pending = new Map<string, { row: Row | undefined; writes: number }>();

  constructor(root: RootDatabase<Buffer, string>) {
    this.#table = root.openDB<Row, string>({ name: "records", encoding: "json" });
  }

  /** `newest`: with what is on its way to the disk. */
  get(key: RecordKey, newest: boolean): StoredRecord | undefined {
    const path = pathOf(key);
    const row = newest ? this.#current(path) : this.#table.get(path);
    return row && { partition: key.partition, sort: key.sort, ...row };
  }

  query(partition: string, range: { from?: string; to?: string; limit?: number }, newest: boolean): StoredRecord[] {
    const start = joinKey(partition, range.from ?? "");
    const end = range.to === undefined ? endOfPrefix(partition) : joinKey(partition, range.to);
    const limit = range.limit ?? defaultLimit;
    const rows = new Map<string, Row | undefined>();
    for (const { key, value } of this.#table.getRange({ start, end, limit: limit + this.#pending.size })) rows.set(key, value);
    if (newest) for (const [path, { row }] of this.#pending) if (path >= start && path < end) rows.set(path, row);
    const found: StoredRecord[] = [];
    for (const [path, row] of rows) if (row) found.push({ partition, sort: path.slice(partition.length + 1), ...row });
    return found.sort((a, b) => (a.sort < b.sort ? -1 : 1)).slice(0, limit);
  }

  /** Throws `RevisionConflict` with index `offset` + the first operation whose condition does not hold. */
  check(operations: readonly RecordOperation[], offset: number): void {
    const touched = operations.length > 1 ? new Set<string>() : undefined;
    for (const [index, operation] of operations.entries()) {
      const path = pathOf(operation);
      const row = this.#current(path);
      const twice = touched?.has(path) ?? false;
      touched?.add(path);
      const holds =
        operation.kind === "add"
          ? Object.entries(operation.atMost ?? {}).every(([field, limit]) => numberAt(row, field) <= limit)
          : operation.expected === undefined || operation.expected === (row?.version ?? 0);
      if (twice || !holds) throw new StoreError("RevisionConflict", "the record has been modified", { index: offset + index });
    }
  }

  nextVersion(operation: RecordOperation): number {
    return operation.kind === "delete" ? 0 : (this.#current(pathOf(operation))?.version ?? 0) + 1;
  }

  /** Decides the new values, which later conditions see from now on. To be called after `check`, and before `write`. */
  assign(operations: readonly RecordOperation[]): RecordWrite[] {
    return operations.map((operation) => {
      const path = pathOf(operation);
      const row =
        operation.kind === "delete"
          ? undefined
          : { version: this.nextVersion(operation), value: this.#valueOf(operation, this.#current(path)) };
      this.#pending.set(path, { row, writes: (this.#pending.get(path)?.writes ?? 0) + 1 });
      return { path, row };
    });
  }

  /** To be called inside a batch. */
  write(writes: readonly RecordWrite[]): void {
    for (const { path, row } of writes) {
      if (row) void this.#table.put(path, row);
      else void this.#table.remove(path);
    }
  }

  /** These writes are on disk now. */
  landed(writes: readonly RecordWrite[]): void {
    for (const { path } of writes) {
      const pending = this.#pending.get(path);
      if (pending && --pending.writes === 0) this.#pending.delete(path);
    }
  }

  /** What is on its way never comes. */
  lost(): void {
    this.#pending.clear();
  }

  #current(path: string): Row | undefined {
    const pending = this.#pending.get(path);
    return pending ? pending.row : this.#table.get(path);
  }

  #valueOf(operation: Exclude<RecordOperation, { kind: "delete" }>, row: Row | undefined): Row["value"] {
    if (operation.kind === "put") return operation.value;
    const value: Record<string, unknown> = { ...row?.value };
    for (const [field, delta] of Object.entries(operation.add)) value[field] = numberAt(row, field) + delta;
    return value;
  }
}
