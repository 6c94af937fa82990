import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../../shared/clock.ts";
import type { ObjectKey } from "../../../../shared/kubernetes/object.ts";
import { createClusterBase } from "../../../../shared/store/cluster-base.ts";
import { DynamoStore, type DynamoStoreOptions } from "../../../../shared/store/dynamo/dynamo-store.ts";
import { objectPath } from "../../../../shared/store/dynamo/keys.ts";
import type { Table } from "../../../../shared/store/dynamo/table.ts";
import { isStoreError, type LogEntry, type Operation, type Store } from "../../../../shared/store/store.ts";
import { storeContract } from "../../../contract/store.contract.ts";
import { type Call, type Fault, FaultyTable } from "./faulty-table.ts";
import { MemoryTable } from "./memory-table.ts";

const cluster = { tenant: "t", cluster: "c" };
const keyOf = (name: string): ObjectKey => ({ group: "", resource: "configmaps", namespace: "n", name });
const put = (name: string, expected: number, value = "1"): Operation => ({
  kind: "put",
  key: keyOf(name),
  expected,
  object: { kind: "ConfigMap", apiVersion: "v1", metadata: { name, annotations: { value } } },
});

const open: Store[] = [];
afterEach(async () => {
  for (const store of open.splice(0)) void store.close();
});

const quick = { attempts: 4, baseMs: 1, capMs: 2 };
function storeOn(table: Table, options: Partial<DynamoStoreOptions> = {}): DynamoStore {
  const timings = { fillAfterMs: 60, lookAgainMs: 5, busyMs: 5, idleMs: 20, ...options.timings };
  const store = new DynamoStore({
    table,
    clock: systemClock,
    random: Math.random,
    makeId: randomUUID,
    retries: quick,
    ...options,
    timings,
  });
  open.push(store);
  return store;
}

/** Names the fault of the nth call that `matches`, counted from 1. */
function faultAt(matches: (call: Call) => boolean, faults: Readonly<Record<number, Fault>>): (call: Call) => Fault | undefined {
  let count = 0;
  return (call) => (matches(call) ? faults[++count] : undefined);
}

const isTransaction = (call: Call): boolean => call.kind === "writeTogether";
const isAdvance = (call: Call): boolean =>
  call.kind === "write" && call.write.kind === "update" && call.write.update.add?.revision !== undefined;
const isVoiding = (call: Call): boolean => call.kind === "write" && call.write.kind === "put" && call.write.item.type === "VOID";

async function withCluster(plan: (call: Call) => Fault | undefined | Promise<Fault | undefined>) {
  const memory = new MemoryTable();
  const calm = storeOn(memory);
  await calm.createCluster(cluster);
  const faulty = new FaultyTable(memory, plan);
  return { memory, calm, faulty, store: storeOn(faulty) };
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return "resolved";
  } catch (error) {
    return isStoreError(error) ? error.code : `not a StoreError: ${error}`;
  }
};

const logOf = async (store: Store): Promise<string[]> => {
  const { entries } = await store.readLog(cluster, 1, 1000);
  return entries.map((entry) => `${entry.revision} ${entry.type} ${entry.key.name}`);
};

storeContract("dynamodb over a table in memory whose queries lag", async () => {
  const table = new MemoryTable(() => new Promise((resolve) => setTimeout(resolve, Math.random() * 3)));
  let store = storeOn(table);
  return {
    store,
    reopen: async () => {
      await store.close();
      store = storeOn(table);
      return store;
    },
    dispose: () => store.close(),
  };
});

describe("a reader", () => {
  it("waits once, not once each, for writers that died one after another", async () => {
    const memory = new MemoryTable();
    const calm = storeOn(memory);
    await calm.createCluster(cluster);
    for (let index = 0; index < 6; index++) {
      const dying = storeOn(new FaultyTable(memory, (call) => (isTransaction(call) ? "dead" : undefined)));
      void dying.commit(cluster, [put(`dead${index}`, 0)]);
      await expect.poll(async () => (await calm.head(cluster)).revision, { interval: 1 }).toBe(2 * index + 2);
      await calm.commit(cluster, [put(`live${index}`, 0)]);
    }
    const reader = storeOn(memory, { timings: { fillAfterMs: 200 } });
    const before = Date.now();
    expect(await logOf(reader)).toEqual(Array.from({ length: 6 }, (_, index) => `${2 * index + 3} ADDED live${index}`));
    expect(Date.now() - before).toBeLessThan(600);
  });
});

