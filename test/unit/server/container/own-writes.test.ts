import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { tellWrites } from "../../../../server/container/own-writes.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { partitions } from "../../../../shared/platform/record-keys.ts";
import { DynamoStore } from "../../../../shared/store/dynamo/dynamo-store.ts";
import type { Operation, RecordOperation } from "../../../../shared/store/store.ts";
import { webhookPartitions } from "../../../../shared/webhooks/records.ts";
import { MemoryTable } from "../../store/dynamo/memory-table.ts";

const ref = { tenant: "acme", cluster: "dev" };
const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "default" } };
const create: Operation = { kind: "put", key: { group: "", resource: "configmaps", namespace: "default", name: "a" }, expected: 0, object };
const mark = (partition: string): RecordOperation => ({ partition, sort: "x", kind: "put", expected: undefined, value: {} });

async function listening() {
  const told: string[] = [];
  const store = tellWrites(
    new DynamoStore({ table: new MemoryTable(), clock: systemClock, random: Math.random, makeId: randomUUID }),
    () => ({
      before: async ({ cluster }) => void told.push(`before ${cluster}`),
      committed: ({ cluster }, revision) => void told.push(`${cluster} ${revision}`),
      noted: (what) => void told.push(what),
    }),
  );
  await store.createCluster(ref);
  return { store, told };
}

describe("a store that tells of its writes", () => {
  it("tells before and after a commit, and after one that failed nothing", async () => {
    const { store, told } = await listening();
    await store.commit(ref, [create]);
    await expect(store.commit(ref, [create])).rejects.toThrow();
    expect(told).toEqual(["before dev", "dev 2", "before dev"]);
  });

  it("tells of platform work and webhooks that are noted, in whatever write, and not of those that are over", async () => {
    const { store, told } = await listening();
    await store.writeRecords([mark(partitions.deletingClusters)]);
    await store.commit(ref, [create], [mark(partitions.drainingNodes)]);
    await store.createCluster({ ...ref, cluster: "other" }, [mark(webhookPartitions.due)]);
    await store.writeRecords([{ partition: webhookPartitions.due, sort: "x", kind: "delete", expected: undefined }, mark("acme#clusters")]);
    expect(told).toEqual(["platform", "before dev", "dev 2", "platform", "webhooks"]);
  });

  it("commits nothing where nobody else could be left to look at the cluster", async () => {
    const inner = new DynamoStore({ table: new MemoryTable(), clock: systemClock, random: Math.random, makeId: randomUUID });
    const before = () => Promise.reject(new Error("the table does not answer"));
    const store = tellWrites(inner, () => ({ before, committed: () => {}, noted: () => {} }));
    await store.createCluster(ref);
    await expect(store.commit(ref, [create])).rejects.toThrow("the table does not answer");
    expect((await inner.head(ref)).revision).toBe(1);
  });
});
