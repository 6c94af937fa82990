import { describe, expect, it } from "vitest";
import { joiningHeads } from "../../../../server/container/joining-heads.ts";
import { overStore } from "../../../../shared/host/over-store.ts";
import { DynamoStore } from "../../../../shared/store/dynamo/dynamo-store.ts";
import type { Head } from "../../../../shared/store/store.ts";
import { createFakeClock } from "../../controllers/fake-clock.ts";
import { MemoryTable } from "../../store/dynamo/memory-table.ts";

const ref = { tenant: "acme", cluster: "dev" };

function heads() {
  const asked: PromiseWithResolvers<Head>[] = [];
  const inner = new DynamoStore({ table: new MemoryTable(), clock: createFakeClock(), random: Math.random, makeId: () => "a" });
  const store = overStore(inner, {
    head() {
      const read = Promise.withResolvers<Head>();
      asked.push(read);
      return read.promise;
    },
  });
  return { store: joiningHeads(store, ref), asked };
}

const at = (revision: number): Head => ({ revision, floor: 0 });

describe("reads of a head by many at once", () => {
  it("are one that begins after all of them asked", async () => {
    const { store, asked } = heads();
    const first = store.head(ref);
    const others = [store.head(ref), store.head(ref), store.head(ref)];
    expect(asked).toHaveLength(1);
    asked[0]?.resolve(at(5));
    expect(await first).toEqual(at(5));
    expect(asked).toHaveLength(2);
    asked[1]?.resolve(at(8));
    expect(await Promise.all(others)).toEqual([at(8), at(8), at(8)]);
    void store.head(ref);
    expect(asked).toHaveLength(3);
  });

  it("fail for those who shared one that failed, and for nobody else", async () => {
    const { store, asked } = heads();
    const first = store.head(ref);
    const second = store.head(ref);
    asked[0]?.reject(new Error("throttled"));
    await expect(first).rejects.toThrow("throttled");
    asked[1]?.resolve(at(2));
    expect(await second).toEqual(at(2));
  });
});
