import {
  type Attribute,
  type Item,
  type ItemKey,
  keyOfWrite,
  type QueryRange,
  type Table,
  type UnconditionalWrite,
  type Write,
} from "../../shared/store/dynamo/table.ts";

/** Typical answers of DynamoDB in its own region, in milliseconds: what a function waits, and is billed for. */
const latencyMs = { read: 3, write: 5, transaction: 10 } as const;
const [readBlock, writeBlock] = [4096, 1024] as const;

/**
 * Counts request units by DynamoDB's rules (Developer Guide, "Read and write operations", "Item sizes"): a strongly consistent read is a unit for each 4 KB
 * of an item, of a query for each 4 KB of all it looks at, and at least one; a write is one for each KB of the larger of the item before and after; in a
 * transaction it is two; conditions that fail are paid. And how long a function waits for DynamoDB: requests that overlap are waited for once.
 */
export class MeteredTable implements Table {
  readonly #table: Table;
  readonly #items: ReadonlyMap<string, Item>;
  readUnits = 0;
  writeUnits = 0;
  waitedMs = 0;
  requests = 0;
  #underWay = 0;
  #longestMs = 0;

  /** `items`: what the table holds, by `pk NUL sk`. */
  constructor(table: Table, items: ReadonlyMap<string, Item>) {
    this.#table = table;
    this.#items = items;
  }

  get(key: ItemKey): Promise<Item | undefined> {
    this.readUnits += this.#unitsOf([key], readBlock);
    return this.#wait(latencyMs.read, () => this.#table.get(key));
  }
  getMany(keys: readonly ItemKey[]): Promise<(Item | undefined)[]> {
    this.readUnits += this.#unitsOf(keys, readBlock);
    return this.#wait(latencyMs.read, () => this.#table.getMany(keys));
  }
  query(pk: string, range?: QueryRange): Promise<{ items: Item[]; more: boolean }> {
    return this.#wait(latencyMs.read, async () => {
      const page = await this.#table.query(pk, range);
      const bytes = page.items.reduce((sum, { sk }) => sum + sizeOf(this.#items.get(`${pk}\u0000${sk}`)), 0);
      this.readUnits += blocks(bytes, readBlock);
      return page;
    });
  }
  write(write: Write): Promise<Item | undefined> {
    return this.#write([write], 1, latencyMs.write, () => this.#table.write(write));
  }
  writeTogether(writes: readonly Write[], token: string): Promise<void> {
    return this.#write(writes, 2, latencyMs.transaction, () => this.#table.writeTogether(writes, token));
  }
  writeMany(writes: readonly UnconditionalWrite[]): Promise<void> {
    return this.#write(writes, 1, latencyMs.write, () => this.#table.writeMany(writes));
  }
  close(): Promise<void> {
    return this.#table.close();
  }

  #unitsOf(keys: readonly ItemKey[], block: number): number {
    return keys.reduce((sum, { pk, sk }) => sum + blocks(sizeOf(this.#items.get(`${pk}\u0000${sk}`)), block), 0);
  }

  async #write<T>(writes: readonly Write[], times: number, ms: number, run: () => Promise<T>): Promise<T> {
    const keys = writes.map(keyOfWrite);
    const before = keys.map(({ pk, sk }) => sizeOf(this.#items.get(`${pk}\u0000${sk}`)));
    try {
      return await this.#wait(ms, run);
    } finally {
      for (const [index, { pk, sk }] of keys.entries()) {
        const after = sizeOf(this.#items.get(`${pk}\u0000${sk}`));
        this.writeUnits += times * blocks(Math.max(before[index] ?? 0, after), writeBlock);
      }
    }
  }

  async #wait<T>(ms: number, run: () => Promise<T>): Promise<T> {
    this.requests++;
    this.#underWay++;
    this.#longestMs = Math.max(this.#longestMs, ms);
    try {
      return await run();
    } finally {
      if (--this.#underWay === 0) {
        this.waitedMs += this.#longestMs;
        this.#longestMs = 0;
      }
    }
  }
}

const blocks = (bytes: number, block: number): number => Math.max(1, Math.ceil(bytes / block));

/** 0 when absent. */
export function sizeOf(item: Item | undefined): number {
  return Object.entries(item ?? {}).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + sizeOfValue(value), 0);
}

function sizeOfValue(value: Attribute): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value === "number") return Math.ceil(String(value).replace(/\D/g, "").length / 2) + 1;
  if (typeof value === "boolean") return 1;
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof Set) return [...value].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return 3 + Object.entries(value).reduce((sum, [name, number]) => sum + Buffer.byteLength(name) + sizeOfValue(number) + 1, 0);
}
