import { type RecordKey, type RecordOperation, type StoredRecord, StoreError } from "../store.ts";
import { numberAt } from "./attributes.ts";
import { recordKey, recordPartition, recordSort } from "./keys.ts";
import { recordOf, recordWrite, refuseTwice, zeroIsWithin } from "./record-writes.ts";
import { type FailedCondition, isTableError, type Table, type Write } from "./table.ts";

const defaultLimit = 1000;
export const transactionItems = 100;
const rounds = 10;

/** The records of a store. */
export class RecordTable {
  readonly #table: Table;
  readonly #makeId: () => string;

  constructor(table: Table, makeId: () => string) {
    this.#table = table;
    this.#makeId = makeId;
  }

  async get(keys: readonly RecordKey[]): Promise<(StoredRecord | undefined)[]> {
    const [key] = keys;
    const items = keys.length === 1 && key ? [await this.#table.get(recordKey(key))] : await this.#table.getMany(keys.map(recordKey));
    return keys.map((key, index) => {
      const item = items[index];
      return item && recordOf(key, item);
    });
  }

  async query(
    partition: string,
    { from, to, limit = defaultLimit }: { from?: string; to?: string; limit?: number },
  ): Promise<StoredRecord[]> {
    const records: StoredRecord[] = [];
    const end = to === undefined ? undefined : recordSort(to);
    let start = recordSort(from ?? "");
    for (let more = limit > 0 && (end === undefined || start < end); more; ) {
      // The upper end is inclusive in a query and not in the port.
      const range = { from: start, limit: limit - records.length + 1, ...(end !== undefined && { to: end }) };
      const page = await this.#table.query(recordPartition(partition), range);
      for (const item of page.items) if (item.sk !== end) records.push(recordOf({ partition, sort: item.sk.slice(1) }, item));
      start = `${page.items.at(-1)?.sk ?? start}\u0000`;
      more = page.more && page.items.length > 0 && records.length < limit;
    }
    return records.slice(0, limit);
  }

  /** Answers the new versions, as far as they are known without a read. */
  async write(operations: readonly RecordOperation[]): Promise<(number | undefined)[]> {
    if (operations.length > transactionItems) throw new StoreError("TooManyOperations", `${operations.length} records in one transaction`);
    refuseTwice(operations, 0);
    const [only] = operations;
    if (!only) return [];
    if (operations.length === 1 && only.kind !== "add") return [await this.#writeOne(only)];
    await this.writeWith([], operations);
    return operations.map(versionAfter);
  }

  /**
   * Other writes and records in one transaction. @throws StoreError `RevisionConflict` with the index of the record (the first one is 0),
   * or, of -1 - i, of the other write i
   */
  async writeWith(others: readonly Write[], operations: readonly RecordOperation[]): Promise<void> {
    const absent = new Set<number>();
    for (let round = 0; round < rounds; round++) {
      const writes = [...others, ...operations.map((operation, index) => recordWrite(operation, absent.has(index)))];
      try {
        return await this.#table.writeTogether(writes, this.#makeId());
      } catch (error) {
        if (!isTableError(error, "ConditionFailed")) throw error;
        const other = error.failed.find(({ index }) => index < others.length);
        if (other) throw new StoreError("RevisionConflict", "it exists", { index: -1 - other.index });
        const index = failedRecord(operations, error.failed, others.length, absent);
        if (index !== undefined) throw new StoreError("RevisionConflict", "the record has been modified", { index });
      }
    }
    throw new StoreError("Unavailable", "the records come and go faster than they can be added to");
  }

  /** One item is half the price outside a transaction. */
  async #writeOne(operation: RecordOperation): Promise<number | undefined> {
    const id = this.#makeId();
    const plain = recordWrite(operation, false);
    const write: Write = plain.kind === "put" ? { ...plain, item: { ...plain.item, writer: id } } : plain;
    try {
      const after = await this.#table.write(write);
      return operation.kind === "put" && operation.expected === undefined ? numberAt(after, "version") : versionAfter(operation);
    } catch (error) {
      if (!isTableError(error, "ConditionFailed")) throw error;
      const found = error.failed[0]?.found;
      // The answer to an earlier try was lost, and what lies there is what it wrote.
      if (error.ambiguous && (operation.kind === "delete" ? !found : found?.writer === id)) return versionAfter(operation);
      throw new StoreError("RevisionConflict", "the record has been modified", { index: 0 });
    }
  }
}

/** undefined: that of what lay there is not known. */
function versionAfter(operation: RecordOperation): number | undefined {
  if (operation.kind === "delete") return 0;
  return operation.kind === "add" || operation.expected === undefined ? undefined : operation.expected + 1;
}

/** The first record whose condition cannot hold; `undefined` when another try with what `absent` says now may do. */
export function failedRecord(
  operations: readonly RecordOperation[],
  failed: readonly FailedCondition[],
  offset: number,
  absent: Set<number>,
): number | undefined {
  let retry = false;
  for (const { index: at, found } of failed) {
    const index = at - offset;
    const operation = operations[index];
    if (!operation) continue;
    const tried = absent.has(index);
    const again = operation.kind === "add" && (tried ? found !== undefined : found === undefined && zeroIsWithin(operation));
    if (!again) return index;
    retry = true;
    if (tried) absent.delete(index);
    else absent.add(index);
  }
  return retry ? undefined : 0;
}
