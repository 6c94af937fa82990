import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { HeldClusters } from "../../../../server/container/held-clusters.ts";
import { openClusterRuntime } from "../../../../shared/host/cluster-runtime.ts";
import { DynamoStore } from "../../../../shared/store/dynamo/dynamo-store.ts";
import type { ItemKey } from "../../../../shared/store/dynamo/table.ts";
import type { ClusterRef } from "../../../../shared/store/store.ts";
import { createFakeClock } from "../../controllers/fake-clock.ts";
import { runtimeOptions } from "../../host/runtime-fixture.ts";
import { MemoryTable } from "../../store/dynamo/memory-table.ts";

const ref: ClusterRef = { tenant: "acme", cluster: "dev" };
const pods = { group: "", resource: "pods" };

class CountingTable extends MemoryTable {
  gets = 0;
  override get(key: ItemKey) {
    this.gets++;
    return super.get(key);
  }
}

async function hold({ memoryIsShort = false } = {}) {
  const clock = createFakeClock();
  const table = new CountingTable();
  const store = new DynamoStore({ table, clock, random: Math.random, makeId: randomUUID });
  await store.createCluster(ref);
  let openings = 0;
  const held = new HeldClusters({
    open(ref, onEnd) {
      openings++;
      return openClusterRuntime(ref, runtimeOptions(store, clock), onEnd);
    },
    memoryIsShort: () => memoryIsShort,
    clock,
  });
  const pass = async (seconds: number): Promise<number> => {
    const before = table.gets;
    for (let second = 0; second < seconds; second++) {
      clock.advance(1000);
      for (let settling = 0; settling < 5; settling++) await turn();
    }
    return table.gets - before;
  };
  return { held, pass, store, openings: () => openings };
}

describe("clusters that a server process holds", () => {
  it("are opened once, however many ask at the same time", async () => {
    const { held, openings } = await hold();
    const [one, two] = await Promise.all([held.open(ref), held.open(ref)]);
    expect(one).toBe(two);
    expect(openings()).toBe(1);
  });

  it("are not there where there is no such cluster", async () => {
    const { held } = await hold();
    expect(await held.open({ tenant: "acme", cluster: "none" })).toBeUndefined();
  });

  it("read nothing once nobody has asked for a minute, and are up to date again when somebody does", async () => {
    const { held, pass, store } = await hold();
    await held.open(ref);
    expect(await pass(60)).toBeGreaterThan(50);
    await pass(15);
    expect(await pass(300)).toBe(0);
    const key = { group: "", resource: "configmaps", namespace: "default", name: "a" };
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "default" } };
    const [entry] = await store.commit(ref, [{ kind: "put", key, expected: 0, object }]);
    const runtime = await held.open(ref);
    await pass(2);
    expect(runtime?.cluster.mirror.revision).toBe(entry?.revision);
  });

  it("are opened anew when they stood still for so long that their log does not reach back", async () => {
    const { held, pass, store, openings } = await hold();
    await held.open(ref);
    await pass(75);
    let revision = 0;
    for (const name of ["a", "b"]) {
      const key = { group: "", resource: "configmaps", namespace: "default", name };
      const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" } };
      const [entry] = await store.commit(ref, [{ kind: "put", key, expected: 0, object }]);
      revision = entry?.revision ?? 0;
    }
    await store.compact(ref, revision);
    const opening = held.open(ref);
    await pass(5);
    expect((await opening)?.cluster.mirror.revision).toBe(revision);
    expect(openings()).toBe(2);
  });

  it("stay while somebody watches", async () => {
    const { held, pass } = await hold();
    const runtime = await held.open(ref);
    const stop = runtime?.cluster.mirror.subscribe(pods, "", () => {});
    await pass(700);
    expect(held.peek(ref)).toBe(runtime);
    stop?.();
    const left: ClusterRef[] = [];
    held.onEvict((ref) => left.push(ref));
    await pass(620);
    expect(held.peek(ref)).toBeUndefined();
    expect(left).toEqual([ref]);
  });

  it("leave as soon as they are idle where memory is short", async () => {
    const { held, pass } = await hold({ memoryIsShort: true });
    await held.open(ref);
    await pass(75);
    expect(held.peek(ref)).toBeUndefined();
  });
});
