import type { SimulatedProcess } from "../process.ts";
import { type DiskKey, type DiskValue, type DiskWrite, orderOf, type SimulatedDisk } from "./disk.ts";

/**
 * Stands for the package `lmdb` in a simulation, with what `LmdbStore` uses of it: writes of a batch become visible together some time after the call,
 * and safe some time after that; `flushed` resolves when all that was written by then is safe (lmdb-js, README: "Transactions", "Flushing").
 */
export interface Mount {
  readonly disk: SimulatedDisk;
  readonly process: SimulatedProcess;
}

const mounts = new Map<string, Mount>();

/** Puts a disk where the next `open` of this path finds it. */
export function mount(path: string, what: Mount): void {
  mounts.set(path, what);
}

/** That the version of a key is this one when the transaction is written; `undefined`: that the key is absent. */
interface Link {
  readonly database: string;
  readonly key: DiskKey;
  readonly version: number | undefined;
}

interface Waiting {
  readonly writes: readonly DiskWrite[];
  readonly link: Link | undefined;
  readonly resolve: (done: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export function open({ path }: { path: string }): SimulatedEnvironment {
  const found = mounts.get(path);
  if (!found) throw new Error(`no disk at ${path}`);
  return new SimulatedEnvironment(found);
}

class SimulatedEnvironment {
  readonly mount: Mount;
  #batch: DiskWrite[] | undefined;
  readonly #waiting: Waiting[] = [];
  #committing = false;
  #syncing: Promise<void> | undefined;

  constructor(what: Mount) {
    this.mount = what;
  }

  openDB({ name, encoding }: { name: string; encoding: string }): SimulatedDatabase {
    return new SimulatedDatabase(this, name, encoding === "json");
  }

  batch(action: () => void, link?: Link): Promise<boolean> {
    const writes: DiskWrite[] = [];
    this.#batch = writes;
    try {
      action();
    } finally {
      this.#batch = undefined;
    }
    return this.#commit(writes, link);
  }

  /** Every read here sees what is written. */
  resetReadTxn(): void {}

  get flushed(): Promise<boolean> {
    return this.#flush().then(() => true);
  }

  async close(): Promise<void> {
    await this.#flush();
  }

  write(write: DiskWrite): Promise<boolean> {
    if (!this.#batch) return this.#commit([write]);
    this.#batch.push(write);
    return Promise.resolve(true);
  }

  #commit(writes: readonly DiskWrite[], link?: Link): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ writes, link, resolve, reject });
      if (!this.#committing) this.#commitSoon();
    });
  }

  /** What waits by then becomes one transaction, or some of it. */
  #commitSoon(): void {
    const { process, disk } = this.mount;
    this.#committing = true;
    process.after(process.random.between(0.05, 2), () => {
      const count = process.random.chance(0.5) ? this.#waiting.length : 1 + process.random.below(this.#waiting.length);
      const together = this.#waiting.splice(0, count);
      this.#committing = false;
      const written: DiskWrite[] = [];
      const kept = together.map(({ writes, link }) => {
        const holds = !link || this.#holds(link, written);
        if (holds) written.push(...writes);
        return holds;
      });
      try {
        disk.append(written);
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
      // Nothing is heard any more by those that were rejected.
      for (const [index, { resolve }] of together.entries()) resolve(kept[index] ?? false);
      if (this.#waiting.length > 0) this.#commitSoon();
    });
  }

  #holds({ database, key, version }: Link, before: readonly DiskWrite[]): boolean {
    const own = before.findLast((write) => write.database === database && orderOf(write.key) === orderOf(key));
    return versionOf(own ? own.value : this.mount.disk.table(database).get(key)) === version;
  }

  /** Of all that was written by now, whether or not it is committed. */
  async #flush(): Promise<void> {
    if (this.#waiting.length > 0)
      await new Promise<unknown>((resolve) => this.#waiting.push({ writes: [], link: undefined, resolve, reject: resolve }));
    const target = this.mount.disk.length;
    while (this.#syncing) await this.#syncing;
    this.#syncing = this.#sync(target);
    await this.#syncing;
  }

  async #sync(target: number): Promise<void> {
    const { process, disk } = this.mount;
    const through = Math.max(target, disk.length);
    await process.sleep(process.random.chance(0.05) ? process.random.between(20, 400) : process.random.between(0.2, 5));
    disk.synced(through);
    this.#syncing = undefined;
  }
}

class SimulatedDatabase {
  readonly #environment: SimulatedEnvironment;
  readonly #name: string;
  readonly #isJson: boolean;

  constructor(environment: SimulatedEnvironment, name: string, isJson: boolean) {
    this.#environment = environment;
    this.#name = name;
    this.#isJson = isJson;
  }

  /** A table has versions or values. */
  put(key: DiskKey, value: unknown, version?: number): Promise<boolean> {
    return this.#environment.write({
      database: this.#name,
      key,
      value: version !== undefined ? String(version) : Buffer.isBuffer(value) ? Buffer.from(value) : JSON.stringify(value),
    });
  }

  ifNoExists(key: DiskKey, action: () => void): Promise<boolean> {
    return this.#environment.batch(action, { database: this.#name, key, version: undefined });
  }

  ifVersion(key: DiskKey, version: number, action: () => void): Promise<boolean> {
    return this.#environment.batch(action, { database: this.#name, key, version });
  }

  getEntry(key: DiskKey): { version: number | undefined } {
    return { version: versionOf(this.#table.get(key)) };
  }

  remove(key: DiskKey): Promise<boolean> {
    return this.#environment.write({ database: this.#name, key, value: undefined });
  }

  get(key: DiskKey): unknown {
    return this.#decode(this.#table.get(key));
  }

  getBinary(key: DiskKey): Buffer | undefined {
    const value = this.#table.get(key);
    return Buffer.isBuffer(value) ? value : undefined;
  }

  getBinaryFast(key: DiskKey): Buffer | undefined {
    return this.getBinary(key);
  }

  getRange({ start, end, limit = Number.POSITIVE_INFINITY }: RangeOptions): { key: DiskKey; value: unknown }[] {
    return this.#table.range(start, end, limit).map(({ key, value }) => ({ key, value: this.#decode(value) }));
  }

  getKeys({ start, end, limit = Number.POSITIVE_INFINITY }: RangeOptions): DiskKey[] {
    return this.#table.range(start, end, limit).map(({ key }) => key);
  }

  get #table() {
    return this.#environment.mount.disk.table(this.#name);
  }

  #decode(value: DiskValue | undefined): unknown {
    return this.#isJson && typeof value === "string" ? (JSON.parse(value) as unknown) : value;
  }
}

const versionOf = (value: DiskValue | undefined): number | undefined => (typeof value === "string" ? Number(value) : undefined);

interface RangeOptions {
  readonly start: DiskKey;
  readonly end: DiskKey;
  readonly limit?: number;
}
