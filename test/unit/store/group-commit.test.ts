import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { GroupCommit } from "../../../shared/store/lmdb/group-commit.ts";
import { StoreError } from "../../../shared/store/store.ts";

/** LMDB as this module sees it: transactions that are committed and synced when the test says so, or refused. */
function createFakeRoot() {
  const syncs: { resolve: () => void; promise: Promise<boolean> }[] = [];
  const refused: (() => void)[] = [];
  let isFull = false;
  let link = 0;
  let lastWritten = 0;
  return {
    syncs,
    /** From now on transactions are refused, when `refused` is called. */
    set isFull(full: boolean) {
      isFull = full;
    },
    refused,
    /** It wrote what it said it did not. */
    set lastWritten(last: number) {
      lastWritten = last;
    },
    chain: {
      end: 0,
      append(write: () => void) {
        write();
        const mine = ++link;
        if (isFull) {
          const { promise, reject } = Promise.withResolvers<boolean>();
          refused.push(() => reject(new Error("No space left on device")));
          return { link: mine, isWritten: promise };
        }
        const isLinked = refused.length === 0;
        if (isLinked) lastWritten = mine;
        return { link: mine, isWritten: Promise.resolve(isLinked) };
      },
      mend(after: number) {
        refused.length = 0;
        return after === lastWritten;
      },
    },
    root: {
      batch: async () => true,
      get flushed(): Promise<boolean> {
        const { promise, resolve } = Promise.withResolvers<boolean>();
        syncs.push({ promise, resolve: () => resolve(true) });
        return promise;
      },
    },
  };
}

describe("writes that share transactions", () => {
  let fake: ReturnType<typeof createFakeRoot>;
  let written: number[][];
  let landed: number[];
  let acknowledged: number[];
  let losses: number;
  let hasRoom: boolean;
  let group: GroupCommit<number>;
  beforeEach(() => {
    fake = createFakeRoot();
    [written, landed, acknowledged] = [[], [], []];
    losses = 0;
    hasRoom = true;
    group = new GroupCommit({
      root: fake.root,
      chain: fake.chain,
      write: (items) => void written.push([...items]),
      landed: (items) => void landed.push(...items),
      lost: () => {
        losses++;
      },
      refuse: (items) => (hasRoom || items.length === 0 ? undefined : new StoreError("DiskFull", "no room")),
      explain: async (cause) => new StoreError("DiskFull", "full", { cause }),
    });
  });
  const add = (...items: number[]): Promise<unknown> =>
    Promise.all(items.map((item) => group.add(item).then(() => acknowledged.push(item))));
  const upTo = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => from + index);

  it("are one transaction where they came in one turn, and acknowledged after its sync", async () => {
    const added = add(1, 2, 3);
    expect([written, group.idle]).toEqual([[], false]);
    await nextTurn();
    expect([written, acknowledged]).toEqual([[[1, 2, 3]], []]);
    fake.syncs[0]?.resolve();
    await added;
    expect([landed, acknowledged, group.idle]).toEqual([[1, 2, 3], [1, 2, 3], true]);
  });

  it("wait while a transaction is under way, and follow when it has landed", async () => {
    void add(1);
    await nextTurn();
    void add(2, 3);
    await nextTurn();
    expect(written).toEqual([[1]]);
    fake.syncs[0]?.resolve();
    await nextTurn();
    expect([written, acknowledged]).toEqual([[[1], [2, 3]], [1]]);
  });

  it("begin at once when they fill a group, beside the one before, with all that waits", async () => {
    void add(...upTo(16));
    expect(written).toEqual([upTo(16)]);
    void add(...upTo(16, 16));
    expect(written).toEqual([upTo(16), upTo(16, 16)]);
    void add(...upTo(40, 32));
    void add(99);
    await nextTurn();
    expect(written.flat()).toEqual(upTo(48));
    fake.syncs[0]?.resolve();
    await nextTurn();
    expect(written.flat()).toEqual([...upTo(72), 99]);
  });

  it("are acknowledged in the order of the calls, whichever sync is told of first", async () => {
    void add(...upTo(32));
    fake.syncs[1]?.resolve();
    await nextTurn();
    expect([landed, acknowledged]).toEqual([[], []]);
    fake.syncs[0]?.resolve();
    await nextTurn();
    expect([landed, acknowledged]).toEqual([upTo(32), upTo(32)]);
  });

  const outcomesOf = async (promises: readonly Promise<unknown>[]): Promise<unknown[]> =>
    (await Promise.allSettled(promises)).map((outcome) =>
      outcome.status === "fulfilled" ? "landed" : (outcome.reason as StoreError).code,
    );

  it("are not handed to LMDB when there is no room for them; what is on its way lands, and what comes when there is room", async () => {
    const first = group.add(1);
    await nextTurn();
    hasRoom = false;
    const refused = upTo(16, 2).map((item) => group.add(item));
    fake.syncs[0]?.resolve();
    expect(await outcomesOf([first, ...refused])).toEqual(["landed", ...upTo(16).map(() => "DiskFull")]);
    expect([written, losses, group.failed, group.idle]).toEqual([[[1]], 1, undefined, true]);
    hasRoom = true;
    const later = group.add(99);
    await nextTurn();
    fake.syncs[1]?.resolve();
    await later;
    expect([written, landed]).toEqual([
      [[1], [99]],
      [1, 99],
    ]);
  });

  it("all fail from the first refused one on, because they may have been checked against it; what comes then is written", async () => {
    fake.isFull = true;
    const full = upTo(16).map((item) => group.add(item));
    fake.isFull = false;
    const after = upTo(16, 16).map((item) => group.add(item));
    const waiting = [group.add(99)];
    fake.refused[0]?.();
    expect(new Set(await outcomesOf([...full, ...after, ...waiting]))).toEqual(new Set(["DiskFull"]));
    expect([landed, losses, group.refused, group.failed, group.idle]).toEqual([[], 1, true, undefined, true]);
    const later = add(100);
    await nextTurn();
    for (const { resolve } of fake.syncs) resolve();
    await later;
    expect([landed, written.at(-1), group.refused]).toEqual([[100], [100], false]);
  });

  it("land where they were begun before the refused one", async () => {
    const before = upTo(16).map((item) => group.add(item));
    fake.isFull = true;
    const full = upTo(16, 16).map((item) => group.add(item));
    fake.refused[0]?.();
    await nextTurn();
    expect(losses).toBe(0);
    fake.syncs[0]?.resolve();
    expect(new Set(await outcomesOf(before))).toEqual(new Set(["landed"]));
    expect(new Set(await outcomesOf(full))).toEqual(new Set(["DiskFull"]));
    expect([landed, losses]).toEqual([upTo(16), 1]);
  });

  it("are all refused for good when LMDB holds what it said it had not written", async () => {
    fake.isFull = true;
    const full = group.add(1);
    await nextTurn();
    fake.lastWritten = 1;
    fake.refused[0]?.();
    expect(await outcomesOf([full, group.add(2)])).toEqual(["Unavailable", "Unavailable"]);
    expect(await outcomesOf([group.add(3)])).toEqual(["Unavailable"]);
    expect([landed, losses, group.failed?.code]).toEqual([[], 0, "Unavailable"]);
  });
});
