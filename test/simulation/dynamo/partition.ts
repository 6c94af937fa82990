import type { Item } from "../../../shared/store/dynamo/table.ts";

/** Items under one partition key, in the order of their sort keys. */
export class Partition {
  readonly #items = new Map<string, Item>();
  #sorted: string[] | undefined;

  get(sk: string): Item | undefined {
    return this.#items.get(sk);
  }

  set(item: Item): void {
    if (!this.#items.has(item.sk)) this.#sorted = undefined;
    this.#items.set(item.sk, item);
  }

  delete(sk: string): void {
    if (this.#items.delete(sk)) this.#sorted = undefined;
  }

  /** From `from` on, both ends included. */
  *range(from: string, to: string | undefined): Generator<Item> {
    this.#sorted ??= [...this.#items.keys()].sort();
    for (const sk of this.#sorted) {
      if (sk < from) continue;
      if (to !== undefined && sk > to) return;
      const item = this.#items.get(sk);
      if (item) yield item;
    }
  }

  all(): Iterable<Item> {
    return this.#items.values();
  }
}
