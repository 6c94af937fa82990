import { constants } from "node:os";
import type { Random } from "../random.ts";

export type DiskKey = string | readonly [string, number];
export type DiskValue = string | Buffer;

export interface DiskWrite {
  readonly database: string;
  readonly key: DiskKey;
  /** `undefined`: removed. */
  readonly value: DiskValue | undefined;
}

interface Row {
  readonly key: DiskKey;
  readonly value: DiskValue;
}

const digits = 16;
/** Spells a key so that order of strings is LMDB's order of keys. */
export const orderOf = (key: DiskKey): string =>
  typeof key === "string" ? key : `${key[0]}\u0000${String(Math.max(0, key[1])).padStart(digits, "0")}`;

/** One database of a state of the disk. */
export class DiskTable {
  readonly #rows = new Map<string, Row>();
  #sorted: string[] | undefined;

  get(key: DiskKey): DiskValue | undefined {
    return this.#rows.get(orderOf(key))?.value;
  }

  apply({ key, value }: DiskWrite): void {
    const order = orderOf(key);
    if (value === undefined) {
      if (this.#rows.delete(order)) this.#sorted = undefined;
      return;
    }
    if (!this.#rows.has(order)) this.#sorted = undefined;
    this.#rows.set(order, { key, value });
  }

  /** `end` is not included. */
  range(start: DiskKey, end: DiskKey, limit: number): Row[] {
    this.#sorted ??= [...this.#rows.keys()].sort();
    const [from, to] = [orderOf(start), orderOf(end)];
    const rows: Row[] = [];
    for (const order of this.#sorted) {
      if (order < from) continue;
      if (order >= to || rows.length >= limit) break;
      const row = this.#rows.get(order);
      if (row) rows.push(row);
    }
    return rows;
  }
}

/**
 * A disk with an LMDB file on it: a row of transactions, of which those up to the last sync are safe. A crash keeps those and any number of the
 * following ones, whole and in order: LMDB writes a transaction's pages beside the old ones and then one of two meta pages; one that was torn has a
 * wrong transaction id or is not synced, and the other is taken (mdb.c, `mdb_env_pick_meta`).
 */
export class SimulatedDisk {
  readonly #random: Random;
  readonly #witness: (write: DiskWrite) => void;
  readonly #transactions: (readonly DiskWrite[])[] = [];
  #tables = new Map<string, DiskTable>();
  #safe = 0;
  /** Sizes in transactions above which a write finds no room. */
  capacity = Number.POSITIVE_INFINITY;

  /** `witness` hears of each write that becomes visible. */
  constructor(random: Random, witness: (write: DiskWrite) => void) {
    this.#random = random;
    this.#witness = witness;
  }

  get length(): number {
    return this.#transactions.length;
  }

  table(name: string): DiskTable {
    let table = this.#tables.get(name);
    if (!table) {
      table = new DiskTable();
      this.#tables.set(name, table);
    }
    return table;
  }

  /** Visible from now on; safe after the next sync. @throws when the disk is full */
  append(writes: readonly DiskWrite[]): void {
    // A transaction may find room in the file all the same.
    if (this.#transactions.length >= this.capacity && !this.#random.chance(0.2))
      throw Object.assign(new Error("No space left on device"), { code: constants.errno.ENOSPC });
    this.#transactions.push(writes);
    for (const write of writes) {
      this.table(write.database).apply(write);
      this.#witness(write);
    }
  }

  synced(through: number): void {
    this.#safe = Math.max(this.#safe, through);
  }

  crash(): void {
    const kept = this.#safe + this.#random.below(this.#transactions.length - this.#safe + 1);
    this.#transactions.splice(kept);
    this.#tables = new Map();
    for (const writes of this.#transactions) for (const write of writes) this.table(write.database).apply(write);
    this.#safe = kept;
  }
}
