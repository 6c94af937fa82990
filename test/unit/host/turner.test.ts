import { randomUUID } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { poolLabel } from "../../../shared/api/agent/node-object.ts";
import { dueAgenda } from "../../../shared/host/agenda.ts";
import { listenedTo } from "../../../shared/host/listening.ts";
import { createLoopLeases } from "../../../shared/host/loop-lease.ts";
import type { Loops } from "../../../shared/host/loops.ts";
import { createNodeMarks } from "../../../shared/host/node-marks.ts";
import { overStore } from "../../../shared/host/over-store.ts";
import { openTurnedCluster, type TurnedCluster } from "../../../shared/host/turned-cluster.ts";
import { createTurner, type Turner } from "../../../shared/host/turner.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { type LogEntry, type RecordOperation, StoreError } from "../../../shared/store/store.ts";
import { silentLog } from "../../../shared/telemetry/log.ts";
import { createFakeClock, type FakeClock } from "../controllers/fake-clock.ts";
import { MemoryTable } from "../store/dynamo/memory-table.ts";
import { runtimeOptions } from "./runtime-fixture.ts";

const ref = { tenant: "acme", cluster: "dev" };
const turnMs = 20_000;
/** So long an opening may take. */
const openingMs = 300_000;

let clock: FakeClock;
let table: DynamoStore;
/** When its loops have something to do, in milliseconds since 1970. */
let dueMs: number | undefined;
let idle: () => Promise<number>;
let opened: TurnedCluster[];

beforeEach(async () => {
  clock = createFakeClock();
  dueMs = undefined;
  idle = () => Promise.resolve(1);
  opened = [];
  table = new DynamoStore({ table: new MemoryTable(), clock, random: () => 0.5, makeId: randomUUID });
  await table.createCluster(ref);
});

/** Loops that do nothing. */
const restingLoops = (): Loops => ({
  ...{ start() {}, schedule() {}, stop: () => Promise.resolve(), hold() {}, lookAtSilent() {}, hasDue: () => false, atRest: false },
  ...{ idle: () => idle(), nextDue: () => dueMs },
});
/** `opening` may make the opening of a cluster take its time. */
const process = (
  holder: string,
  refused: (operation: RecordOperation) => boolean | Promise<boolean> = () => false,
  opening: () => Promise<void> = () => Promise.resolve(),
): Turner => {
  const store = overStore(table, {
    async writeRecords(operations) {
      for (const operation of operations) if (await refused(operation)) throw new StoreError("Unavailable", "injected");
      return table.writeRecords(operations);
    },
  });
  return createTurner({
    ...{ store, clock, log: silentLog, kept: 1, wake: () => {}, storeOf: () => store, marksOf: () => createNodeMarks(store) },
    leasesOf: () => createLoopLeases({ store, clock, holder, lookAgain: () => Promise.resolve() }),
    open: async (cluster, lease) => {
      await opening();
      const turned = await openTurnedCluster(cluster, store, lease, {
        ...runtimeOptions(store, clock),
        loopsOf: restingLoops,
        prepare: () => Promise.resolve("turn"),
      });
      opened.push(turned);
      return turned;
    },
  });
};
const turn = (turner: Turner) => turner.turn(ref, 0, clock.now() + turnMs);
const leasesOf = (holder: string) => createLoopLeases({ store: table, clock, holder, lookAgain: () => Promise.resolve() });
const letsGo = ({ sort, ...operation }: RecordOperation): boolean =>
  sort === "lease" && operation.kind === "put" && operation.value.free === 1;

