import { headKey, partitionOfRecord } from "../../../shared/store/dynamo/keys.ts";
import {
  type Item,
  type ItemKey,
  keyOfWrite,
  type QueryRange,
  type Table,
  TableError,
  type UnconditionalWrite,
  type Write,
} from "../../../shared/store/dynamo/table.ts";
import type { SimulatedProcess } from "../process.ts";
import type { SimulatedDynamo } from "./simulated-dynamo.ts";

/** Shares of calls that end badly. */
export interface CallFaults {
  readonly throttled: number;
  readonly conflict: number;
  /** Never arrives; the caller sees a time-out. */
  readonly lost: number;
  /** Arrives and is done; the caller sees a time-out. */
  readonly unanswered: number;
  /** A transaction that is taken, and decided up to some seconds after its caller saw a time-out. */
  readonly late: number;
  /** Of writes of single records alone: done in time, and answered up to a second later. Nothing goes wrong with it, so it happens when all is well too. */
  readonly slow: number;
}

export const noFaults: CallFaults = { throttled: 0, conflict: 0, lost: 0, unanswered: 0, late: 0, slow: 0 };
/** Nothing fails. */
export const onlySlow = ({ slow }: CallFaults): CallFaults => ({ ...noFaults, slow });

const headSort = headKey("").sk;
const timeOutMs = 300;
const longestLateMs = 4000;
const longestSlowMs = 1000;

/** One process's connection to the table: every call takes its time there and back, and may end badly on either way. */
export class TableClient implements Table {
  readonly #dynamo: SimulatedDynamo;
  readonly #process: SimulatedProcess;
  readonly #faults: () => CallFaults;

  constructor(dynamo: SimulatedDynamo, process: SimulatedProcess, faults: () => CallFaults) {
    this.#dynamo = dynamo;
    this.#process = process;
    this.#faults = faults;
  }

  get(key: ItemKey): Promise<Item | undefined> {
    return this.#call(false, (answer) => answer(this.#dynamo.get(key)));
  }

  /** Not one moment: each item is read by itself. */
  getMany(keys: readonly ItemKey[]): Promise<(Item | undefined)[]> {
    return this.#call(false, (answer) => {
      const found = keys.map((key) => (this.#process.random.chance(0.5) ? { item: this.#dynamo.get(key) } : undefined));
      this.#process.world.after(this.#latency() / 4, () =>
        answer(
          keys.map((key, index) => {
            const early = found[index];
            return early ? early.item : this.#dynamo.get(key);
          }),
        ),
      );
    });
  }

  /** Not one moment either; and a page may end anywhere, as those of large items do. */
  query(pk: string, { from = "", to, limit = 1000, keysOnly }: QueryRange = {}): Promise<{ items: Item[]; more: boolean }> {
    return this.#call(false, (answer) => {
      const { random, world } = this.#process;
      const most = random.chance(0.1) ? Math.min(limit, 1 + random.below(6)) : limit;
      const shown = (items: Item[]): Item[] => (keysOnly ? items.map(({ pk, sk }) => ({ pk, sk })) : items);
      const read = (start: string, count: number): Item[] => {
        const items: Item[] = [];
        for (const item of this.#dynamo.range(pk, start, to)) if (items.push(item) >= count) break;
        return items;
      };
      const first = read(from, random.chance(0.2) ? Math.max(1, random.below(most)) : most);
      if (first.length === 0 || first.length === most) return answer({ items: shown(first), more: first.length === most });
      world.after(this.#latency() / 4, () => {
        const rest = read(`${first.at(-1)?.sk ?? ""}\u0000`, most - first.length);
        answer({ items: shown([...first, ...rest]), more: first.length + rest.length === most });
      });
    });
  }

  write(write: Write): Promise<Item | undefined> {
    const key = keyOfWrite(write);
    const act: Act<Item | undefined> = (answer) => {
      answer(this.#dynamo.write(write));
      if (write.kind === "update" && key.sk === headSort && write.update.add) this.#process.onRevisions?.();
    };
    return this.#call(true, act, partitionOfRecord(key.pk) !== undefined);
  }

  writeTogether(writes: readonly Write[], token: string): Promise<void> {
    return this.#call(true, (answer, refuse, delayMs) =>
      this.#dynamo.transact(writes, token, (error) => (error ? refuse(error) : answer()), delayMs),
    );
  }

  async writeMany(writes: readonly UnconditionalWrite[]): Promise<void> {
    await Promise.all(writes.map((write) => this.write(write)));
  }

  async close(): Promise<void> {}

  #call<T>(isWrite: boolean, act: Act<T>, isRecord = false): Promise<T> {
    const { random, world } = this.#process;
    if (!this.#process.alive) return new Promise(() => {});
    return new Promise<T>((resolve, reject) => {
      const back = (run: () => void, afterMs = this.#latency()): void => void this.#process.after(afterMs, run);
      const refuse = (error: unknown): void => back(() => reject(error));
      const run = (answer: (value: T) => void, refused: (error: unknown) => void, delayMs = 0): void => {
        try {
          act(answer, refused, delayMs);
        } catch (error) {
          refused(error);
        }
      };
      const timeOut = (): void => back(() => reject(new TableError("Unknown", "timed out")), timeOutMs);
      const ignore = (): void => {};
      world.after(this.#latency(), () => {
        const faults = this.#faults();
        let at = random.next();
        const is = (share: number): boolean => {
          at -= share;
          return at < 0 && at >= -share;
        };
        if (is(faults.throttled)) return refuse(new TableError("Throttled", "too many requests"));
        if (is(faults.lost)) return timeOut();
        if (is(faults.unanswered)) {
          timeOut();
          return run(ignore, ignore);
        }
        if (isWrite && is(faults.conflict)) return refuse(new TableError("Conflict", "another transaction was there"));
        if (is(faults.late)) {
          timeOut();
          return run(ignore, ignore, random.between(0, longestLateMs));
        }
        const slowMs = isRecord && is(faults.slow) ? random.between(100, longestSlowMs) : undefined;
        run((value) => back(() => resolve(value), slowMs), refuse);
      });
    });
  }

  /** One way. */
  #latency(): number {
    const { random } = this.#process;
    return random.chance(0.03) ? random.between(5, 120) : random.between(0.3, 4);
  }
}

/** Only transactions can be put off: they alone are taken first and decided later. */
type Act<T> = (answer: (value: T) => void, refuse: (error: unknown) => void, delayMs: number) => void;
