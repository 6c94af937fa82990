import { type FailedCondition, type Item, type ItemKey, keyOfWrite, TableError, type Write } from "../../../shared/store/dynamo/table.ts";
import { holds, updated } from "../../unit/store/dynamo/memory-table.ts";
import type { Random } from "../random.ts";
import type { World } from "../world.ts";
import { Partition } from "./partition.ts";

const pathOf = ({ pk, sk }: ItemKey): string => `${pk}\u0000${sk}`;
/** "Idempotency" in the DynamoDB Developer Guide: a token is valid for 10 minutes after the request that used it has ended. */
const tokenMs = 600_000;

export interface ServiceSpeed {
  /** The longest that transactions usually take from their decision until their last item shows it. */
  readonly applyMs: number;
  /** Share of transactions that take up to 40 times as long. */
  readonly slowShare: number;
}

/** Told of each change of an item, in the order in which readers can see them. */
export type Tap = (before: Item | undefined, after: Item | undefined) => void;

/**
 * What DynamoDB does with one table, and no more than it promises (Developer Guide, "Transactions": isolation levels, conflict handling, idempotency;
 * "TTL": how it works). A transaction is decided in one moment, and reads of single items show it from then on (they are serializable with it); queries
 * (read-committed) show one of its items after another. It is answered when queries show all of it. Whatever writes to one of its items before that is
 * refused as a conflict.
 */
export class SimulatedDynamo {
  readonly #world: World;
  readonly #random: Random;
  readonly #speed: ServiceSpeed;
  readonly #tap: Tap;
  readonly #decided = new Map<string, Partition>();
  /** What queries show. */
  readonly #shown = new Map<string, Partition>();
  readonly #locked = new Set<string>();
  readonly #tokens = new Map<string, { readonly keys: string; doneMs: number | undefined }>();

  constructor(world: World, random: Random, speed: ServiceSpeed, tap: Tap) {
    this.#world = world;
    this.#random = random;
    this.#speed = speed;
    this.#tap = tap;
  }

  get(key: ItemKey): Item | undefined {
    return this.#decided.get(key.pk)?.get(key.sk);
  }

  range(pk: string, from: string, to: string | undefined): Iterable<Item> {
    return this.#shown.get(pk)?.range(from, to) ?? [];
  }

  keys(): ItemKey[] {
    return [...this.#decided].flatMap(([pk, partition]) => [...partition.all()].map(({ sk }) => ({ pk, sk })));
  }

  /** @throws TableError */
  write(write: Write): Item | undefined {
    const key = keyOfWrite(write);
    if (this.#locked.has(pathOf(key))) throw new TableError("Conflict", "a transaction holds the item");
    const failed = this.#failedConditions([write]);
    if (failed.length > 0) throw new TableError("ConditionFailed", "the condition does not hold", { failed });
    this.#apply(write);
    this.#show(key);
    return write.kind === "update" ? this.get(key) : undefined;
  }

  /** `delayMs`: it is taken at once and decided later. Whoever sends it again meanwhile hears that it is under way. */
  transact(writes: readonly Write[], token: string, answer: (error: TableError | undefined) => void, delayMs = 0): void {
    const paths = writes.map((write) => pathOf(keyOfWrite(write)));
    const keys = paths.join("\u0001");
    const known = this.#tokens.get(token);
    if (known && (known.doneMs === undefined || known.doneMs > this.#world.nowMs - tokenMs)) {
      if (known.keys !== keys) answer(new TableError("Refused", "another request has this token"));
      else answer(known.doneMs === undefined ? new TableError("InProgress", "the transaction is under way") : undefined);
      return;
    }
    const entry = { keys, doneMs: undefined as number | undefined };
    this.#tokens.set(token, entry);
    const decide = (): void =>
      this.#decide(writes, paths, (error) => {
        if (error) this.#tokens.delete(token);
        entry.doneMs = this.#world.nowMs;
        answer(error);
      });
    if (delayMs > 0) this.#world.after(delayMs, decide);
    else decide();
  }

  #decide(writes: readonly Write[], paths: readonly string[], answer: (error: TableError | undefined) => void): void {
    const refusal = this.#refusal(writes, paths);
    if (refusal) answer(refusal);
    else this.#carryOut(writes, paths, () => answer(undefined));
  }

  #refusal(writes: readonly Write[], paths: readonly string[]): TableError | undefined {
    if (writes.length > 100 || new Set(paths).size < paths.length) return new TableError("Refused", "too many items, or one twice");
    const free = writes.map((write, index) => ({ write, index })).filter(({ index }) => !this.#locked.has(paths[index] ?? ""));
    const failed = this.#failedConditions(free.map(({ write }) => write)).map(({ index, found }) => ({
      index: free[index]?.index ?? index,
      found,
    }));
    if (failed.length > 0) return new TableError("ConditionFailed", "conditions do not hold", { failed });
    return free.length < writes.length ? new TableError("Conflict", "another transaction holds an item") : undefined;
  }

  #carryOut(writes: readonly Write[], paths: readonly string[], done: () => void): void {
    for (const path of paths) this.#locked.add(path);
    const longest = this.#speed.applyMs * (this.#random.chance(this.#speed.slowShare) ? 40 : 1);
    for (const write of writes) this.#apply(write);
    let left = writes.length;
    for (const write of writes) {
      this.#world.after(this.#random.between(0, longest), () => {
        this.#locked.delete(pathOf(keyOfWrite(write)));
        this.#show(keyOfWrite(write));
        if (--left === 0) done();
      });
    }
  }

  /** Deletes a share of what its TTL names: which, and when, nobody knows. */
  sweep(share: number): void {
    for (const [pk, partition] of this.#decided) {
      for (const item of [...partition.all()]) {
        const expired = typeof item.ttl === "number" && item.ttl * 1000 < this.#world.nowMs;
        const key = { pk, sk: item.sk };
        if (!expired || !this.#random.chance(share) || this.#locked.has(pathOf(key))) continue;
        this.#apply({ kind: "delete", key });
        this.#show(key);
      }
    }
  }

  #failedConditions(writes: readonly Write[]): FailedCondition[] {
    return writes.flatMap((write, index) => {
      const found = this.get(keyOfWrite(write));
      return !write.when || holds(write.when, found) ? [] : [{ index, found }];
    });
  }

  #apply(write: Write): void {
    const key = keyOfWrite(write);
    const partition = partitionOf(this.#decided, key);
    const before = partition.get(key.sk);
    if (write.kind === "delete") partition.delete(key.sk);
    else partition.set(write.kind === "put" ? write.item : updated({ ...write.key, ...before }, write.update));
    this.#tap(before, partition.get(key.sk));
  }

  #show(key: ItemKey): void {
    const item = this.get(key);
    const partition = partitionOf(this.#shown, key);
    if (item) partition.set(item);
    else partition.delete(key.sk);
  }
}

function partitionOf(all: Map<string, Partition>, { pk }: ItemKey): Partition {
  let partition = all.get(pk);
  if (!partition) {
    partition = new Partition();
    all.set(pk, partition);
  }
  return partition;
}
