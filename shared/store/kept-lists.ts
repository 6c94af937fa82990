import type { StoredObject } from "./store.ts";

/** A list that is read in pages costs 8 bytes an object, and what has been replaced since. */
const maxLists = 128;
const maxObjects = 500_000;

/** Lists as they were when somebody began to read them in pages: the history of a busy cluster is shorter than that takes. */
export class KeptLists {
  readonly #lists = new Map<string, readonly StoredObject[]>();
  #objects = 0;

  /** Nothing happens where this revision of the list is kept already. */
  keep(collection: string, namespace: string | undefined, revision: number, read: () => readonly StoredObject[]): void {
    const path = pathOf(collection, namespace, revision);
    if (this.#lists.has(path)) return;
    const list = [...read()];
    this.#lists.set(path, list);
    this.#objects += list.length;
    for (const [oldest, { length }] of this.#lists) {
      if (oldest === path || (this.#lists.size <= maxLists && this.#objects <= maxObjects)) break;
      this.#lists.delete(oldest);
      this.#objects -= length;
    }
  }

  at(collection: string, namespace: string | undefined, revision: number): readonly StoredObject[] | undefined {
    return this.#lists.get(pathOf(collection, namespace, revision));
  }
}

const pathOf = (collection: string, namespace: string | undefined, revision: number): string =>
  `${collection}\u0001${namespace ?? "*"}\u0001${revision}`;