describe("a turned cluster's look ahead", () => {
  const isAgenda = ({ partition }: RecordOperation): boolean => partition.startsWith("platform#agenda");
  const noted = async (): Promise<number[]> => (await dueAgenda(table, Number.MAX_SAFE_INTEGER)).map((item) => item.dueMs);

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

  test.each([
    { how: "others come each time that it lets go of the lease", takenAfter: Number.POSITIVE_INFINITY },
    { how: "another takes the lease", takenAfter: 1 },
  ])("is still noted when a turn is late and $how", async ({ takenAfter }) => {
    const laterMs = clock.now() + 120_000;
    dueMs = laterMs;
    const others = leasesOf("b");
    let tries = -1;
    const turner = process("a", async (operation) => {
      if (tries < 0 || !letsGo(operation)) return false;
      if (tries++ === takenAfter) clock.advance(60_000);
      await others.acquire(ref, Number.POSITIVE_INFINITY);
      return false;
    });
    expect(await turn(turner)).toBe("done");
    tries = 0;
    const lateMs = 5_000;
    idle = () => {
      queueMicrotask(() => clock.advance(lateMs));
      return new Promise(() => {});
    };
    expect(await turner.turn(ref, 0, clock.now() + lateMs)).toBe("late");
    expect(tries).toBeGreaterThan(1);
    expect(await noted()).toContain(laterMs);
    await turner.close();
  });
});

describe("the pools in which a turned cluster has machines", () => {
  const listened = async (): Promise<(readonly string[])[]> => {
    const found: (readonly string[])[] = [];
    for await (const { pools } of listenedTo(table)) found.push(pools);
    return found;
  };
  const key = { group: "", resource: "nodes", namespace: "", name: "n1" };
  const machine = (pool: string) => ({ apiVersion: "v1", kind: "Node", metadata: { name: key.name, labels: { [poolLabel]: pool } } });
  const joins = (pool: string) => table.commit(ref, [{ kind: "put", key, object: machine(pool), expected: 0 }]);
  const leaves = (pool: string, [joined]: readonly LogEntry[]) =>
    table.commit(ref, [{ kind: "delete", key, object: machine(pool), expected: joined?.revision ?? 0 }]);

  test("are listened to for as long as it has", async () => {
    const turner = process("a");
    const joined = await joins("small");
    await turn(turner);
    expect(await listened()).toEqual([["small"]]);
    await leaves("small", joined);
    const next = await joins("large");
    await turn(turner);
    expect(await listened()).toEqual([["large", "small"]]);
    await leaves("large", next);
    expect(await turn(turner)).toBe("done");
    expect(await listened()).toEqual([]);
    await turner.close();
  });

  test("are still listened to when a process dies that found none, and its machine is back before the next turn", async () => {
    const first = process("a");
    const joined = await joins("small");
    expect(await turn(first)).toBe("done");
    await leaves("small", joined);
    const dying = process("b", letsGo);
    await expect(turn(dying)).rejects.toMatchObject({ code: "Unavailable" });
    clock.advance(60_000);
    await joins("small");
    const next = process("c");
    expect(await turn(next)).toBe("done");
    expect(await listened()).toEqual([["small"]]);
    for (const each of [first, dying, next]) await each.close();
  });

  test("are still listened to when its machine is back while somebody comes to a turn that found none", async () => {
    let back = false;
    const others = leasesOf("b");
    const turner = process("a", async (operation) => {
      if (!back || !letsGo(operation)) return false;
      back = false;
      await joins("small");
      await others.acquire(ref, Number.POSITIVE_INFINITY);
      return false;
    });
    const joined = await joins("small");
    expect(await turn(turner)).toBe("done");
    await leaves("small", joined);
    back = true;
    expect(await turn(turner)).toBe("done");
    expect(back).toBe(false);
    expect(await listened()).toEqual([["small"]]);
    await turner.close();
  });

  test("are still listened to when another process finds machines anew just before they would be no more", async () => {
    let slow = false;
    const other = process("b");
    const slowly = process("a", async ({ partition, kind }) => {
      if (!slow || partition !== "platform#listening" || kind !== "delete") return false;
      slow = false;
      await joins("small");
      expect(await turn(other)).toBe("done");
      return false;
    });
    const joined = await joins("small");
    expect(await turn(slowly)).toBe("done");
    await leaves("small", joined);
    slow = true;
    expect(await turn(slowly)).toBe("done");
    expect(slow).toBe(false);
    expect(await listened()).toEqual([["small"]]);
    for (const each of [slowly, other]) await each.close();
  });
});

