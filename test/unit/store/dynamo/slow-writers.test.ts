import { randomUUID } from "node:crypto";
import { afterEach, expect, it } from "vitest";
import { systemClock } from "../../../../shared/clock.ts";
import { DynamoStore, type DynamoStoreOptions } from "../../../../shared/store/dynamo/dynamo-store.ts";
import type { Table } from "../../../../shared/store/dynamo/table.ts";
import type { Operation, Store } from "../../../../shared/store/store.ts";
import { type Call, FaultyTable } from "./faulty-table.ts";
import { MemoryTable } from "./memory-table.ts";

const cluster = { tenant: "t", cluster: "c" };
const keyOf = (name: string) => ({ group: "", resource: "configmaps", namespace: "n", name });
const objectOf = (name: string) => ({ kind: "ConfigMap", apiVersion: "v1", metadata: { name } });
const put = (name: string, expected: number): Operation => ({ kind: "put", key: keyOf(name), expected, object: objectOf(name) });
const remove = (name: string, expected: number): Operation => ({ kind: "delete", key: keyOf(name), expected, object: objectOf(name) });

const open: Store[] = [];
afterEach(async () => {
  for (const store of open.splice(0)) void store.close();
});
function storeOn(table: Table, options: Partial<DynamoStoreOptions> = {}): DynamoStore {
  const timings = { fillAfterMs: 150, lookAgainMs: 5, busyMs: 5, idleMs: 20 };
  const store = new DynamoStore({ table, clock: systemClock, random: Math.random, makeId: randomUUID, timings, ...options });
  open.push(store);
  return store;
}

const isTransaction = (call: Call): boolean => call.kind === "writeTogether";

/** A store whose first transaction is held up until `release` is called; `held` resolves when it is. */
async function slowWriter(options: Partial<DynamoStoreOptions> = {}) {
  const memory = new MemoryTable();
  const calm = storeOn(memory, options);
  await calm.createCluster(cluster);
  const held = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let isFirst = true;
  const table = new FaultyTable(memory, async (call) => {
    if (!isTransaction(call) || !isFirst) return undefined;
    isFirst = false;
    held.resolve();
    await gate.promise;
    return undefined;
  });
  return { memory, calm, store: storeOn(table, options), held: held.promise, release: () => gate.resolve(), table };
}

it("refuses a create that was held up while its key came and went: the log would end with the deletion", async () => {
  const { calm, store, held, release } = await slowWriter();
  const slow = store.commit(cluster, [put("a", 0)]);
  await held;
  const [made] = await calm.commit(cluster, [put("a", 0)]);
  await calm.commit(cluster, [remove("a", made?.revision ?? 0)]);
  release();
  await expect(slow).rejects.toMatchObject({ code: "RevisionConflict", index: 0 });
  expect((await calm.snapshot(cluster)).objects).toEqual([]);
  const { entries } = await calm.readLog(cluster, 1, 10);
  expect(entries.map(({ type }) => type)).toEqual(["ADDED", "DELETED"]);
});

it("lets the mark of a deletion go by its time to live", async () => {
  const { memory, calm } = await slowWriter();
  const [made] = await calm.commit(cluster, [put("a", 0)]);
  await calm.commit(cluster, [remove("a", made?.revision ?? 0)]);
  const mark = [...memory.items.values()].find((item) => item.deleted === true);
  expect(mark?.ttl).toBeGreaterThan(Date.now() / 1000 + 3600);
});

it("waits for all dead writers at the same time", async () => {
  const { memory, calm } = await slowWriter();
  for (const name of ["x", "y", "z"]) {
    const dying = storeOn(new FaultyTable(memory, (call) => (isTransaction(call) ? "dead" : undefined)));
    void dying.commit(cluster, [put(name, 0)]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await calm.commit(cluster, [put(`after-${name}`, 0)]);
  }
  const startedAt = performance.now();
  const { entries } = await storeOn(memory).readLog(cluster, 1, 100);
  expect(entries.map(({ key }) => key.name)).toEqual(["after-x", "after-y", "after-z"]);
  expect(performance.now() - startedAt).toBeLessThan(2 * 150);
});

it("lists a commit that was on its way when nothing had been written for days", async () => {
  let nowMs = 0;
  const { calm, store, held, release } = await slowWriter({ clock: { now: () => nowMs + Date.now(), after: systemClock.after } });
  const [made] = await calm.commit(cluster, [put("a", 0)]);
  nowMs = 60 * 3_600_000;
  const slow = store.commit(cluster, [put("a", made?.revision ?? 0), put("b", 0)]);
  await held;
  const listed = calm.snapshot(cluster);
  await new Promise((resolve) => setTimeout(resolve, 30));
  release();
  const { revision, objects } = await listed;
  const entries = await slow;
  const within = entries.filter((entry) => entry.revision <= revision).map((entry) => entry.revision);
  expect(objects.map((stored) => stored.revision)).toEqual(within.length === 2 ? within : [made?.revision]);
});

it("takes fresh revisions after it was stopped for long between its steps", async () => {
  const memory = new MemoryTable();
  await storeOn(memory).createCluster(cluster);
  let nowMs = 0;
  const table = new FaultyTable(memory, (call) => {
    // The revisions are granted; then the process is frozen.
    if (call.kind === "write" && call.write.kind === "update" && nowMs === 0) nowMs = 240_000;
    return undefined;
  });
  const store = storeOn(table, { clock: { now: () => nowMs + Date.now(), after: systemClock.after } });
  const [entry] = await store.commit(cluster, [put("a", 0)]);
  const advances = table.calls.filter((call) => call.kind === "write" && call.write.kind === "update" && call.write.update.add?.revision);
  expect(advances).toHaveLength(2);
  expect(entry?.revision).toBe(3);
});

it("calls no commit refused while a request of it may still be executed and its places cannot be taken back", async () => {
  const memory = new MemoryTable();
  const calm = storeOn(memory);
  await calm.createCluster(cluster);
  let isFirst = true;
  const table = new FaultyTable(memory, async (call) => {
    if (call.kind === "write" && call.write.kind === "put") return "throttled";
    if (!isTransaction(call) || !isFirst) return undefined;
    isFirst = false;
    await calm.commit(cluster, [put("a", 0)]);
    return "lost";
  });
  const store = storeOn(table, { retries: { attempts: 3, baseMs: 1, capMs: 1 } });
  await expect(store.commit(cluster, [put("a", 0)])).rejects.toMatchObject({ code: "Unavailable" });
});

it("knows a void of several places when it begins to read in the middle of one", async () => {
  const { memory, calm } = await slowWriter({ timings: { fillAfterMs: 60_000, lookAgainMs: 5, busyMs: 5, idleMs: 20 } });
  const refused = calm.commit(cluster, [put("a", 0), put("b", 7), put("c", 0)]);
  await expect(refused).rejects.toMatchObject({ code: "RevisionConflict", index: 1 });
  const [after] = await calm.commit(cluster, [put("d", 0)]);
  await calm.readLog(cluster, 1, 10);
  const { entries } = await calm.readLog(cluster, 2, 10);
  expect(entries.map(({ revision }) => revision)).toEqual([after?.revision]);
  expect([...memory.items.values()].filter(({ type }) => type === "VOID")).toHaveLength(1);
});
