import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { overStore } from "../../../shared/host/over-store.ts";
import { turnDue } from "../../../shared/host/turn-due.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { type ClusterRef, StoreError } from "../../../shared/store/store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";

test("what a sweep left is turned where the agenda cannot be read, which is told of in the end", async () => {
  const clock = createFakeClock();
  const table = new DynamoStore({ table: new MemoryTable(), clock, random: () => 0.5, makeId: randomUUID });
  const store = overStore(table, { queryRecords: () => Promise.reject(new StoreError("Unavailable", "injected")) });
  const turned: ClusterRef[] = [];
  const turner = {
    async turn(ref: ClusterRef) {
      turned.push(ref);
      return "done" as const;
    },
  };
  const left = { ref: { tenant: "acme", cluster: "dev" }, failures: 0, key: undefined };
  const due = turnDue({ turner, clock, log: silentLog, store }, [left], clock.now() + 1_000);
  await expect(due).rejects.toMatchObject({ code: "Unavailable" });
  expect(turned).toEqual([left.ref]);
  await table.close();
});
