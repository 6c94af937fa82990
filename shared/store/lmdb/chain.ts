import type { Database, RootDatabase } from "lmdb";

const place = "last";
const nothing = Buffer.alloc(1);

/**
 * Ties transactions together that are under way at once: each is written only if the one before it was, so that nothing lands that was
 * decided upon what then was not written. The number of the last one lies in a table of its own, as lmdb's version of its only value.
 */
export class Chain {
  readonly #root: RootDatabase<Buffer, string>;
  readonly #links: Database<Buffer, string>;
  /** What the next transaction follows on; 0: nothing was ever written. */
  #end: number;
  /** Never used twice by a process, so that what waits in vain for a link waits for ever. */
  #newest: number;

  constructor(root: RootDatabase<Buffer, string>) {
    this.#root = root;
    this.#links = root.openDB<Buffer, string>({ name: "chain", encoding: "binary", useVersions: true });
    this.#end = this.#newest = this.#last();
  }

  /** Puts what `write` puts, all or nothing. `isWritten` resolves with false when a link before it is missing. */
  append(write: () => void): { readonly link: number; readonly isWritten: Promise<boolean> } {
    const before = this.#end;
    const link = ++this.#newest;
    this.#end = link;
    const action = (): void => {
      write();
      void this.#links.put(place, nothing, link);
    };
    const isWritten = before === 0 ? this.#links.ifNoExists(place, action) : this.#links.ifVersion(place, before, action);
    return { link, isWritten };
  }

  /** Goes on from `link` after a later one was not written. False: LMDB holds another, or cannot be read any more. */
  mend(link: number): boolean {
    try {
      this.#root.resetReadTxn();
      if (this.#last() !== link) return false;
    } catch {
      return false;
    }
    this.#end = link;
    return true;
  }

  /** The last link that was known to be written when the process began. */
  get end(): number {
    return this.#end;
  }

  #last(): number {
    return this.#links.getEntry(place)?.version ?? 0;
  }
}
