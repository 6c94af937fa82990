import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { dueAgenda } from "../../../shared/host/agenda.ts";
import { createLoopLeases } from "../../../shared/host/loop-lease.ts";
import type { Loops } from "../../../shared/host/loops.ts";
import { createNodeMarks } from "../../../shared/host/node-marks.ts";
import { overStore } from "../../../shared/host/over-store.ts";
import { openTurnedCluster } from "../../../shared/host/turned-cluster.ts";
import { createTurner, type Turner } from "../../../shared/host/turner.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { type RecordOperation, StoreError } from "../../../shared/store/store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock, type FakeClock } from "../controllers/fake-clock.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";
import { runtimeOptions } from "./runtime-fixture.ts";

const ref = { tenant: "acme", cluster: "dev" };
const turnMs = 20_000;

describe("a turned cluster's look ahead", () => {
  let clock: FakeClock;
  let table: DynamoStore;
  /** When its loops have something to do, in milliseconds since 1970. */
  let dueMs: number | undefined;

  beforeEach(async () => {
    clock = createFakeClock();
    table = new DynamoStore({ table: new MemoryTable(), clock, random: () => 0.5, makeId: randomUUID });
    await table.createCluster(ref);
  });

  /** Loops that do nothing. */
  const restingLoops = (): Loops => ({
    ...{ start() {}, schedule() {}, stop: () => Promise.resolve(), hold() {}, lookAtSilent() {}, hasDue: () => false, atRest: false },
    ...{ idle: () => Promise.resolve(1), nextDue: () => dueMs },
  });
  const process = (holder: string, refused: (operation: RecordOperation) => boolean | Promise<boolean> = () => false): Turner => {
    const store = overStore(table, {
      async writeRecords(operations) {
        for (const operation of operations) if (await refused(operation)) throw new StoreError("Unavailable", "injected");
        return table.writeRecords(operations);
      },
    });
    return createTurner({
      ...{ store, clock, log: silentLog, kept: 1, wake: () => {}, storeOf: () => store, marksOf: () => createNodeMarks(store) },
      leasesOf: () => createLoopLeases({ store, clock, holder, lookAgain: () => Promise.resolve() }),
      open: (cluster, lease) =>
        openTurnedCluster(cluster, store, lease, {
          ...runtimeOptions(store, clock),
          loopsOf: restingLoops,
          prepare: () => Promise.resolve("turn"),
        }),
    });
  };
  const isAgenda = ({ partition }: RecordOperation): boolean => partition.startsWith("platform#agenda");
  const turn = (turner: Turner) => turner.turn(ref, 0, clock.now() + turnMs);
  const noted = async (): Promise<number[]> => (await dueAgenda(table, Number.MAX_SAFE_INTEGER)).map((item) => item.dueMs);
  const letsGo = ({ sort, ...operation }: RecordOperation): boolean =>
    sort === "lease" && operation.kind === "put" && operation.value.free === 1;

  test("is noted once: an earlier one takes the place of the one before", async () => {
    const turner = process("a");
    dueMs = clock.now() + 120_000;
    expect(await turn(turner)).toBe("done");
    dueMs = clock.now() + 60_000;
    expect(await turn(turner)).toBe("done");
    expect(await noted()).toEqual([dueMs]);
    await turner.close();
  });

  test("is still noted when another process notes it anew just before it is dropped", async () => {
    const sameMs = clock.now() + 120_000;
    dueMs = sameMs;
    const other = process("b");
    let slow = false;
    const slowly = process("a", async (operation) => {
      if (!slow || !isAgenda(operation) || operation.kind !== "delete") return false;
      slow = false;
      dueMs = sameMs;
      expect(await turn(other)).toBe("done");
      return false;
    });
    expect(await turn(slowly)).toBe("done");
    slow = true;
    dueMs = undefined;
    expect(await turn(slowly)).toBe("done");
    expect(slow).toBe(false);
    expect(await noted()).toEqual([sameMs]);
    for (const each of [slowly, other]) await each.close();
  });

  test("is still noted when a process dies that had noted an earlier one, and not what it had noted", async () => {
    const laterMs = clock.now() + 120_000;
    dueMs = laterMs;
    const first = process("a");
    expect(await turn(first)).toBe("done");
    dueMs = clock.now() + 30_000;
    const dying = process("b", letsGo);
    await expect(turn(dying)).rejects.toMatchObject({ code: "Unavailable" });
    clock.advance(60_000);
    dueMs = laterMs;
    const next = process("c");
    expect(await turn(next)).toBe("done");
    expect(await noted()).toContain(laterMs);
    for (const each of [first, dying, next]) await each.close();
  });
});
