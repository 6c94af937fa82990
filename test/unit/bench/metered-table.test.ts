import { expect, it } from "vitest";
import { MeteredTable, sizeOf } from "../../../bench/cost/metered-table.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";

const itemOf = (sk: string, bytes: number) => ({ pk: "p", sk, body: Buffer.alloc(bytes) });

function bed() {
  const memory = new MemoryTable();
  const table = new MeteredTable(memory, memory.items);
  const units = async (action: () => Promise<unknown>): Promise<[read: number, write: number]> => {
    const [read, write] = [table.readUnits, table.writeUnits];
    await action().catch(() => undefined);
    return [table.readUnits - read, table.writeUnits - write];
  };
  return { table, units };
}

it("counts the size of an item by its names and values", () => {
  expect(sizeOf({ pk: "ab", sk: "c", n: 1234, yes: true, body: Buffer.alloc(10) })).toBe(4 + 3 + (1 + 3) + (3 + 1) + (4 + 10));
  expect(sizeOf(undefined)).toBe(0);
});

it("bills writes by the larger of before and after, twice in a transaction, and when a condition fails", async () => {
  const { table, units } = bed();
  expect(await units(() => table.write({ kind: "put", item: itemOf("a", 2500) }))).toEqual([0, 3]);
  expect(await units(() => table.write({ kind: "put", item: itemOf("a", 100) }))).toEqual([0, 3]);
  expect(await units(() => table.write({ kind: "put", item: itemOf("a", 100), when: { is: "absent" } }))).toEqual([0, 1]);
  const both = [itemOf("b", 100), itemOf("c", 2500)].map((item) => ({ kind: "put", item, when: { is: "absent" } }) as const);
  expect(await units(() => table.writeTogether(both, "t1"))).toEqual([0, 8]);
  expect(await units(() => table.writeTogether(both, "t2"))).toEqual([0, 8]);
  expect(await units(() => table.write({ kind: "delete", key: { pk: "p", sk: "c" } }))).toEqual([0, 3]);
});

it("bills reads by item, queries by what they look at together, and at least one unit each", async () => {
  const { table, units } = bed();
  await table.writeMany(["a", "b", "c"].map((sk) => ({ kind: "put", item: itemOf(sk, 3000) })));
  expect(await units(() => table.get({ pk: "p", sk: "a" }))).toEqual([1, 0]);
  expect(await units(() => table.get({ pk: "p", sk: "none" }))).toEqual([1, 0]);
  expect(await units(() => table.getMany(["a", "b"].map((sk) => ({ pk: "p", sk }))))).toEqual([2, 0]);
  expect(await units(() => table.query("p"))).toEqual([3, 0]);
  expect(await units(() => table.query("p", { keysOnly: true }))).toEqual([3, 0]);
  expect(await units(() => table.query("none"))).toEqual([1, 0]);
});

it("waits once for requests that overlap", async () => {
  const { table } = bed();
  await Promise.all([table.get({ pk: "p", sk: "a" }), table.get({ pk: "p", sk: "b" })]);
  expect(table.waitedMs).toBe(3);
  await table.get({ pk: "p", sk: "a" });
  expect(table.waitedMs).toBe(6);
});
