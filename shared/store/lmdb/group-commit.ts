import type { RootDatabase } from "lmdb";
import { StoreError } from "../store.ts";
import type { Chain } from "./chain.ts";

interface Flight<T> {
  readonly item: T;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

interface Group<T> {
  readonly flights: readonly Flight<T>[];
  readonly link: number;
  state: "under way" | "landed" | "failed";
}

export interface GroupCommitOptions<T> {
  readonly root: Pick<RootDatabase<Buffer, string>, "batch" | "flushed">;
  readonly chain: Pick<Chain, "append" | "mend" | "end">;
  /** Puts what the items change, in the order of the calls. They are all that has been added and not been written. */
  readonly write: (items: readonly T[]) => void;
  /** The items are on disk: called in the order of `add`, before their promises resolve. */
  readonly landed: (items: readonly T[]) => void;
  /** All that was added and has not landed never will: called before their promises reject. */
  readonly lost: () => void;
  /** Why not to hand so much to LMDB, beside what is on its way. Absent: there is room for everything. */
  readonly refuse?: (items: readonly T[]) => StoreError | undefined;
  /** Why LMDB refused. */
  readonly explain: (cause: unknown) => Promise<StoreError>;
}

/** A group of this size does not wait for the rest of what has arrived: the disk works while that is still being read. */
const fullGroup = 16;
/** Transactions under way at once: one syncs, one writes, one waits for its turn. */
const maxGroups = 3;

/**
 * Writes that share transactions and syncs. What waits becomes one transaction when the event loop has read what has arrived and no other
 * is under way, or when it is enough to fill a group. When LMDB refuses a transaction (a full disk), all that was not on disk by then fails with it,
 * because it may have been checked against it; what is added from then on is written as if that had never been.
 */
export class GroupCommit<T> {
  readonly #options: GroupCommitOptions<T>;
  #waiting: Flight<T>[] = [];
  /** In the order they were begun; the first ones leave as soon as they are on disk. */
  readonly #groups: Group<T>[] = [];
  /** Of the last group that is on disk. */
  #landedLink: number;
  #scheduled = false;
  /** Why the group that failed first did. */
  #refusal: StoreError | undefined;
  #refused = false;
  #failed: StoreError | undefined;

  constructor(options: GroupCommitOptions<T>) {
    this.#options = options;
    this.#landedLink = options.chain.end;
  }

  /** Why nothing is written any more. */
  get failed(): StoreError | undefined {
    return this.#failed;
  }

  /** The last transaction was refused. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Nothing is on its way to the disk. */
  get idle(): boolean {
    return this.#waiting.length === 0 && this.#groups.length === 0;
  }

  /**
   * Resolves, in the order of the calls, when the item is on disk.
   * @throws StoreError `DiskFull` when it is not and never will be; `Unavailable` when nobody knows, and from then on
   */
  add(item: T): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failed);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#waiting.length >= fullGroup && this.#groups.length < maxGroups) this.#begin();
      else this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#groups.length === 0) this.#begin();
    });
  }

  #begin(): void {
    if (this.#waiting.length === 0 || this.#groups.some(({ state }) => state === "failed")) return;
    const flights = this.#waiting;
    this.#waiting = [];
    const { root, chain, write, explain, refuse } = this.#options;
    const items = flights.map(({ item }) => item);
    const refusal = refuse?.([...this.#groups.flatMap((group) => group.flights.map(({ item }) => item)), ...items]);
    if (refusal) {
      this.#refusal ??= refusal;
      const group: Group<T> = { flights, link: chain.end, state: "under way" };
      this.#groups.push(group);
      queueMicrotask(() => this.#settle(group, "failed"));
      return;
    }
    const { link, isWritten } = chain.append(() => write(items));
    const group: Group<T> = { flights, link, state: "under way" };
    this.#groups.push(group);
    // Asked for now: later it would be the sync of a later transaction.
    const synced = root.flushed.then(() => true);
    // lmdb begins the first batch of a turn when the event loop comes round, and at once when there is a second.
    const begun = root.batch(() => undefined);
    // A full disk fails all of them: what fails first tells of it, and the others must not end the process.
    for (const promise of [isWritten, begun, synced]) promise.catch(hush);
    isWritten
      .then((isLinked) => isLinked && synced)
      .then(
        (isOnDisk) => this.#settle(group, isOnDisk ? "landed" : "failed"),
        async (cause: unknown) => {
          this.#refusal ??= await explain(cause);
          this.#settle(group, "failed");
        },
      );
  }

  #settle(group: Group<T>, state: "landed" | "failed"): void {
    group.state = state;
    if (this.#groups[0]?.state === "landed") this.#land();
    // What comes after it fails too, but not at once.
    if (this.#groups[0]?.state === "failed" && this.#groups.every(({ state }) => state !== "under way")) this.#fail();
  }

  #land(): void {
    const count = this.#groups.findIndex(({ state }) => state !== "landed");
    const groups = this.#groups.splice(0, count < 0 ? this.#groups.length : count);
    this.#landedLink = groups.at(-1)?.link ?? this.#landedLink;
    const flights = groups.flatMap((landed) => landed.flights);
    if (this.#groups.length === 0 || this.#waiting.length >= fullGroup) this.#begin();
    this.#refused = false;
    this.#options.landed(flights.map(({ item }) => item));
    for (const { resolve } of flights) resolve();
  }

  #fail(): void {
    const { chain, lost } = this.#options;
    const refusal = this.#refusal ?? new StoreError("Unavailable", "the store cannot write");
    this.#refusal = undefined;
    this.#refused = true;
    const flights = [...this.#groups.splice(0).flatMap((group) => group.flights), ...this.#waiting.splice(0)];
    let error = refusal;
    // LMDB cannot take back what it wrote but did not sync (then nobody knows what the disk has), nor go on after a meta page that it could not write.
    if (chain.mend(this.#landedLink)) lost();
    else {
      error = new StoreError("Unavailable", "the disk failed: the process has to be started anew", { cause: refusal });
      this.#failed = error;
    }
    for (const { reject } of flights) reject(error);
  }
}

/** LMDB's errors carry a promise of the reason, which is rejected too. */
function hush(error: unknown): void {
  if (error instanceof Error && "commitError" in error && error.commitError instanceof Promise) error.commitError.catch(() => undefined);
}
