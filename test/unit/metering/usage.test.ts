import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Amounts } from "../../../shared/metering/amounts.ts";
import { createMeter, type Meter } from "../../../shared/metering/meter.ts";
import { closeUsageDays } from "../../../shared/metering/usage-days.ts";
import { readUsage, type UsageQuery } from "../../../shared/metering/usage-reader.ts";
import { usagePartitions } from "../../../shared/metering/usage-records.ts";
import { createUsageWriter, type UsageWriter } from "../../../shared/metering/usage-writer.ts";
import { LmdbStore } from "../../../shared/store/lmdb/lmdb-store.ts";
import { type RecordOperation, type Store, StoreError } from "../../../shared/store/store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock, type FakeClock } from "../controllers/fake-clock.ts";

const start = Date.UTC(2026, 0, 1);
const hour = 3_600_000;

describe("usage", () => {
  let folder: string;
  let clock: FakeClock;
  let store: LmdbStore;
  let fault: "none" | "refused" | "unanswered";
  let writes: number;
  let meter: Meter;
  let writer: UsageWriter;

  /** The store over a line that breaks on demand, before a write or after it. */
  const fragile = (): Store =>
    new Proxy<Store>(store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (name !== "writeRecords") return typeof member === "function" ? member.bind(target) : member;
        return async (operations: readonly RecordOperation[]) => {
          if (fault === "refused") throw new StoreError("Unavailable", "injected");
          const answer = await target.writeRecords(operations);
          writes++;
          if (fault === "unanswered") throw new StoreError("Unavailable", "injected");
          return answer;
        };
      },
    });
  const openWriter = (writerId: string) => {
    meter = createMeter(clock);
    const tried = fragile();
    writer = createUsageWriter({ storeOf: () => tried, clock, log: silentLog, meter, writerId });
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "coracle-usage-"));
    clock = createFakeClock(start);
    store = new LmdbStore({ path: folder, now: clock.now });
    fault = "none";
    writes = 0;
    openWriter("w1");
  });
  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const read = async (cluster = "dev", times = 1) => {
    for (let time = 0; time < times; time++) meter.request({ tenant: "acme", cluster }, "read");
    await writer.flush();
  };
  const query = (part: Partial<UsageQuery> = {}) =>
    readUsage(store, "acme", { fromMs: start, toMs: clock.now() + 1, granularity: "hour", groupBy: "tenant", limit: 100, ...part });
  const shown = async (part: Partial<UsageQuery> = {}) =>
    (await query(part)).items.map(({ period, amounts }) => [period, amounts.apiReads]);

  it("of nobody is nothing written", async () => {
    await writer.flush();
    clock.advance(24 * hour);
    await writer.flush();
    expect(await closeUsageDays({ store, storeOf: () => store, clock, log: silentLog, onClosed: async () => [] })).toBe(0);
    expect(writes).toBe(0);
  });

  it("adds up by hours, for a tenant, its clusters and its pools", async () => {
    await read("a", 2);
    await read("b", 3);
    clock.advance(hour);
    await writer.flush();
    await read("b", 4);
    meter.nodeSpoke({ tenant: "acme", pool: "pl", nodeName: "n" }, clock.now(), "b", clock.now() - 60_000);
    await writer.flush();
    expect(await shown()).toEqual([
      ["2026-01-01T00", 5],
      ["2026-01-01T01", 4],
    ]);
    const { items } = await query({ groupBy: "cluster" });
    expect(items.map(({ period, cluster, amounts }) => [period, cluster, amounts])).toEqual([
      ["2026-01-01T00", "a", { apiReads: 2 }],
      ["2026-01-01T00", "b", { apiReads: 3, nodeSeconds: 60 }],
      ["2026-01-01T01", "b", { apiReads: 4 }],
    ]);
    expect((await query({ groupBy: "pool" })).items.map(({ pool, amounts }) => [pool, amounts.nodeSeconds ?? 0])).toEqual([
      ["", 0],
      ["pl", 60],
      ["", 0],
    ]);
  });

  it("comes in pages that leave nothing out and repeat nothing", async () => {
    for (let at = 0; at < 3; at++) {
      for (const cluster of ["c", "a", "b"]) await read(cluster);
      clock.advance(hour);
      await writer.flush();
    }
    const all: string[] = [];
    for (let from: string | undefined, more = true; more; ) {
      const page = await query({ groupBy: "cluster", limit: 2, from });
      all.push(...page.items.map(({ period, cluster }) => `${period} ${cluster}`));
      from = page.next;
      more = from !== undefined;
    }
    const expected = ["00", "01", "02"].flatMap((at) => ["a", "b", "c"].map((cluster) => `2026-01-01T${at} ${cluster}`));
    expect(all).toEqual(expected);
  });

  it("is written once when the answer to a flush was lost, and later when it was refused", async () => {
    fault = "unanswered";
    await read();
    await read();
    fault = "refused";
    await read();
    fault = "none";
    await read();
    expect(await shown()).toEqual([["2026-01-01T00", 4]]);
    fault = "unanswered";
    await read();
    fault = "none";
    await writer.flush();
    expect(await shown()).toEqual([["2026-01-01T00", 5]]);
  });

  it("loses at most what was not flushed when a process dies, and another goes on", async () => {
    await read("dev", 3);
    meter.request({ tenant: "acme", cluster: "dev" }, "read");
    openWriter("w2");
    await read("dev", 2);
    expect(await shown()).toEqual([["2026-01-01T00", 5]]);
  });

  it("of many clusters is written in several transactions", async () => {
    for (let at = 0; at < 95; at++) meter.request({ tenant: "acme", cluster: `c${at}` }, "write");
    await writer.flush();
    expect(writes).toBe(3);
    expect((await query({ groupBy: "cluster" })).items).toHaveLength(95);
  });

  describe("by day", () => {
    const totals: [string, string, Amounts][] = [];
    const close = () =>
      closeUsageDays({
        ...{ store, storeOf: () => store, clock, log: silentLog },
        onClosed: async (tenant, day, total) => {
          totals.push([tenant, day, total]);
          return [{ partition: "acme#told", sort: day, kind: "put", expected: 0, value: {} }];
        },
      });

    it("is the same before and after the day was summed up, which happens once, an hour after its end", async () => {
      await read("a", 2);
      clock.advance(5 * hour);
      await writer.flush();
      await read("b", 3);
      const byDay = () => shown({ granularity: "day" });
      expect(await byDay()).toEqual([["2026-01-01", 5]]);
      clock.advance(19 * hour + hour / 2);
      expect(await close()).toBe(0);
      clock.advance(hour);
      expect(await close()).toBe(1);
      expect(await close()).toBe(0);
      expect(totals).toEqual([["acme", "2026-01-01", { apiReads: 5 }]]);
      expect(await store.queryRecords("acme#told")).toHaveLength(1);
      expect(await byDay()).toEqual([["2026-01-01", 5]]);
      await read("a", 7);
      expect(await byDay()).toEqual([
        ["2026-01-01", 5],
        ["2026-01-02", 7],
      ]);
    });

    it("counts what comes too late for a day in the hour in which it is written", async () => {
      fault = "refused";
      await read();
      clock.advance(25 * hour);
      await close();
      fault = "none";
      await writer.flush();
      expect(await shown({ granularity: "day" })).toEqual([["2026-01-02", 1]]);
    });

    it("keeps hours for 35 days and counters of writers for two, and days for ever", async () => {
      await read();
      clock.advance(26 * hour);
      await close();
      clock.advance(36 * 24 * hour);
      openWriter("w2");
      await read();
      clock.advance(26 * hour);
      expect(await close()).toBe(1);
      expect(await store.queryRecords(usagePartitions.hours("acme"))).toHaveLength(1);
      expect((await store.queryRecords(usagePartitions.writers("acme"))).map(({ sort }) => sort)).toEqual(["w2"]);
      expect(await shown({ granularity: "day" })).toHaveLength(2);
    });

    it("goes on for a writer whose counter was swept away while it rested", async () => {
      await read();
      await store.writeRecords([{ partition: usagePartitions.writers("acme"), sort: "w1", kind: "delete", expected: undefined }]);
      await read();
      expect(await shown()).toEqual([["2026-01-01T00", 2]]);
    });
  });
});
