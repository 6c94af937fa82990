import { randomUUID } from "node:crypto";
import { afterEach, expect, it } from "vitest";
import { systemClock } from "../../../../shared/clock.ts";
import { DynamoStore } from "../../../../shared/store/dynamo/dynamo-store.ts";
import type { Table } from "../../../../shared/store/dynamo/table.ts";
import { checkConcurrentWriters } from "../../../contract/concurrent-writers.ts";
import { type Fault, FaultyTable } from "./faulty-table.ts";
import { MemoryTable } from "./memory-table.ts";

const cluster = { tenant: "t", cluster: "c" };
const open: DynamoStore[] = [];
afterEach(async () => {
  for (const store of open.splice(0)) void store.close();
});

function storeOn(table: Table): DynamoStore {
  const timings = { fillAfterMs: 40, lookAgainMs: 5, busyMs: 5, idleMs: 20 };
  const retries = { attempts: 5, baseMs: 1, capMs: 4 };
  const store = new DynamoStore({ table, clock: systemClock, random: Math.random, makeId: randomUUID, timings, retries });
  open.push(store);
  return store;
}

const lag = () => new Promise<void>((resolve) => setTimeout(resolve, Math.random() * 4));
const sometimes = (share: number, faults: readonly Fault[]) => (): Fault | undefined =>
  Math.random() < share ? faults[Math.floor(Math.random() * faults.length)] : undefined;

it("loses, repeats and reorders nothing while eight stores write over a table that throttles, loses answers and shows transactions late", async () => {
  const memory = new MemoryTable(lag);
  const writers = Array.from({ length: 8 }, () => storeOn(new FaultyTable(memory, sometimes(0.1, ["throttled", "conflict", "lost"]))));
  const readers = [storeOn(memory), storeOn(new FaultyTable(memory, sometimes(0.05, ["throttled", "lost"])))];
  await checkConcurrentWriters({ writers, readers, rounds: 4 });
});

it("holds nobody up for long while writers die before or after any step of a commit", async () => {
  const memory = new MemoryTable(lag);
  const reader = storeOn(memory);
  const living = Array.from({ length: 3 }, () => storeOn(memory));
  const done = checkConcurrentWriters({ writers: living, readers: [reader], rounds: 6 });
  await expect
    .poll(
      () =>
        reader.head(cluster).then(
          () => true,
          () => false,
        ),
      { interval: 1 },
    )
    .toBe(true);
  let deaths = 0;
  const fatal = ["dead", "lastAct"] as const;
  for (let index = 0; index < 12; index++) {
    let calls = 0;
    // After opening the cluster: the head, the name of the collection, the transaction.
    const step = 2 + (index % 3);
    const mortal = storeOn(
      new FaultyTable(memory, () => {
        if (++calls !== step) return undefined;
        deaths++;
        return fatal[index % 2];
      }),
    );
    // A collection of its own, which it has to name first.
    const key = { group: "", resource: `kind${index}`, namespace: "n", name: `mortal-${index}` };
    void mortal.commit(cluster, [{ kind: "put", key, expected: 0, object: { metadata: { name: key.name, annotations: { value: "1" } } } }]);
    await lag();
  }
  await done;
  expect(deaths).toBe(12);
});
