import { collectionOf, type ObjectKey } from "../../kubernetes/object.ts";
import { type ClusterBase, firstRevision } from "../cluster-base.ts";
import { type LogEntry, type StoredObject, StoreError } from "../store.ts";
import { LazyObject } from "../stored-entry.ts";
import { bytesAt, numberAt } from "./attributes.ts";
import { collectionPartition, keyOfObject, objectKey, objectPartKey, objectPath } from "./keys.ts";
import { inlineBytes, type Payloads, split } from "./payload.ts";
import type { Condition, Item, ItemKey, Table, Write } from "./table.ts";

/** A key of the cluster as the table has it. `gone`: deleted, with a mark that hides the object of the cluster base. */
export type Found = { readonly kind: "live"; readonly stored: StoredObject } | { readonly kind: "gone" } | { readonly kind: "absent" };

const tries = 20;

/** Object items: the newest state of each key. */
export class ObjectTable {
  readonly #table: Table;
  readonly #payloads: Payloads;
  readonly #base: ClusterBase;

  constructor(table: Table, payloads: Payloads, base: ClusterBase) {
    this.#table = table;
    this.#payloads = payloads;
    this.#base = base;
  }

  /** What lies under each key; `known` as in the port. */
  async read(scope: string, keys: readonly ObjectKey[], known?: (key: ObjectKey) => StoredObject | undefined): Promise<Found[]> {
    const itemKeys = keys.map((key) => objectKey(scope, key));
    const [first] = itemKeys;
    const items = itemKeys.length === 1 && first ? [await this.#table.get(first)] : await this.#table.getMany(itemKeys);
    return Promise.all(keys.map((key, index) => this.#found(scope, key, items[index], known?.(key))));
  }

  /** Every item of a collection; what changes meanwhile is shown before or after the change. */
  async readCollection(scope: string, collection: string): Promise<{ key: ObjectKey; found: Found }[]> {
    const pk = collectionPartition(scope, collection);
    const all: { key: ObjectKey; found: Found }[] = [];
    for (let from: string | undefined, more = true; more; ) {
      const page = await this.#table.query(pk, from === undefined ? {} : { from });
      for (const item of page.items) {
        const key = keyOfObject(collection, item.sk);
        all.push({ key, found: await this.#found(scope, key, item) });
      }
      more = page.more;
      from = `${page.items.at(-1)?.sk ?? ""}\u0000`;
    }
    return all;
  }

  /** Keys of all items of a collection, parts included. */
  async *itemKeys(scope: string, collection: string): AsyncGenerator<ItemKey[]> {
    const pk = collectionPartition(scope, collection);
    yield* keysOfPartition(this.#table, pk);
    yield* keysOfPartition(this.#table, `${pk}#parts`);
  }

  /**
   * The writes that make `entry` the state of its key, on condition of the revision its writer saw. The first one carries the
   * condition. `parts`: how many parts the state before has; a wrong guess fails the condition.
   *
   * A deletion leaves a mark with its revision: a writer who saw the key absent, and was slow while it came and went, must not put a state under it
   * that is older than the deletion. The mark of a key that no base has goes by TTL (`expiry`, in seconds), long after any such writer's time.
   */
  writesOf(scope: string, entry: LogEntry, expected: number, parts: number, expiry: number): Write[] {
    const key = objectKey(scope, entry.key);
    const when = this.#condition(entry, expected, parts);
    if (entry.type === "DELETED") {
      const lasting = this.#base.has(objectPath(entry.key));
      const gone = { ...key, revision: entry.revision, deleted: true, ...(!lasting && { ttl: expiry }) };
      return [{ kind: "put", item: gone, when }, ...this.#dropParts(key, 0, parts)];
    }
    const payload = this.#payloads.encode(scope, entry.key, entry.bytes);
    if (payload.length <= inlineBytes)
      return [{ kind: "put", item: { ...key, revision: entry.revision, body: payload }, when }, ...this.#dropParts(key, 0, parts)];
    const pieces = split(payload);
    return [
      { kind: "put", item: { ...key, revision: entry.revision, parts: pieces.length }, when },
      ...pieces.map((body, part): Write => ({ kind: "put", item: { ...objectPartKey(key, part), revision: entry.revision, body } })),
      ...this.#dropParts(key, pieces.length, parts),
    ];
  }

  #dropParts(key: ItemKey, from: number, to: number): Write[] {
    return Array.from({ length: Math.max(0, to - from) }, (_, index) => ({ kind: "delete", key: objectPartKey(key, from + index) }));
  }

  #condition({ key, revision }: LogEntry, expected: number, parts: number): Condition {
    const inBase = this.#base.has(objectPath(key));
    const gone: Condition = {
      is: "all",
      of: [
        { is: "equal", path: ["deleted"], value: true },
        { is: "atMost", path: ["revision"], value: revision },
      ],
    };
    if (expected === 0) return inBase ? gone : { is: "any", of: [{ is: "absent" }, gone] };
    if (inBase && expected === firstRevision) return { is: "absent" };
    return {
      is: "all",
      of: [
        { is: "equal", path: ["revision"], value: expected },
        { is: "unset", path: ["deleted"] },
        parts === 0 ? { is: "unset", path: ["parts"] } : { is: "equal", path: ["parts"], value: parts },
      ],
    };
  }

  async #found(scope: string, key: ObjectKey, item: Item | undefined, known?: StoredObject): Promise<Found> {
    for (let current = item, round = 0; round < tries; round++) {
      if (!current) return { kind: "absent" };
      if (current.deleted === true) return { kind: "gone" };
      const revision = numberAt(current, "revision");
      if (known?.revision === revision) return { kind: "live", stored: known };
      const payload = bytesAt(current, "body") ?? (await this.#joined(current, revision));
      if (payload) return { kind: "live", stored: new LazyObject(key, revision, this.#payloads.decode(scope, key, payload)) };
      // Its parts are already those of another state.
      current = await this.#table.get(objectKey(scope, key));
    }
    throw new StoreError("Unavailable", `${collectionOf(key)} ${key.namespace}/${key.name} changes faster than it can be read`);
  }

  async #joined(item: Item, revision: number): Promise<Buffer | undefined> {
    const keys = Array.from({ length: numberAt(item, "parts") }, (_, part) => objectPartKey(item, part));
    const parts = await this.#table.getMany(keys);
    const bodies = parts.flatMap((part) => (numberAt(part, "revision") === revision ? (bytesAt(part, "body") ?? []) : []));
    return bodies.length === keys.length ? Buffer.concat(bodies) : undefined;
  }
}

/** The keys of a partition, page by page. */
export async function* keysOfPartition(table: Table, pk: string): AsyncGenerator<ItemKey[]> {
  for (let from: string | undefined, more = true; more; ) {
    const page = await table.query(pk, { keysOnly: true, ...(from !== undefined && { from }) });
    yield page.items.map(({ pk, sk }) => ({ pk, sk }));
    more = page.more && page.items.length > 0;
    from = `${page.items.at(-1)?.sk ?? ""}\u0000`;
  }
}
