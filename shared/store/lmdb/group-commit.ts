import type { RootDatabase } from "lmdb";
import { StoreError } from "../store.ts";

interface Flight<T> {
  readonly item: T;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

interface Group<T> {
  readonly flights: readonly Flight<T>[];
  landed: boolean;
}

export interface GroupCommitOptions<T> {
  readonly root: Pick<RootDatabase<Buffer, string>, "batch" | "flushed">;
  /** Puts what the items change, in the order of the calls. They are all that has been added and not been written. */
  readonly write: (items: readonly T[]) => void;
  /** The items are on disk: called in the order of `add`, before their promises resolve. */
  readonly landed: (items: readonly T[]) => void;
}

/** A group of this size does not wait for the rest of what has arrived: the disk works while that is still being read. */
const fullGroup = 16;
/** Transactions under way at once: one syncs, one writes, one waits for its turn. */
const maxGroups = 3;

/**
 * Writes that share transactions and syncs. What waits becomes one transaction when the event loop has read what has arrived and no other
 * is under way, or when it is enough to fill a group.
 */
export class GroupCommit<T> {
  readonly #options: GroupCommitOptions<T>;
  #waiting: Flight<T>[] = [];
  /** In the order they were begun; the first ones leave as soon as they are on disk. */
  readonly #groups: Group<T>[] = [];
  #scheduled = false;
  #failed: StoreError | undefined;

  constructor(options: GroupCommitOptions<T>) {
    this.#options = options;
  }

  /** Why nothing is written any more. */
  get failed(): StoreError | undefined {
    return this.#failed;
  }

  /** Nothing is on its way to the disk. */
  get idle(): boolean {
    return this.#waiting.length === 0 && this.#groups.length === 0;
  }

  /** Resolves, in the order of the calls, when the item is on disk. @throws StoreError `Unavailable` from the first failed write on */
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
    if (this.#waiting.length === 0) return;
    const flights = this.#waiting;
    this.#waiting = [];
    const group: Group<T> = { flights, landed: false };
    this.#groups.push(group);
    const { root, write } = this.#options;
    const written = root.batch(() => write(flights.map(({ item }) => item)));
    // Asked for now: later it would be the sync of a later transaction.
    const synced = root.flushed.then(() => undefined);
    // lmdb begins the first batch of a turn when the event loop comes round, and at once when there is a second.
    const begun = root.batch(() => undefined);
    // A full disk fails all of them: what fails first tells of it, and the others must not end the process.
    for (const promise of [written, begun, synced]) promise.catch(hush);
    Promise.all([written, begun])
      .then(() => synced)
      .then(
        () => this.#land(group),
        (cause: unknown) => this.#fail(cause),
      );
  }

  #land(group: Group<T>): void {
    group.landed = true;
    let count = 0;
    while (this.#groups[count]?.landed) count++;
    const flights = this.#groups.splice(0, count).flatMap((landed) => landed.flights);
    if (this.#groups.length === 0 || this.#waiting.length >= fullGroup) this.#begin();
    this.#options.landed(flights.map(({ item }) => item));
    for (const { resolve } of flights) resolve();
  }

  /** A write that LMDB refused (a full disk): nothing after it may be acknowledged, because it may have been checked against it. */
  #fail(cause: unknown): void {
    const failed = this.#failed ?? new StoreError("Unavailable", "the store cannot write", { cause });
    this.#failed = failed;
    const flights = [...this.#groups.splice(0).flatMap((group) => group.flights), ...this.#waiting.splice(0)];
    for (const { reject } of flights) reject(failed);
  }
}

/** LMDB's errors carry a promise of the reason, which is rejected too. */
function hush(error: unknown): void {
  if (error instanceof Error && "commitError" in error && error.commitError instanceof Promise) error.commitError.catch(() => undefined);
}
