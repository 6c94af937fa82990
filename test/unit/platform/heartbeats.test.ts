import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { createHeartbeats, type NodeName } from "../../../shared/platform/heartbeats.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { StoreError } from "../../../shared/store/store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock, type FakeClock } from "../controllers/fake-clock.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";

describe("heartbeats of a tenant that cannot be reached", () => {
  const lost: NodeName = { tenant: "lost", pool: "pl", nodeName: "n1" };
  const other: NodeName = { ...lost, tenant: "other" };
  let clock: FakeClock;
  let isLost: boolean;
  let logged: unknown[];
  let open: () => ReturnType<typeof createHeartbeats>;

  beforeEach(() => {
    clock = createFakeClock();
    isLost = true;
    logged = [];
    const store = new DynamoStore({ table: new MemoryTable(), clock, random: () => 0.5, makeId: randomUUID });
    const log = { ...silentLog, error: (...line: unknown[]) => void logged.push(line[2]) };
    const storeOf = (tenant: string) => {
      if (isLost && tenant === lost.tenant) throw new StoreError("Unavailable", "no session");
      return store;
    };
    open = () => createHeartbeats({ storeOf, clock, log });
  });

  const written = async ({ tenant, pool, nodeName }: NodeName) => (await open().ofPool(tenant, pool)).get(nodeName);

  it("keep no other tenant's from being written, and are written with the next ones", async () => {
    const heartbeats = open();
    const spokeMs = clock.now();
    for (const node of [lost, other]) heartbeats.seen(node, spokeMs);
    await heartbeats.flush();
    expect(await written(other)).toBe(spokeMs);
    expect(logged).toEqual([{ tenant: lost.tenant }]);
    isLost = false;
    clock.advance(10_000);
    await heartbeats.flush();
    expect(await written(lost)).toBe(spokeMs);
  });

  it("are given up when they are old, or the node is forgotten: another process may have heard it since", async () => {
    const heartbeats = open();
    const removed = { ...lost, nodeName: "removed" };
    for (const node of [lost, removed]) heartbeats.seen(node, clock.now());
    await heartbeats.flush();
    heartbeats.forget(removed);
    clock.advance(31_000);
    isLost = false;
    const another = open();
    another.seen(lost, clock.now());
    await another.flush();
    await heartbeats.flush();
    expect(await written(lost)).toBe(clock.now());
    expect(await written(removed)).toBeUndefined();
  });

  it("are written however long that took, if the node speaks here", async () => {
    const heartbeats = open();
    for (let minute = 0; minute < 5; minute++) {
      clock.advance(60_000);
      heartbeats.seen(lost, clock.now());
      await heartbeats.flush();
    }
    isLost = false;
    await heartbeats.flush();
    expect(await written(lost)).toBe(clock.now());
  });
});