describe("a commit", () => {
  it.each(["throttled", "conflict", "lost", "unanswered"] as const)("is written once when its transaction is %s twice", async (fault) => {
    const { store, calm } = await withCluster(faultAt(isTransaction, { 1: fault, 2: fault }));
    const [entry] = await store.commit(cluster, [put("a", 0)]);
    expect(await logOf(calm)).toEqual([`${entry?.revision} ADDED a`]);
  });

  it.each(["throttled", "conflict", "lost", "unanswered"] as const)("gets its revisions when the head is %s", async (fault) => {
    const { store, calm } = await withCluster(faultAt(isAdvance, { 1: fault }));
    const [entry] = await store.commit(cluster, [put("a", 0)]);
    expect(await logOf(calm)).toEqual([`${entry?.revision} ADDED a`]);
  });

  it("repeats a transaction under the same token", async () => {
    const { store, faulty } = await withCluster(faultAt(isTransaction, { 1: "lost" }));
    await store.commit(cluster, [put("a", 0)]);
    const tokens = faulty.calls.flatMap((call) => (call.kind === "writeTogether" ? [call.token] : []));
    expect(tokens).toHaveLength(2);
    expect(new Set(tokens).size).toBe(1);
  });

  it("succeeds when it was written and no answer ever came", async () => {
    const { store, calm } = await withCluster((call) => (isTransaction(call) ? "unanswered" : undefined));
    const [entry] = await store.commit(cluster, [put("a", 0), put("b", 0)]);
    expect(await logOf(calm)).toEqual([`${entry?.revision} ADDED a`, `${(entry?.revision ?? 0) + 1} ADDED b`]);
  });

  it.each([
    ["throttled", "Throttled"],
    ["conflict", "Throttled"],
    ["lost", "Unavailable"],
  ] as const)("that stays %s fails as %s, is never written and leaves no empty place", async (fault, code) => {
    const { store, calm } = await withCluster((call) => (isTransaction(call) ? fault : undefined));
    expect(await codeOf(store.commit(cluster, [put("a", 0), put("b", 0)]))).toBe(code);
    const before = Date.now();
    expect(await logOf(calm)).toEqual([]);
    expect((await calm.readLog(cluster, 1, 10)).through).toBe(3);
    expect(Date.now() - before).toBeLessThan(50);
    expect(await calm.latest(cluster, [keyOf("a")])).toEqual([undefined]);
  });

  it("takes fresh revisions when a reader filled its places", async () => {
    let reader: Store | undefined;
    const { store, calm } = await withCluster(async (call) => {
      if (!isTransaction(call) || !reader) return undefined;
      const waiting = reader;
      reader = undefined;
      await waiting.readLog(cluster, 1, 10);
      return undefined;
    });
    reader = calm;
    const [entry] = await store.commit(cluster, [put("a", 0)]);
    expect(entry?.revision).toBe(3);
    expect(entry?.object.metadata.resourceVersion).toBe("3");
    expect(await logOf(calm)).toEqual(["3 ADDED a"]);
  });

  it("names the conflict although its places cannot be voided; readers void them", async () => {
    const { store, calm } = await withCluster((call) => (isVoiding(call) ? "throttled" : undefined));
    await calm.commit(cluster, [put("a", 0)]);
    expect(await codeOf(store.commit(cluster, [put("a", 0)]))).toBe("RevisionConflict");
    expect((await calm.readLog(cluster, 1, 10)).through).toBe(3);
  });

  it.each([1, 2, 3])("of a process that died at its write %i holds readers up for a moment and is whole or absent", async (step) => {
    const { store, calm } = await withCluster(faultAt((call) => call.kind === "write" || isTransaction(call), { [step]: "dead" }));
    void store.commit(cluster, [put("a", 0), put("b", 0)]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const { through } = await calm.readLog(cluster, 1, 10);
    expect(through).toBe((await calm.head(cluster)).revision);
    expect([0, 2]).toContain((await logOf(calm)).length);
    await calm.commit(cluster, [put("after", 0)]);
    expect((await logOf(calm)).at(-1)).toContain("ADDED after");
  });

  it("replaces and deletes large objects without leaving parts", async () => {
    const { store, memory } = await withCluster(() => undefined);
    const noise = (bytes: number): string => Buffer.from(Array.from({ length: bytes }, () => Math.random() * 256)).toString("base64");
    const [large] = await store.commit(cluster, [put("big", 0, noise(900_000))]);
    const other = storeOn(memory);
    const [small] = await other.commit(cluster, [put("big", large?.revision ?? 0, noise(420_000))]);
    const parts = (): number => [...memory.items.values()].filter(({ pk }) => pk === "t#c#/configmaps#parts").length;
    expect((await store.latest(cluster, [keyOf("big")]))[0]?.bytes.equals(small?.bytes ?? Buffer.alloc(0))).toBe(true);
    expect(parts()).toBe(2);
    await other.commit(cluster, [
      { kind: "delete", key: keyOf("big"), expected: small?.revision ?? 0, object: { metadata: { name: "big" } } },
    ]);
    expect(parts()).toBe(0);
    expect(await logOf(store)).toHaveLength(3);
  });

  it("makes room in a transaction by keeping log payloads elsewhere", async () => {
    const { store } = await withCluster(() => undefined);
    const noise = Buffer.from(Array.from({ length: 60_000 }, () => Math.random() * 256)).toString("base64");
    await store.commit(
      cluster,
      Array.from({ length: 30 }, (_, index) => put(`o${index}`, 0, noise)),
    );
    const { entries } = await store.readLog(cluster, 1, 100);
    expect(entries).toHaveLength(30);
    expect(entries.every((entry) => entry.object.metadata.annotations?.value === noise)).toBe(true);
  });

  it("shows what every cluster starts with until it is changed or deleted", async () => {
    const key = { group: "", resource: "namespaces", namespace: "", name: "default" };
    const object = { kind: "Namespace", apiVersion: "v1", metadata: { name: "default" } };
    const store = storeOn(new MemoryTable(), { base: createClusterBase(() => [{ key, object }], objectPath) });
    await store.createCluster(cluster);
    expect((await store.snapshot(cluster)).objects).toHaveLength(1);
    expect(await codeOf(store.commit(cluster, [{ kind: "put", key, expected: 0, object: structuredClone(object) }]))).toBe(
      "RevisionConflict",
    );
    const [changed] = await store.commit(cluster, [{ kind: "put", key, expected: 1, object: structuredClone(object) }]);
    expect(changed?.type).toBe("MODIFIED");
    await store.commit(cluster, [{ kind: "delete", key, expected: changed?.revision ?? 0, object: structuredClone(object) }]);
    expect((await store.snapshot(cluster)).objects).toEqual([]);
    expect(await store.latest(cluster, [key])).toEqual([undefined]);
    const [again] = await store.commit(cluster, [{ kind: "put", key, expected: 0, object: structuredClone(object) }]);
    expect(again?.type).toBe("ADDED");
  });
});

describe("the log", () => {
  it("is compacted, not void, where its time to live was over", async () => {
    const memory = new MemoryTable();
    let nowMs = 0;
    const store = storeOn(memory, { clock: { now: () => nowMs + Date.now(), after: systemClock.after } });
    await store.createCluster(cluster);
    await store.commit(cluster, [put("a", 0), put("b", 0)]);
    for (const item of memory.items.values()) if (item.type === "ADDED") await memory.write({ kind: "delete", key: item });
    nowMs = 30 * 3_600_000;
    expect(await codeOf(store.readLog(cluster, 1, 10))).toBe("Compacted");
    expect((await store.readLog(cluster, 3, 10)).through).toBe(3);
    expect((await store.snapshot(cluster)).objects).toHaveLength(2);
    const [next] = await store.commit(cluster, [put("c", 0)]);
    expect((await store.readLog(cluster, 3, 10)).entries.map((entry) => entry.revision)).toEqual([next?.revision]);
  });

  it("reaches followers of other processes, and at once when they are woken", async () => {
    const memory = new MemoryTable();
    const [writer, reader] = [storeOn(memory), storeOn(memory, { timings: { idleMs: 60_000 } })];
    await writer.createCluster(cluster);
    const seen: LogEntry[] = [];
    reader.follow(
      cluster,
      1,
      (entries) => seen.push(...entries),
      () => {},
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    await writer.commit(cluster, [put("a", 0)]);
    reader.wake(cluster);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(seen.map((entry) => entry.key.name)).toEqual(["a"]);
  });

  it("is followed on after a time of throttling, and ends as Unavailable when that lasts", async () => {
    let throttled = false;
    const { store, calm } = await withCluster((call) => (throttled && call.kind === "get" ? "throttled" : undefined));
    const seen: number[] = [];
    const ended = new Promise((resolve) =>
      store.follow(cluster, 1, (entries) => seen.push(...entries.map(({ revision }) => revision)), resolve),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    throttled = true;
    await new Promise((resolve) => setTimeout(resolve, 30));
    throttled = false;
    await calm.commit(cluster, [put("a", 0)]);
    await expect.poll(() => seen, { timeout: 1000, interval: 5 }).toEqual([2]);
    throttled = true;
    expect(isStoreError(await ended, "Throttled")).toBe(true);
  });
});

describe("a cluster that is dropped", () => {
  it("is gone whole when dropping was cut short at any write and repeated", async () => {
    for (let step = 1; step <= 8; step++) {
      const isWrite = (call: Call): boolean => call.kind === "write" || call.kind === "writeMany";
      const { store, calm, memory } = await withCluster(faultAt(isWrite, { [step]: "dead" }));
      await calm.commit(cluster, [put("a", 0), put("b", 0)]);
      void store.dropCluster(cluster);
      await new Promise((resolve) => setTimeout(resolve, 15));
      await calm.dropCluster(cluster);
      expect([...memory.items.values()].filter((item) => item.type !== "VOID")).toEqual([]);
      await calm.createCluster(cluster);
      expect(await calm.snapshot(cluster)).toEqual({ revision: 1, objects: [] });
      await calm.close();
    }
  });

  it("is gone whole though a commit's entry was seen before its object was", async () => {
    const { promise: whole, resolve: show } = Promise.withResolvers<void>();
    let shown = Number.NEGATIVE_INFINITY;
    const memory = new MemoryTable(async () => {
      if (++shown > 1) await whole;
    });
    const store = storeOn(memory);
    await store.createCluster(cluster);
    await store.commit(cluster, [put("a", 0)]);
    shown = 0;
    const committed = store.commit(cluster, [put("b", 0)]);
    await expect.poll(() => shown).toBe(2);
    await storeOn(memory).dropCluster(cluster);
    show();
    await committed;
    expect([...memory.items.values()].filter((item) => item.type !== "VOID")).toEqual([]);
  });

  it("keeps out a writer that was on its way", async () => {
    let drop: (() => Promise<void>) | undefined;
    const { store, calm, memory } = await withCluster(async (call) => {
      if (isTransaction(call)) await drop?.();
      return undefined;
    });
    drop = () => {
      drop = undefined;
      return calm.dropCluster(cluster);
    };
    expect(await codeOf(store.commit(cluster, [put("a", 0)]))).toBe("NoSuchCluster");
    expect([...memory.items.values()].filter((item) => item.type !== "VOID")).toEqual([]);
  });
});

describe("records", () => {
  const at = { partition: "t#x", sort: "a" };

  it.each(["lost", "unanswered", "throttled"] as const)("are written once when the write is %s", async (fault) => {
    const { store } = await withCluster(faultAt((call) => call.kind === "write", { 1: fault, 2: fault, 3: fault }));
    expect(await store.writeRecords([{ ...at, kind: "put", expected: 0, value: { v: 1, text: "x" } }])).toEqual([1]);
    expect(await store.getRecords([at])).toEqual([{ ...at, version: 1, value: { v: 1, text: "x" } }]);
  });

  it.each(["lost", "unanswered", "conflict"] as const)("are added to once when the transaction is %s", async (fault) => {
    const { store } = await withCluster(faultAt(isTransaction, { 1: fault, 3: fault }));
    await store.writeRecords([{ ...at, kind: "add", add: { n: 2 } }]);
    await store.writeRecords([{ ...at, kind: "add", add: { n: 3 } }]);
    expect(await store.getRecords([at])).toEqual([{ ...at, version: 2, value: { n: 5 } }]);
  });

  it("are written together without being read", async () => {
    const { store, faulty } = await withCluster(() => undefined);
    const calls = faulty.calls.length;
    const versions = await store.writeRecords([
      { ...at, kind: "put", expected: 0, value: {} },
      { ...at, sort: "b", kind: "put", expected: undefined, value: {} },
      { ...at, sort: "c", kind: "delete", expected: undefined },
    ]);
    expect(versions).toEqual([1, undefined, 0]);
    expect(faulty.calls.slice(calls).map(({ kind }) => kind)).toEqual(["writeTogether"]);
  });

  it("are added to without being read", async () => {
    const { store, calm, faulty } = await withCluster(() => undefined);
    await calm.writeRecords([{ ...at, kind: "put", expected: 0, value: { n: 1 } }]);
    const calls = faulty.calls.length;
    expect(await store.writeRecords([{ ...at, kind: "add", add: { n: 2 } }])).toEqual([undefined]);
    expect(faulty.calls.slice(calls).map(({ kind }) => kind)).toEqual(["writeTogether"]);
  });

  it("are deleted once when the answer was lost", async () => {
    const { store, calm } = await withCluster(faultAt((call) => call.kind === "write", { 1: "unanswered" }));
    await calm.writeRecords([{ ...at, kind: "put", expected: 0, value: {} }]);
    expect(await store.writeRecords([{ ...at, kind: "delete", expected: 1 }])).toEqual([0]);
  });

  it("bound an addition to a record that is not there", async () => {
    const { store } = await withCluster(() => undefined);
    expect(await codeOf(store.writeRecords([{ ...at, kind: "add", add: { n: 1 }, atMost: { n: -1 } }]))).toBe("RevisionConflict");
    expect(await store.getRecords([at])).toEqual([undefined]);
  });
});
