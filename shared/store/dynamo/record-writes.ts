import { type RecordKey, type RecordOperation, type StoredRecord, StoreError } from "../store.ts";
import { numberAt, numbersAt, textAt } from "./attributes.ts";
import { recordKey } from "./keys.ts";
import type { Condition, Item, NumberMap, Write } from "./table.ts";

/**
 * A record lies in its item as `version`, `numbers` (its numeric fields, so that they can be added to in place) and `json` (all others).
 */
export function recordOf(key: RecordKey, item: Item): StoredRecord {
  const value = { ...(JSON.parse(textAt(item, "json")) as Record<string, unknown>), ...numbersAt(item, "numbers") };
  return { partition: key.partition, sort: key.sort, version: numberAt(item, "version"), value };
}

function bodyOf(value: Readonly<Record<string, unknown>>): { json: string; numbers: NumberMap } {
  const isNumber = ([, field]: [string, unknown]): boolean => typeof field === "number" && Number.isFinite(field);
  const fields = Object.entries(value);
  return {
    json: JSON.stringify(Object.fromEntries(fields.filter((field) => !isNumber(field)))),
    numbers: Object.fromEntries(fields.filter((field): field is [string, number] => isNumber(field))),
  };
}

/** `absent`: an `add` to a record that is not there has to make it. */
export function recordWrite(operation: RecordOperation, absent: boolean): Write {
  const key = recordKey(operation);
  switch (operation.kind) {
    case "put": {
      const body = bodyOf(operation.value);
      if (operation.expected === undefined) return { kind: "update", key, update: { set: body, add: { version: 1 } } };
      const item = { ...key, ...body, version: operation.expected + 1 };
      return { kind: "put", item, when: versionIs(operation.expected) };
    }
    case "delete":
      return { kind: "delete", key, ...(operation.expected !== undefined && { when: versionIs(operation.expected) }) };
    case "add":
      if (absent) return { kind: "put", item: { ...key, ...bodyOf(operation.add), version: 1 }, when: { is: "absent" } };
      return {
        kind: "update",
        key,
        update: { add: { version: 1 }, addWithin: { map: "numbers", fields: operation.add } },
        when: { is: "all", of: [{ is: "present" }, ...boundsOf(operation.atMost ?? {})] },
      };
  }
}

/** Whether an absent record, whose fields count as 0, is within the bounds of an `add`. */
export const zeroIsWithin = (operation: RecordOperation): boolean =>
  operation.kind === "add" && Object.values(operation.atMost ?? {}).every((limit) => limit >= 0);

const versionIs = (expected: number): Condition =>
  expected === 0 ? { is: "absent" } : { is: "equal", path: ["version"], value: expected };

function boundsOf(atMost: NumberMap): Condition[] {
  return Object.entries(atMost).map(([field, limit]): Condition => {
    const bound: Condition = { is: "atMost", path: ["numbers", field], value: limit };
    return limit < 0 ? bound : { is: "any", of: [{ is: "unset", path: ["numbers", field] }, bound] };
  });
}

/** @throws StoreError `RevisionConflict` where a record is named twice */
export function refuseTwice(operations: readonly RecordOperation[], offset: number): void {
  const seen = new Set<string>();
  for (const [index, operation] of operations.entries()) {
    const { pk, sk } = recordKey(operation);
    const path = `${pk}${sk}`;
    if (seen.has(path)) throw new StoreError("RevisionConflict", "one record twice in a transaction", { index: offset + index });
    seen.add(path);
  }
}
