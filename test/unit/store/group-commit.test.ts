import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { GroupCommit } from "../../../shared/store/lmdb/group-commit.ts";
import { isStoreError } from "../../../shared/store/store.ts";

/** LMDB as this module sees it: transactions that are committed and synced when the test says so. */
function createFakeRoot() {
  const syncs: { resolve: () => void; promise: Promise<boolean> }[] = [];
  let refusal: Error | undefined;
  return {
    syncs,
    refuse(error: Error) {
      refusal = error;
    },
    root: {
      async batch(write: () => void) {
        write();
        if (refusal) throw refusal;
        return true;
      },
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
  let group: GroupCommit<number>;
  beforeEach(() => {
    fake = createFakeRoot();
    [written, landed, acknowledged] = [[], [], []];
    group = new GroupCommit({
      root: fake.root,
      write: (items) => void written.push([...items]),
      landed: (items) => void landed.push(...items),
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

  it("all fail from the first refused one on: they may have been checked against it", async () => {
    fake.refuse(new Error("No space left on device"));
    const refused = Promise.allSettled([group.add(1), group.add(2)]);
    await nextTurn();
    const outcomes = [...(await refused), ...(await Promise.allSettled([group.add(3)]))];
    expect(outcomes.map((outcome) => outcome.status === "rejected" && isStoreError(outcome.reason, "Unavailable"))).toEqual(
      outcomes.map(() => true),
    );
    expect(outcomes).toHaveLength(3);
    expect([landed, acknowledged]).toEqual([[], []]);
  });
});
