import { type Clock, sleep } from "../../clock.ts";
import {
  type Item,
  type ItemKey,
  isTableError,
  type QueryRange,
  type Table,
  TableError,
  type UnconditionalWrite,
  type Write,
} from "./table.ts";

export interface RetryPolicy {
  /** Tries in all. */
  readonly attempts: number;
  /** Before the second try, at most so long; doubled for each further one up to `capMs`. */
  readonly baseMs: number;
  readonly capMs: number;
}

export const defaultRetryPolicy: RetryPolicy = { attempts: 8, baseMs: 25, capMs: 1000 };

const always = (): boolean => true;
const retryable = new Set(["Conflict", "Throttled", "InProgress", "Unknown"]);

/**
 * Tries again, a bounded number of times with full jitter (Brooker, "Exponential Backoff And Jitter"), what throttling, conflicts and lost answers
 * stopped. A transaction keeps its token, so it is never applied twice. A condition that fails after a lost answer may have been
 * failed by the call's own first try: the error says so (`ambiguous`). An update that adds may be applied twice: give it to `writeTogether`.
 */
export class RetryingTable implements Table {
  readonly #table: Table;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #policy: RetryPolicy;

  constructor(table: Table, clock: Clock, random: () => number, policy: RetryPolicy = defaultRetryPolicy) {
    this.#table = table;
    this.#clock = clock;
    this.#random = random;
    this.#policy = policy;
  }

  get(key: ItemKey): Promise<Item | undefined> {
    return this.#retry(() => this.#table.get(key));
  }
  getMany(keys: readonly ItemKey[]): Promise<(Item | undefined)[]> {
    return this.#retry(() => this.#table.getMany(keys));
  }
  query(pk: string, range?: QueryRange): Promise<{ items: Item[]; more: boolean }> {
    return this.#retry(() => this.#table.query(pk, range));
  }
  write(write: Write): Promise<Item | undefined> {
    return this.#retry(() => this.#table.write(write));
  }
  /** `isWanted` is asked before each further try. */
  writeTogether(writes: readonly Write[], token: string, isWanted: () => boolean = always): Promise<void> {
    return this.#retry(() => this.#table.writeTogether(writes, token), isWanted);
  }
  writeMany(writes: readonly UnconditionalWrite[]): Promise<void> {
    return this.#retry(() => this.#table.writeMany(writes));
  }
  close(): Promise<void> {
    return this.#table.close();
  }

  async #retry<T>(run: () => Promise<T>, isWanted: () => boolean = always): Promise<T> {
    let ambiguous = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        if (!isTableError(error)) throw error;
        const last = attempt >= this.#policy.attempts || !retryable.has(error.code);
        if (last && (error.ambiguous || !ambiguous)) throw error;
        if (last) throw new TableError(error.code, error.message, { failed: error.failed, ambiguous, cause: error.cause });
        ambiguous ||= error.ambiguous;
        await this.#pause(attempt);
        if (!isWanted()) throw new TableError(error.code, error.message, { ambiguous, cause: error.cause });
      }
    }
  }

  #pause(attempt: number): Promise<void> {
    const longest = Math.min(this.#policy.capMs, this.#policy.baseMs * 2 ** (attempt - 1));
    return sleep(this.#clock, this.#random() * longest);
  }
}
