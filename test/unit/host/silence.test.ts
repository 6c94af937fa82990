import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { listenTo } from "../../../shared/host/listening.ts";
import { createSilence } from "../../../shared/host/silence.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { StoreError } from "../../../shared/store/store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";

const nodeGraceMs = 100_000;
const tenants = Array.from({ length: 20 }, (_, at) => `tenant-${String(at).padStart(2, "0")}`);
const lost = "tenant-00";

describe("clusters of which a machine has fallen silent", () => {
  const clock = createFakeClock();
  let store: DynamoStore;
  let logged: unknown[];

  /** Each tenant has a cluster with a machine, which spoke last when the test began. */
  beforeEach(async () => {
    store = new DynamoStore({ table: new MemoryTable(), clock, random: () => 0.5, makeId: randomUUID });
    logged = [];
    for (const tenant of tenants) await store.writeRecords([listenTo({ tenant, cluster: "dev" }, ["pl"], clock.now())]);
  });

  const silenceBy = (ofPool: (tenant: string) => Promise<Map<string, number>>) =>
    createSilence({
      ...{ store, clock, nodeGraceMs, heartbeats: { ofPool } },
      log: { ...silentLog, error: (_text, _cause, fields) => void logged.push(fields) },
    });
  const tenantsOf = (clusters: readonly { ref: { tenant: string } }[]) => clusters.map(({ ref }) => ref.tenant).sort();

  it("are found though a tenant's heartbeats cannot be read, whose cluster is listened to as before", async () => {
    const spokeMs = clock.now();
    let isLost = true;
    const silence = silenceBy(async (tenant) => {
      if (isLost && tenant === lost) throw new StoreError("Unavailable", "no session");
      return new Map([["n1", spokeMs]]);
    });
    clock.advance(nodeGraceMs);
    const { silenced, others } = await silence.look();
    expect(tenantsOf(silenced)).toEqual(tenants.slice(1));
    expect(tenantsOf(others)).toEqual([lost]);
    expect(logged).toEqual([{ tenant: lost, cluster: "dev" }]);
    isLost = false;
    expect(tenantsOf((await silence.look()).silenced)).toEqual(tenants);
  });

  it("are looked for with several tenants at a time, and never with many", async () => {
    let [now, most] = [0, 0];
    const silence = silenceBy(async () => {
      most = Math.max(most, ++now);
      await new Promise(setImmediate);
      now--;
      return new Map();
    });
    expect(tenantsOf((await silence.look()).others)).toEqual(tenants);
    expect(most).toBe(8);
  });

  it("are noted though one's record cannot be written", async () => {
    const spokeMs = clock.now();
    const silence = silenceBy(async () => new Map([["n1", spokeMs]]));
    clock.advance(nodeGraceMs);
    const { silenced } = await silence.look();
    const write = store.writeRecords.bind(store);
    store.writeRecords = async (operations) => {
      if (operations.some(({ sort }) => sort.startsWith(lost))) throw new StoreError("Unavailable", "broken");
      return write(operations);
    };
    await silence.noted(silenced.map((each) => ({ ...each, outcome: "done" })));
    expect(tenantsOf((await silence.look()).silenced)).toEqual([lost]);
    expect(logged).toEqual([{ tenant: lost, cluster: "dev" }]);
  });
});
