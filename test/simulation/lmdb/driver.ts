import type { SimulatedProcess } from "../process.ts";
import type { DiskKey, DiskValue, DiskWrite, SimulatedDisk } from "./disk.ts";

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

interface Waiting {
  readonly writes: readonly DiskWrite[];
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
  #waiting: Waiting[] = [];
  #committing = false;
  #syncing: Promise<void> | undefined;

  constructor(what: Mount) {
    this.mount = what;
  }

  openDB({ name, encoding }: { name: string; encoding: string }): SimulatedDatabase {
    return new SimulatedDatabase(this, name, encoding === "json");
  }

  batch(action: () => void): Promise<boolean> {
    const writes: DiskWrite[] = [];
    this.#batch = writes;
    try {
      action();
    } finally {
      this.#batch = undefined;
    }
    return this.#commit(writes);
  }

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

  #commit(writes: readonly DiskWrite[]): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ writes, resolve, reject });
      if (!this.#committing) this.#commitSoon();
    });
  }

  /** What waits by then becomes one transaction. */
  #commitSoon(): void {
    const { process, disk } = this.mount;
    this.#committing = true;
    process.after(process.random.between(0.05, 2), () => {
      const together = this.#waiting;
      this.#waiting = [];
      this.#committing = false;
      try {
        disk.append(together.flatMap(({ writes }) => writes));
      } catch (error) {
        for (const { reject } of together) reject(error);
        return;
      }
      for (const { resolve } of together) resolve(true);
      if (this.#waiting.length > 0) this.#commitSoon();
    });
  }

  /** Of all that was written by now, whether or not it is committed. */
  async #flush(): Promise<void> {
    if (this.#waiting.length > 0) await new Promise<unknown>((resolve) => this.#waiting.push({ writes: [], resolve, reject: resolve }));
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

  put(key: DiskKey, value: unknown): Promise<boolean> {
    return this.#environment.write({
      database: this.#name,
      key,
      value: Buffer.isBuffer(value) ? Buffer.from(value) : JSON.stringify(value),
    });
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

interface RangeOptions {
  readonly start: DiskKey;
  readonly end: DiskKey;
  readonly limit?: number;
}
