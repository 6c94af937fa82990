import type { Item, ItemKey, QueryRange, Table, UnconditionalWrite, Write } from "../../shared/store/dynamo/table.ts";

/** Where a writer's process ends: before a call of the table, while it is under way, or after its answer. */
export const deathPhases = ["before", "during", "after"] as const;

export interface Death {
  /** Calls that write, counted from when it is armed. */
  readonly call: number;
  readonly phase: (typeof deathPhases)[number];
}

/** Ends its own process, without any farewell, at one of its writing calls. */
export class KillingTable implements Table {
  readonly #table: Table;
  readonly #die: () => void;
  #death: Death | undefined;
  #calls = 0;

  constructor(table: Table, die: () => void) {
    this.#table = table;
    this.#die = die;
  }

  arm(death: Death): void {
    this.#death = death;
    this.#calls = 0;
  }

  get(key: ItemKey): Promise<Item | undefined> {
    return this.#table.get(key);
  }
  getMany(keys: readonly ItemKey[]): Promise<(Item | undefined)[]> {
    return this.#table.getMany(keys);
  }
  query(pk: string, range?: QueryRange): Promise<{ items: Item[]; more: boolean }> {
    return this.#table.query(pk, range);
  }
  write(write: Write): Promise<Item | undefined> {
    return this.#run(() => this.#table.write(write));
  }
  writeTogether(writes: readonly Write[], token: string): Promise<void> {
    return this.#run(() => this.#table.writeTogether(writes, token));
  }
  writeMany(writes: readonly UnconditionalWrite[]): Promise<void> {
    return this.#run(() => this.#table.writeMany(writes));
  }
  close(): Promise<void> {
    return this.#table.close();
  }

  async #run<T>(run: () => Promise<T>): Promise<T> {
    const death = this.#death;
    if (!death || this.#calls++ !== death.call) return run();
    if (death.phase === "before") this.#die();
    const running = run();
    // The request is on its way; whether its answer is, nobody knows.
    if (death.phase === "during") await new Promise((resolve) => setTimeout(resolve, 3));
    else await running.catch(() => undefined);
    this.#die();
    return running;
  }
}