describe("a turn of a cluster that is slow to be opened", () => {
  /** Lets what was begun come to where it waits for the time. */
  const ticks = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await nextTurn();
  };
  /** Turns whose openings wait each for its own word. */
  function slow() {
    const words: PromiseWithResolvers<void>[] = [];
    const turner = process("a", undefined, () => {
      const word = Promise.withResolvers<void>();
      words.push(word);
      return word.promise;
    });
    const lateTurn = async (): Promise<void> => {
      const answer = turn(turner);
      await ticks();
      clock.advance(turnMs);
      expect(await answer).toBe("late");
    };
    return { turner, words, lateTurn };
  }

  test("ends in time, with the cluster on the agenda and its lease free", async () => {
    const { lateTurn } = slow();
    await lateTurn();
    expect((await dueAgenda(table, clock.now())).map((item) => item.ref)).toEqual([ref]);
    expect(await leasesOf("b").acquire(ref, Number.POSITIVE_INFINITY)).toMatchObject({ kind: "held" });
  });

  test("is followed by one that takes what the opening has brought", async () => {
    const { turner, words, lateTurn } = slow();
    await lateTurn();
    words[0]?.resolve();
    await ticks();
    expect(await turn(turner)).toBe("done");
    expect(words).toHaveLength(1);
    await turner.close();
  });

  test("is followed by one that waits for the same opening", async () => {
    const { turner, words, lateTurn } = slow();
    await lateTurn();
    const second = turn(turner);
    await ticks();
    clock.advance(turnMs / 2);
    words[0]?.resolve();
    expect(await second).toBe("done");
    expect(words).toHaveLength(1);
    await turner.close();
  });

  test("is followed by as many as it takes that wait for the same opening, whatever else is kept meanwhile", async () => {
    const { turner, words, lateTurn } = slow();
    for (let late = 0; late < 5; late++) {
      await lateTurn();
      await turner.keepOnly([]);
    }
    words[0]?.resolve();
    await ticks();
    await turner.keepOnly([]);
    expect(await turn(turner)).toBe("done");
    expect(words).toHaveLength(1);
    expect(opened.map(({ over }) => over)).toEqual([false]);
    clock.advance(openingMs);
    await ticks();
    expect(opened.map(({ over }) => over)).toEqual([false]);
    await turner.close();
  });

  test("fails once its opening has taken minutes: the cluster is opened anew, and what the first brings is thrown away", async () => {
    const { turner, words, lateTurn } = slow();
    for (let ms = turnMs; ms < openingMs; ms += turnMs) await lateTurn();
    await expect(lateTurn()).rejects.toMatchObject({ code: "Unavailable" });
    expect(words).toHaveLength(1);
    const next = turn(turner);
    await ticks();
    words[1]?.resolve();
    expect(await next).toBe("done");
    words[0]?.resolve();
    await ticks();
    expect(opened.map(({ over }) => over)).toEqual([false, true]);
    await turner.close();
  });

  test("keeps what its opening brings for minutes, and no longer where no turn asks for it", async () => {
    const { turner, words, lateTurn } = slow();
    await lateTurn();
    words[0]?.resolve();
    await ticks();
    expect(opened.map(({ over }) => over)).toEqual([false]);
    clock.advance(openingMs);
    await ticks();
    expect(opened.map(({ over }) => over)).toEqual([true]);
    await turner.close();
  });

  test("keeps what its opening brings from a turn that waits for it when its time is up", async () => {
    const { turner, words, lateTurn } = slow();
    await lateTurn();
    clock.advance(openingMs - turnMs - 1);
    const waiting = turn(turner);
    await ticks();
    clock.advance(2);
    await ticks();
    words[0]?.resolve();
    expect(await waiting).toBe("done");
    await ticks();
    expect(opened.map(({ over }) => over)).toEqual([false]);
    await turner.close();
  });

  test("keeps nothing that comes after the turner was closed", async () => {
    const { turner, words, lateTurn } = slow();
    await lateTurn();
    await turner.close();
    words[0]?.resolve();
    await ticks();
    expect(opened.map(({ over }) => over)).toEqual([true]);
  });
});
