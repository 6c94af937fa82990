import { StoreError } from "../store.ts";
import { noSuchCluster } from "./cluster-state.ts";
import { advance, type HeadRow, headRow } from "./head-item.ts";
import { isTableError, type Table } from "./table.ts";

export interface Grant {
  /** The first of the revisions. */
  readonly first: number;
  /** As it was right after they were handed out. */
  readonly head: HeadRow;
}

interface Waiting {
  readonly count: number;
  readonly resolve: (grant: Grant) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Hands out a cluster's revisions. Callers that come while a request is under way share the next one: never the one already sent, because a
 * revision must be younger than whatever its writer has read.
 */
export class RevisionSource {
  readonly #table: Table;
  readonly #scope: string;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(table: Table, scope: string) {
    this.#table = table;
    this.#scope = scope;
  }

  /** @throws StoreError `NoSuchCluster` */
  take(count: number): Promise<Grant> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ count, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const together = batch.reduce((sum, { count }) => sum + count, 0);
      try {
        const item = await this.#table.write(advance(this.#scope, together));
        if (!item) throw new StoreError("Unavailable", "the head gave no answer");
        const head = headRow(item);
        let first = head.revision - together + 1;
        for (const { count, resolve } of batch) {
          resolve({ first, head });
          first += count;
        }
      } catch (error) {
        const reason = isTableError(error, "ConditionFailed") ? noSuchCluster(this.#scope) : error;
        for (const { reject } of batch) reject(reason);
      }
    }
    this.#running = false;
  }
}
