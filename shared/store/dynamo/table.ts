/**
 * What the store asks of a DynamoDB table, in values instead of expressions. `AwsTable` speaks to DynamoDB, tests bring one in memory
 * and one that fails on purpose. Reads are strongly consistent. Only `TableError` leaves a table.
 */
export interface Table {
  get(key: ItemKey): Promise<Item | undefined>;
  /** In the order asked, however many. */
  getMany(keys: readonly ItemKey[]): Promise<(Item | undefined)[]>;
  /** One page of a partition, ascending by `sk`; `more`: something may follow. May show a transaction half-applied, as DynamoDB's queries do. */
  query(pk: string, range?: QueryRange): Promise<{ items: Item[]; more: boolean }>;
  /** One conditional write; answers the item after an update. @throws TableError `ConditionFailed` */
  write(write: Write): Promise<Item | undefined>;
  /** All or none, at most 100 writes on different items. The same token within ten minutes is the same transaction. @throws TableError `ConditionFailed` */
  writeTogether(writes: readonly Write[], token: string): Promise<void>;
  /** Unconditional, in no order, not together; any number. */
  writeMany(writes: readonly UnconditionalWrite[]): Promise<void>;
  close(): Promise<void>;
}

export interface ItemKey {
  readonly pk: string;
  readonly sk: string;
}

/** Values of attributes: S, N, BOOL, B, SS and a map of numbers. */
export type Attribute = string | number | boolean | Uint8Array | ReadonlySet<string> | NumberMap;
export interface NumberMap {
  readonly [field: string]: number;
}
export interface Item extends ItemKey {
  readonly [attribute: string]: Attribute;
}

export interface QueryRange {
  /** Inclusive. */
  readonly from?: string;
  /** Inclusive. */
  readonly to?: string;
  readonly limit?: number;
  /** Only the keys come back; what is read is paid all the same. */
  readonly keysOnly?: boolean;
}

/** An attribute, or a field of a number map. */
export type Path = readonly [attribute: string] | readonly [attribute: string, field: string];

export type Condition =
  | { readonly is: "absent" }
  | { readonly is: "present" }
  | { readonly is: "unset"; readonly path: Path }
  | { readonly is: "equal"; readonly path: Path; readonly value: string | number | boolean }
  | { readonly is: "atMost"; readonly path: Path; readonly value: number }
  | { readonly is: "all" | "any"; readonly of: readonly Condition[] };

export interface Update {
  readonly set?: Readonly<Record<string, Attribute>>;
  /** Numbers at the top, absent ones count as 0. */
  readonly add?: Readonly<Record<string, number>>;
  /** Fields of a number map that exists; absent fields count as 0. */
  readonly addWithin?: { readonly map: string; readonly fields: NumberMap };
  /** Joins strings to a set, which is made when absent. */
  readonly join?: Readonly<Record<string, readonly string[]>>;
}

export type Write =
  | { readonly kind: "put"; readonly item: Item; readonly when?: Condition }
  | { readonly kind: "delete"; readonly key: ItemKey; readonly when?: Condition }
  | { readonly kind: "update"; readonly key: ItemKey; readonly update: Update; readonly when?: Condition };
export type UnconditionalWrite = { readonly kind: "put"; readonly item: Item } | { readonly kind: "delete"; readonly key: ItemKey };

export const keyOfWrite = (write: Write): ItemKey => (write.kind === "put" ? { pk: write.item.pk, sk: write.item.sk } : write.key);

/**
 * - `ConditionFailed`: nothing was written; `failed` names the writes, with what lay there.
 * - `Conflict`: another transaction holds an item; nothing was written.
 * - `Throttled`: nothing was written.
 * - `InProgress`: the transaction of this token is still under way.
 * - `Unknown`: a time-out, a broken connection or an internal error: it may have been written.
 * - `Refused`: DynamoDB will never accept it.
 */
export type TableErrorCode = "ConditionFailed" | "Conflict" | "Throttled" | "InProgress" | "Unknown" | "Refused";

export interface FailedCondition {
  /** Position of the write in the transaction; 0 for a single one. */
  readonly index: number;
  /** What lay under the key. */
  readonly found: Item | undefined;
}

export class TableError extends Error {
  readonly code: TableErrorCode;
  readonly failed: readonly FailedCondition[];
  /** An earlier try of the same call may have been written. */
  readonly ambiguous: boolean;
  constructor(
    code: TableErrorCode,
    message: string,
    options: { failed?: readonly FailedCondition[]; ambiguous?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "TableError";
    this.code = code;
    this.failed = options.failed ?? [];
    this.ambiguous = options.ambiguous ?? code === "Unknown";
  }
}

export function isTableError(error: unknown, code?: TableErrorCode): error is TableError {
  return error instanceof TableError && (code === undefined || error.code === code);
}
