import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { createSweep } from "../../../shared/host/sweep.ts";
import { recordKeys } from "../../../shared/platform/record-keys.ts";
import { putRecord } from "../../../shared/platform/records.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";

const ref = { tenant: "acme", cluster: "dev" };
const key = { group: "", resource: "configmaps", namespace: "default", name: "one" };
const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one", namespace: "default" } };

/** A cluster of which no loops know, and what sweeps its installation. */
async function clusterLeftBehind() {
  const clock = createFakeClock();
  const store = new DynamoStore({ table: new MemoryTable(), clock, random: () => 0.5, makeId: randomUUID });
  await store.createCluster(ref);
  await store.commit(ref, [{ kind: "put", key, object, expected: 0 }]);
  await store.writeRecords([
    putRecord(recordKeys.tenant(ref.tenant), 0, { id: ref.tenant }),
    putRecord(recordKeys.cluster(ref.tenant, ref.cluster), 0, { id: ref.cluster }),
  ]);
  const sweepWith = (tidyUp = async (): Promise<void> => {}) => createSweep({ store, clock, log: silentLog, tidyUp });
  return { store, sweepWith };
}

test("two that sweep at the same time find what was left once, and tidy up once", async () => {
  const { store, sweepWith } = await clusterLeftBehind();
  let tidied = 0;
  const sweeps = [1, 2].map(() => sweepWith(async () => void tidied++));
  const found = await Promise.all(sweeps.map((sweep) => sweep.stale()));
  expect(found.flat().map((left) => left.ref)).toEqual([ref]);
  await Promise.all(sweeps.map((sweep) => sweep.housekeeping()));
  expect(tidied).toBe(1);
  await store.close();
});

test("what the sweep found is told of though others tidy up meanwhile", async () => {
  const { store, sweepWith } = await clusterLeftBehind();
  const other = sweepWith();
  const head = store.head.bind(store);
  store.head = async (cluster) => {
    await other.housekeeping();
    return head(cluster);
  };
  expect((await sweepWith().stale()).map((left) => left.ref)).toEqual([ref]);
  expect(await other.stale()).toEqual([]);
  await store.close();
});
