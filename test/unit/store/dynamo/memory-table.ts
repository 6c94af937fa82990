import {
  type Attribute,
  type Condition,
  type FailedCondition,
  type Item,
  type ItemKey,
  keyOfWrite,
  type NumberMap,
  type Path,
  type QueryRange,
  type Table,
  TableError,
  type UnconditionalWrite,
  type Update,
  type Write,
} from "../../../../shared/store/dynamo/table.ts";

const pathOf = ({ pk, sk }: ItemKey): string => `${pk}\u0000${sk}`;

/**
 * A DynamoDB table in memory. `settle` says when a transaction's next item becomes visible to queries, as in DynamoDB, whose queries may show a
 * transaction half-applied until it is answered; `get` always shows it whole. Share one among several stores.
 */
export class MemoryTable implements Table {
  readonly items = new Map<string, Item>();
  readonly #visible = new Map<string, Item>();
  readonly #tokens = new Map<string, string>();
  readonly #settle: (() => Promise<void>) | undefined;

  constructor(settle?: () => Promise<void>) {
    this.#settle = settle;
  }

  async get(key: ItemKey): Promise<Item | undefined> {
    await turn();
    return this.items.get(pathOf(key));
  }

  async getMany(keys: readonly ItemKey[]): Promise<(Item | undefined)[]> {
    await turn();
    return keys.map((key) => this.items.get(pathOf(key)));
  }

  async query(pk: string, { from = "", to, limit = 1000, keysOnly }: QueryRange = {}): Promise<{ items: Item[]; more: boolean }> {
    await turn();
    const all = [...this.#visible.values()]
      .filter((item) => item.pk === pk && item.sk >= from && (to === undefined || item.sk <= to))
      .sort((a, b) => (a.sk < b.sk ? -1 : 1));
    const items = all.slice(0, limit);
    return { items: keysOnly ? items.map(({ pk, sk }) => ({ pk, sk })) : items, more: all.length > limit };
  }

  async write(write: Write): Promise<Item | undefined> {
    await turn();
    this.#check([write]);
    this.#apply(write);
    this.#show(keyOfWrite(write));
    return write.kind === "update" ? this.items.get(pathOf(write.key)) : undefined;
  }

  async writeTogether(writes: readonly Write[], token: string): Promise<void> {
    await turn();
    const said = JSON.stringify(writes);
    const known = this.#tokens.get(token);
    if (known !== undefined && known !== said) throw new TableError("Refused", "another transaction has this token");
    if (known !== undefined) return;
    if (writes.length > 100 || new Set(writes.map((write) => pathOf(keyOfWrite(write)))).size < writes.length)
      throw new TableError("Refused", "too many writes, or one item twice");
    this.#check(writes);
    this.#tokens.set(token, said);
    for (const write of writes) this.#apply(write);
    await this.#showAll(writes.map(keyOfWrite));
  }

  async writeMany(writes: readonly UnconditionalWrite[]): Promise<void> {
    await turn();
    for (const write of writes) {
      this.#apply(write);
      this.#show(keyOfWrite(write));
    }
  }

  async close(): Promise<void> {}

  async #showAll(keys: readonly ItemKey[]): Promise<void> {
    for (const key of this.#settle ? [...keys].reverse() : keys) {
      await this.#settle?.();
      this.#show(key);
    }
  }

  #show(key: ItemKey): void {
    const item = this.items.get(pathOf(key));
    if (item) this.#visible.set(pathOf(key), item);
    else this.#visible.delete(pathOf(key));
  }

  #check(writes: readonly Write[]): void {
    const failed = writes.flatMap((write, index): FailedCondition[] => {
      const found = this.items.get(pathOf(keyOfWrite(write)));
      return !write.when || holds(write.when, found) ? [] : [{ index, found }];
    });
    if (failed.length > 0) throw new TableError("ConditionFailed", "a condition failed", { failed });
  }

  #apply(write: Write): void {
    const path = pathOf(keyOfWrite(write));
    if (write.kind === "delete") this.items.delete(path);
    else if (write.kind === "put") this.items.set(path, write.item);
    else this.items.set(path, updated({ ...write.key, ...this.items.get(path) }, write.update));
  }
}

/** As an answer takes a moment. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function at(item: Item | undefined, [attribute, field]: Path): Attribute | undefined {
  const value = item?.[attribute];
  return field === undefined ? value : (value as NumberMap | undefined)?.[field];
}

export function holds(condition: Condition, item: Item | undefined): boolean {
  switch (condition.is) {
    case "absent":
      return item === undefined;
    case "present":
      return item !== undefined;
    case "unset":
      return at(item, condition.path) === undefined;
    case "equal":
      return at(item, condition.path) === condition.value;
    case "atMost": {
      const value = at(item, condition.path);
      return typeof value === "number" && value <= condition.value;
    }
    case "all":
      return condition.of.every((part) => holds(part, item));
    case "any":
      return condition.of.some((part) => holds(part, item));
  }
}

export function updated(item: Item, { set = {}, add = {}, addWithin, join = {} }: Update): Item {
  const after: Record<string, Attribute> = { ...item, ...set };
  for (const [name, by] of Object.entries(add)) after[name] = Number(after[name] ?? 0) + by;
  for (const [name, strings] of Object.entries(join))
    after[name] = new Set([...((after[name] as Set<string> | undefined) ?? []), ...strings]);
  if (addWithin) {
    const fields: Record<string, number> = { ...(after[addWithin.map] as NumberMap) };
    for (const [field, by] of Object.entries(addWithin.fields)) fields[field] = (fields[field] ?? 0) + by;
    after[addWithin.map] = fields;
  }
  return { ...after, pk: item.pk, sk: item.sk };
}
