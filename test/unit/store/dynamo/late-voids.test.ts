import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../../shared/clock.ts";
import { DynamoStore } from "../../../../shared/store/dynamo/dynamo-store.ts";
import type { Table } from "../../../../shared/store/dynamo/table.ts";
import type { Operation, Store, StoreError } from "../../../../shared/store/store.ts";
import { untilTrue } from "../../../e2e/eventually.ts";
import { type Call, FaultyTable } from "./faulty-table.ts";
import { MemoryTable } from "./memory-table.ts";

const hourMs = 3_600_000;
const cluster = { tenant: "t", cluster: "c" };
const put = (name: string): Operation => ({
  kind: "put",
  key: { group: "", resource: "configmaps", namespace: "n", name },
  expected: 0,
  object: { kind: "ConfigMap", apiVersion: "v1", metadata: { name } },
});
const isVoid = (call: Call): boolean => call.kind === "write" && call.write.kind === "put" && call.write.item.type === "VOID";

describe("a process that stood still for a day before it voided a place", () => {
  let memory: MemoryTable;
  let calm: DynamoStore;
  let laterMs: number;
  const open: Store[] = [];
  const storeOn = (table: Table): DynamoStore => {
    const timings = { fillAfterMs: 30, lookAgainMs: 5, busyMs: 5, idleMs: 20 };
    const clock = { now: () => Date.now() + laterMs, after: systemClock.after };
    const store = new DynamoStore({ table, clock, random: Math.random, makeId: randomUUID, timings });
    open.push(store);
    return store;
  };
  /** A day and more goes by, and all entries with it. */
  const sleepThroughTtl = async (): Promise<void> => {
    laterMs += 30 * hourMs;
    const gone = [...memory.items.values()].filter(({ ttl }) => typeof ttl === "number" && ttl * 1000 < Date.now() + laterMs);
    await memory.writeMany(gone.map(({ pk, sk }) => ({ kind: "delete", key: { pk, sk } })));
  };

  beforeEach(async () => {
    laterMs = 0;
    memory = new MemoryTable();
    calm = storeOn(memory);
    await calm.createCluster(cluster);
  });
  afterEach(() => {
    for (const store of open.splice(0)) void store.close();
  });

  it("hides no entry that came meanwhile and went by its TTL: readers are told to begin anew", async () => {
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const landed = Promise.withResolvers<void>();
    const writer = storeOn(
      new FaultyTable(memory, async (call) => {
        if (call.kind === "writeTogether") await reached.promise;
        return undefined;
      }),
    );
    const reader = storeOn(
      new FaultyTable(memory, async (call) => {
        if (!isVoid(call)) return undefined;
        reached.resolve();
        await gate.promise;
        return undefined;
      }),
    );
    void writer.commit(cluster, [put("a")]).then(() => landed.resolve());
    await untilTrue("a revision was taken", async () => (await calm.head(cluster)).revision === 2);
    const reading = reader.readLog(cluster, 1, 10);
    await landed.promise;
    expect((await calm.readLog(cluster, 1, 10)).entries).toHaveLength(1);
    await sleepThroughTtl();
    gate.resolve();
    await expect(reading).rejects.toMatchObject({ code: "Compacted" });
    expect([...memory.items.values()].filter(({ type }) => type === "VOID")).toHaveLength(1);
    await expect(calm.readLog(cluster, 1, 10)).rejects.toMatchObject({ code: "Compacted" });
    expect((await calm.snapshot(cluster)).objects.map(({ key }) => key.name)).toEqual(["a"]);
  });

  it("tells its own followers of none, and of no commit that it is refused", async () => {
    const slept = Promise.withResolvers<void>();
    const writer = storeOn(
      new FaultyTable(memory, async (call) => {
        if (call.kind === "query") await slept.promise;
        if (call.kind !== "writeTogether") return undefined;
        await memory.writeTogether(call.writes, call.token);
        await sleepThroughTtl();
        slept.resolve();
        return "lost";
      }),
    );
    const through: number[] = [];
    const ended = Promise.withResolvers<StoreError>();
    writer.follow(cluster, 1, (_, upTo) => through.push(upTo), ended.resolve);
    await expect(writer.commit(cluster, [put("a")])).rejects.toMatchObject({ code: "Unavailable" });
    expect(await ended.promise).toMatchObject({ code: "Compacted" });
    expect(through).toEqual([]);
    expect([...memory.items.values()].filter(({ type }) => type === "VOID")).toEqual([]);
  });

  it("leaves voids that are young, or above the mark, to be believed", async () => {
    const dying = storeOn(new FaultyTable(memory, (call) => (call.kind === "writeTogether" ? "dead" : undefined)));
    void dying.commit(cluster, [put("a")]);
    await untilTrue("a revision was taken", async () => (await calm.head(cluster)).revision === 2);
    await calm.commit(cluster, [put("b")]);
    expect((await calm.readLog(cluster, 1, 10)).entries).toHaveLength(1);
    laterMs = 19 * hourMs;
    expect((await calm.readLog(cluster, 1, 10)).entries).toHaveLength(1);
    laterMs = 21 * hourMs;
    // The first writer after a quiet day makes a mark, and gives back the revision that it was handed below it.
    const through: number[] = [];
    const stop = calm.follow(
      cluster,
      3,
      (_, upTo) => through.push(upTo),
      (error) => expect.unreachable(String(error)),
    );
    const [entry] = await calm.commit(cluster, [put("c")]);
    expect(entry?.revision).toBe(5);
    await untilTrue("it is shown", async () => through.includes(5));
    stop();
  });
});
