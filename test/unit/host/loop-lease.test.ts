import { beforeEach, describe, expect, test } from "vitest";
import { createFencedStore } from "../../../shared/host/fenced-store.ts";
import { createLoopLeases, fenceKey, hasCluster, type LoopLease, type LoopLeases } from "../../../shared/host/loop-lease.ts";
import { overStore } from "../../../shared/host/over-store.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { isStoreError } from "../../../shared/store/store.ts";
import { createFakeClock, type FakeClock } from "../controllers/fake-clock.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";

const ref = { tenant: "acme", cluster: "dev" };
const none = { pools: [] };
const key = { group: "", resource: "configmaps", namespace: "default", name: "one" };
const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one", namespace: "default" } };

describe("the lease of a cluster's loops", () => {
  let clock: FakeClock;
  let store: DynamoStore;
  let noted: number[];
  let count = 0;

  beforeEach(async () => {
    clock = createFakeClock();
    noted = [];
    store = new DynamoStore({ table: new MemoryTable(), clock, random: () => 0.5, makeId: () => `id-${count++}` });
    await store.createCluster(ref);
  });
  const leases = (holder: string, its = clock): LoopLeases =>
    createLoopLeases({ store, clock: its, holder, lookAgain: async (_, atMs) => void noted.push(atMs) });
  const held = async (holder: string, its = clock): Promise<LoopLease> => {
    const lease = await leases(holder, its).acquire(ref, 1);
    if (lease.kind !== "held") throw new Error(lease.kind);
    return lease;
  };

  test("has one holder; another is turned away, and a look is noted for when the first one's time is over", async () => {
    await held("a");
    expect(await leases("b").acquire(ref, 1)).toEqual({ kind: "busy" });
    expect(noted).toEqual([clock.now() + 30_000]);
  });

  test("is not let go while somebody came in the meantime: the holder hears of it", async () => {
    const lease = await held("a");
    await leases("b").acquire(ref, 5);
    expect(await lease.release(4, none)).toBe("woken");
    expect(await lease.release(5, none)).toBe("released");
  });

  test("is let go however often somebody comes in the meantime, by a holder that has noted another look", async () => {
    let coming = 0;
    const busy = overStore(store, {
      async writeRecords(operations) {
        if (coming-- > 0) await leases("b").acquire(ref, 5);
        return store.writeRecords(operations);
      },
    });
    const lease = await createLoopLeases({ store: busy, clock, holder: "a", lookAgain: async () => {} }).acquire(ref, 1);
    if (lease.kind !== "held") throw new Error(lease.kind);
    coming = 3;
    expect(await lease.letGo(4, none)).toBe(true);
    expect(coming).toBe(-1);
    expect((await leases("b").acquire(ref, 5)).kind).toBe("held");
  });

  test("is not taken of a cluster that is gone: nothing is written", async () => {
    const gone = { tenant: "acme", cluster: "gone" };
    const its = createLoopLeases({ store, clock, holder: "a", lookAgain: async () => {}, exists: (each) => hasCluster(store, each) });
    expect(await its.acquire(gone, 5)).toEqual({ kind: "gone" });
    expect(await store.queryRecords(fenceKey(gone, 0).partition)).toEqual([]);
    expect((await its.acquire(ref, 5)).kind).toBe("held");
  });

  test("leaves nothing behind of a cluster that is no more", async () => {
    const lease = await held("a");
    const { partition } = fenceKey(ref, 0);
    expect(await store.queryRecords(partition)).not.toEqual([]);
    await lease.discard();
    expect(await store.queryRecords(partition)).toEqual([]);
    expect(await lease.release(5, none)).toBe("lost");
  });

  test("is not made anew by whoever leaves word for its holder while the cluster is deleted", async () => {
    const lease = await held("a");
    const late = createLoopLeases({ store, clock, holder: "b", lookAgain: () => lease.discard() });
    const found = await late.acquire(ref, 5);
    expect(found.kind).toBe("held");
    if (found.kind === "held") await found.discard();
    expect(await store.queryRecords(fenceKey(ref, 0).partition)).toEqual([]);
  });

  test("says what is done, so that whoever comes for that does not take it", async () => {
    await (await held("a")).release(7, { agenda: "agenda", pools: ["p"] });
    expect(await leases("b").acquire(ref, 7)).toEqual({ kind: "done" });
    const next = await leases("b").acquire(ref, 8);
    expect(next).toMatchObject({ kind: "held", doneRevision: 7, notes: { agenda: "agenda", pools: ["p"] }, continued: false });
  });

  test("goes to another when its time is over; the former holder can neither renew nor release it", async () => {
    const former = await held("a");
    clock.advance(30_001);
    const next = await held("b");
    expect(next.token).toBe(former.token + 1);
    expect(await former.renew()).toBe("lost");
    expect(await former.release(9, none)).toBe("lost");
  });

  test("stays with a holder that renews it", async () => {
    const lease = await held("a");
    for (let times = 0; times < 4; times++) {
      clock.advance(20_000);
      expect(await lease.renew()).toBe("held");
    }
    expect(await leases("b").acquire(ref, 1)).toEqual({ kind: "busy" });
  });

  test("keeps its token while the same process takes it again, and its fences need no writing", async () => {
    const first = await held("a");
    await first.release(1, none);
    const again = await leases("a").acquire(ref, 2);
    expect(again).toMatchObject({ token: first.token, continued: true });
  });

  test("fails what a former holder writes in the very transaction, whichever fence it meets", async () => {
    const former = await held("a");
    let lost = 0;
    const fenced = createFencedStore(store, ref, { token: former.token }, () => lost++);
    await fenced.commit(ref, [{ kind: "put", key, expected: 0, object }]);
    // A clock that is half a minute ahead takes the lease for over.
    const fast = createFakeClock(clock.now() + 30_001);
    await held("b", fast);
    for (let times = 1; times <= 5; times++) {
      const write = fenced.commit(ref, [{ kind: "put", key: { ...key, name: `n${times}` }, expected: 0, object }]);
      await expect(write).rejects.toSatisfy((error) => isStoreError(error, "Unavailable"));
      expect(lost).toBe(times);
    }
    expect(await store.latest(ref, [{ ...key, name: "n1" }])).toEqual([undefined]);
  });

  test("leaves a conflict about an object what it is", async () => {
    const lease = await held("a");
    const fenced = createFencedStore(store, ref, { token: lease.token }, () => expect.unreachable());
    await fenced.commit(ref, [{ kind: "put", key, expected: 0, object }]);
    const again = fenced.commit(ref, [{ kind: "put", key, expected: 0, object }]);
    await expect(again).rejects.toMatchObject({ code: "RevisionConflict", index: 0 });
  });

  test("taken at the same time by several has one holder", async () => {
    const all = await Promise.all(["a", "b", "c", "d"].map((holder) => leases(holder).acquire(ref, 1)));
    expect(all.filter(({ kind }) => kind === "held")).toHaveLength(1);
    expect(all.filter(({ kind }) => kind === "busy")).toHaveLength(3);
  });
});
