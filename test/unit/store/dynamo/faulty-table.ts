import {
  type Item,
  type ItemKey,
  type QueryRange,
  type Table,
  TableError,
  type UnconditionalWrite,
  type Write,
} from "../../../../shared/store/dynamo/table.ts";

export type Call =
  | { readonly kind: "get" | "getMany" | "query" | "writeMany" }
  | { readonly kind: "write"; readonly write: Write }
  | { readonly kind: "writeTogether"; readonly writes: readonly Write[]; readonly token: string };

/**
 * - `throttled`, `conflict`: refused, nothing is written.
 * - `lost`: it may be written or not: it is not.
 * - `unanswered`: it is written, and the answer never comes.
 * - `dead`: the process ends before the call: neither it nor any later one comes back. `lastAct`: it ends right after it.
 */
export type Fault = "throttled" | "conflict" | "lost" | "unanswered" | "dead" | "lastAct";

/** Fails the calls for which `plan` names a fault. */
export class FaultyTable implements Table {
  readonly calls: Call[] = [];
  readonly #table: Table;
  readonly #plan: (call: Call) => Fault | undefined | Promise<Fault | undefined>;
  #dead = false;

  constructor(table: Table, plan: (call: Call) => Fault | undefined | Promise<Fault | undefined>) {
    this.#table = table;
    this.#plan = plan;
  }

  get(key: ItemKey): Promise<Item | undefined> {
    return this.#run({ kind: "get" }, () => this.#table.get(key));
  }
  getMany(keys: readonly ItemKey[]): Promise<(Item | undefined)[]> {
    return this.#run({ kind: "getMany" }, () => this.#table.getMany(keys));
  }
  query(pk: string, range?: QueryRange): Promise<{ items: Item[]; more: boolean }> {
    return this.#run({ kind: "query" }, () => this.#table.query(pk, range));
  }
  write(write: Write): Promise<Item | undefined> {
    return this.#run({ kind: "write", write }, () => this.#table.write(write));
  }
  writeTogether(writes: readonly Write[], token: string): Promise<void> {
    return this.#run({ kind: "writeTogether", writes, token }, () => this.#table.writeTogether(writes, token));
  }
  writeMany(writes: readonly UnconditionalWrite[]): Promise<void> {
    return this.#run({ kind: "writeMany" }, () => this.#table.writeMany(writes));
  }
  close(): Promise<void> {
    return this.#table.close();
  }

  async #run<T>(call: Call, run: () => Promise<T>): Promise<T> {
    if (this.#dead) return never();
    this.calls.push(call);
    const fault = await this.#plan(call);
    switch (fault) {
      case undefined:
        return run();
      case "throttled":
        throw new TableError("Throttled", "injected");
      case "conflict":
        throw new TableError("Conflict", "injected");
      case "lost":
        throw new TableError("Unknown", "injected");
      case "unanswered":
        await run();
        throw new TableError("Unknown", "injected");
      case "lastAct":
        this.#dead = true;
        await run();
        return never();
      case "dead":
        this.#dead = true;
        return never();
    }
  }
}

const never = <T>(): Promise<T> => new Promise<T>(() => {});
