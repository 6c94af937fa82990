import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KubernetesObject, ObjectKey } from "../../shared/kubernetes/object.ts";
import { type ClusterRef, isStoreError, type LogEntry, type Operation, type Store, type StoreErrorCode } from "../../shared/store/store.ts";

const cluster: ClusterRef = { tenant: "t1", cluster: "c1" };
const other: ClusterRef = { tenant: "t1", cluster: "c2" };
const keyOf = (name: string, namespace = "default", resource = "configmaps"): ObjectKey => ({ group: "", resource, namespace, name });
const objectOf = (name: string, value = "1"): KubernetesObject & { data: { value: string } } => ({
  kind: "ConfigMap",
  apiVersion: "v1",
  metadata: { name, namespace: "default" },
  data: { value },
});
const put = (name: string, expected: number, value = "1", key = keyOf(name)): Operation => ({
  kind: "put",
  key,
  expected,
  object: objectOf(name, value),
});
const remove = (name: string, expected: number): Operation => ({ kind: "delete", key: keyOf(name), expected, object: objectOf(name) });

async function code(promise: Promise<unknown>): Promise<{ code: StoreErrorCode; index: number | undefined } | "resolved"> {
  try {
    await promise;
    return "resolved";
  } catch (error) {
    if (isStoreError(error)) return { code: error.code, index: error.index };
    throw error;
  }
}

interface Bench {
  readonly store: Store;
  /** Closes the store and opens the same data again. */
  reopen(): Promise<Store>;
  dispose(): Promise<void>;
}

/** What every adapter of the store port must do. `open` gives an empty store. */
export function storeContract(name: string, open: () => Promise<Bench>): void {
  describe(`store contract: ${name}`, () => {
    let bench: Bench;
    let store: Store;
    beforeEach(async () => {
      bench = await open();
      store = bench.store;
      await store.createCluster(cluster);
    });
    afterEach(() => bench.dispose());

    async function follow(after: number, count: number, ref = cluster): Promise<LogEntry[]> {
      const seen: LogEntry[] = [];
      return new Promise((resolve, reject) => {
        const stop = store.follow(
          ref,
          after,
          (entries) => {
            seen.push(...entries);
            if (seen.length >= count) {
              stop();
              resolve(seen);
            }
          },
          reject,
        );
      });
    }

    it("gives consecutive revisions in the order of the operations and stamps them", async () => {
      const entries = await store.commit(cluster, [put("a", 0), put("b", 0)]);
      const [first, second] = entries;
      expect(entries.map((entry) => entry.type)).toEqual(["ADDED", "ADDED"]);
      expect(second?.revision).toBe((first?.revision ?? 0) + 1);
      expect(first?.object.metadata.resourceVersion).toBe(String(first?.revision));
      expect(JSON.parse(first?.bytes.toString() ?? "")).toEqual(first?.object);
      expect(first?.bytes.toString().startsWith('{"kind":"ConfigMap","apiVersion":"v1",')).toBe(true);
      expect(await store.head(cluster)).toEqual({ revision: second?.revision, floor: 0 });
    });

    it("starts a cluster at revision 1 without entries", async () => {
      expect(await store.head(cluster)).toEqual({ revision: 1, floor: 0 });
      expect(await store.snapshot(cluster)).toEqual({ revision: 1, objects: [] });
      expect(await store.readLog(cluster, 0, 10)).toEqual({ entries: [], through: 1 });
    });

    it("commits all operations or none and names the one whose condition failed", async () => {
      await store.commit(cluster, [put("a", 0)]);
      expect(await code(store.commit(cluster, [put("b", 0), put("a", 0)]))).toEqual({ code: "RevisionConflict", index: 1 });
      expect(await store.latest(cluster, [keyOf("b")])).toEqual([undefined]);
    });

    it("rejects an update whose revision is stale", async () => {
      const [created] = await store.commit(cluster, [put("a", 0)]);
      await store.commit(cluster, [put("a", created?.revision ?? 0, "2")]);
      expect(await code(store.commit(cluster, [put("a", created?.revision ?? 0, "3")]))).toEqual({ code: "RevisionConflict", index: 0 });
      expect(await code(store.commit(cluster, [remove("a", created?.revision ?? 0)]))).toEqual({ code: "RevisionConflict", index: 0 });
      expect(await code(store.commit(cluster, [put("absent", 7)]))).toEqual({ code: "RevisionConflict", index: 0 });
    });

    it("refuses one key twice in a commit", async () => {
      expect(await code(store.commit(cluster, [put("a", 0), put("a", 0)]))).toMatchObject({ code: "RevisionConflict" });
    });

    it("shows a commit's own state to the next one before it is durable", async () => {
      const first = store.commit(cluster, [put("a", 0)]);
      const [pending] = await store.latest(cluster, [keyOf("a")]);
      const second = store.commit(cluster, [put("a", pending?.revision ?? -1, "2")]);
      await Promise.all([first, second]);
      const [now] = await store.latest(cluster, [keyOf("a")]);
      expect(now?.object).toMatchObject({ data: { value: "2" } });
    });

    it("answers the caller's own copy only while it is the newest state", async () => {
      const [first] = await store.commit(cluster, [put("a", 0)]);
      const known = () => first;
      expect((await store.latest(cluster, [keyOf("a")], known))[0]?.revision).toBe(first?.revision);
      const [second] = await store.commit(cluster, [put("a", first?.revision ?? 0, "2")]);
      expect((await store.latest(cluster, [keyOf("a")], known))[0]?.object).toMatchObject({ data: { value: "2" } });
      await store.commit(cluster, [remove("a", second?.revision ?? 0)]);
      expect(await store.latest(cluster, [keyOf("a")], known)).toEqual([undefined]);
    });

    it("deletes, logs the last state and allows the name again", async () => {
      const [created] = await store.commit(cluster, [put("a", 0)]);
      const [deleted] = await store.commit(cluster, [remove("a", created?.revision ?? 0)]);
      expect(deleted?.type).toBe("DELETED");
      expect(deleted?.object.metadata.resourceVersion).toBe(String(deleted?.revision));
      expect(await store.latest(cluster, [keyOf("a")])).toEqual([undefined]);
      expect(await code(store.commit(cluster, [put("a", 0)]))).toBe("resolved");
    });

    it("keeps clusters apart", async () => {
      await store.createCluster(other);
      await store.commit(cluster, [put("a", 0)]);
      expect((await store.snapshot(other)).objects).toEqual([]);
      expect((await store.head(other)).revision).toBe(1);
    });

    it("takes a snapshot ordered by collection, namespace and name, whole or of one collection", async () => {
      await store.commit(cluster, [
        put("b", 0),
        put("a", 0),
        put("z", 0, "1", keyOf("z", "aa")),
        put("p", 0, "1", keyOf("p", "default", "pods")),
        put("q", 0, "1", { group: "apps", resource: "deployments", namespace: "default", name: "q" }),
        put("n", 0, "1", keyOf("n", "", "configmapsx")),
      ]);
      const all = await store.snapshot(cluster);
      expect(all.objects.map(({ key }) => `${key.group}/${key.resource}/${key.namespace}/${key.name}`)).toEqual([
        "apps/deployments/default/q",
        "/configmaps/aa/z",
        "/configmaps/default/a",
        "/configmaps/default/b",
        "/configmapsx//n",
        "/pods/default/p",
      ]);
      expect(all.revision).toBe((await store.head(cluster)).revision);
      expect((await store.snapshot(cluster, "configmaps")).objects.map(({ key }) => key.name)).toEqual(["z", "a", "b"]);
    });

    it("reads the log without gaps, in pages, with the state before where it was given", async () => {
      const [a] = await store.commit(cluster, [put("a", 0), put("b", 0)]);
      const [before] = await store.latest(cluster, [keyOf("a")]);
      await store.commit(cluster, [
        { kind: "put", key: keyOf("a"), expected: a?.revision ?? 0, object: objectOf("a", "2"), ...(before && { previous: before }) },
      ]);
      const first = await store.readLog(cluster, 0, 2);
      expect(first.entries.map((entry) => [entry.revision, entry.type])).toEqual([
        [2, "ADDED"],
        [3, "ADDED"],
      ]);
      const rest = await store.readLog(cluster, first.through, 10);
      expect(rest.entries).toHaveLength(1);
      expect(rest.entries[0]?.previous?.object).toMatchObject({ data: { value: "1" }, metadata: { resourceVersion: "2" } });
      expect(rest.through).toBe(4);
    });

    it("follows from the past into the present, each entry once and in order, while many write at once", async () => {
      await store.commit(cluster, [put("first", 0)]);
      const seen = follow(1, 61);
      await Promise.all(Array.from({ length: 30 }, (_, i) => store.commit(cluster, [put(`x${i}`, 0), put(`y${i}`, 0)])));
      const revisions = (await seen).map((entry) => entry.revision);
      expect(revisions).toEqual(Array.from({ length: 61 }, (_, i) => i + 2));
    });

    it("shows followers nothing that a reader of the head could not see", async () => {
      const ahead: number[] = [];
      const heads: Promise<void>[] = [];
      const stop = store.follow(
        cluster,
        1,
        (entries) => heads.push(store.head(cluster).then((head) => void ahead.push((entries.at(-1)?.revision ?? 0) - head.revision))),
        () => {},
      );
      await Promise.all(Array.from({ length: 20 }, (_, i) => store.commit(cluster, [put(`x${i}`, 0)])));
      await Promise.all(heads);
      stop();
      expect(ahead.length).toBeGreaterThan(0);
      expect(ahead.every((by) => by <= 0)).toBe(true);
    });

    it("answers Compacted below the floor, to readers and to followers, and never lowers the floor", async () => {
      for (const name of ["a", "b", "c"]) await store.commit(cluster, [put(name, 0)]);
      await store.compact(cluster, 3);
      await store.compact(cluster, 2);
      expect((await store.head(cluster)).floor).toBe(3);
      expect(await code(store.readLog(cluster, 2, 10))).toMatchObject({ code: "Compacted" });
      expect((await store.readLog(cluster, 3, 10)).entries.map((entry) => entry.revision)).toEqual([4]);
      const ended = await new Promise((resolve) => store.follow(cluster, 1, () => {}, resolve));
      expect(isStoreError(ended, "Compacted")).toBe(true);
      expect((await store.snapshot(cluster)).objects).toHaveLength(3);
    });

    it("lets one of many writers of the same revision win, and loses none that retries", async () => {
      await store.commit(cluster, [put("n", 0, "0")]);
      const add = async (): Promise<void> => {
        for (;;) {
          const [current] = await store.latest(cluster, [keyOf("n")]);
          const value = Number((current?.object as { data?: { value: string } } | undefined)?.data?.value ?? Number.NaN);
          const outcome = await code(store.commit(cluster, [put("n", current?.revision ?? 0, String(value + 1))]));
          if (outcome === "resolved") return;
          expect(outcome).toMatchObject({ code: "RevisionConflict" });
        }
      };
      await Promise.all(Array.from({ length: 25 }, add));
      const [final] = await store.latest(cluster, [keyOf("n")]);
      expect(final?.object).toMatchObject({ data: { value: "25" } });
    });

    it("refuses objects and commits over the limits", async () => {
      expect(await code(store.commit(cluster, [put("big", 0, "x".repeat(store.limits.objectBytes))]))).toMatchObject({ code: "TooLarge" });
      const many = Array.from({ length: store.limits.operations + 1 }, (_, i) => put(`m${i}`, 0));
      expect(await code(store.commit(cluster, many))).toMatchObject({ code: "TooManyOperations" });
      expect((await store.head(cluster)).revision).toBe(1);
    });

    it("keeps objects of 1.4 MB", async () => {
      await store.commit(cluster, [put("large", 0, "y".repeat(1_400_000))]);
      store = await bench.reopen();
      const [large] = await store.latest(cluster, [keyOf("large")]);
      expect(large?.bytes.length).toBeGreaterThan(1_400_000);
    });

    it("gives Secrets back as they were, and their previous states", async () => {
      const key = keyOf("s", "default", "secrets");
      const [created] = await store.commit(cluster, [put("s", 0, "hush", key)]);
      await store.commit(cluster, [
        { kind: "put", key, expected: created?.revision ?? 0, object: objectOf("s", "hush2"), ...(created && { previous: created }) },
      ]);
      store = await bench.reopen();
      expect((await store.latest(cluster, [key]))[0]?.object).toMatchObject({ data: { value: "hush2" } });
      const { entries } = await store.readLog(cluster, 0, 10);
      expect(entries.map((entry) => entry.object)).toMatchObject([{ data: { value: "hush" } }, { data: { value: "hush2" } }]);
      expect(entries[1]?.previous?.object).toMatchObject({ data: { value: "hush" } });
    });

    it("finds everything again after it was closed and opened", async () => {
      await store.commit(cluster, [put("a", 0), put("b", 0)]);
      await store.writeRecords([{ partition: "p", sort: "s", kind: "put", expected: 0, value: { x: 1 } }]);
      store = await bench.reopen();
      expect((await store.snapshot(cluster)).objects.map(({ key }) => key.name)).toEqual(["a", "b"]);
      expect((await store.readLog(cluster, 1, 10)).entries).toHaveLength(2);
      expect((await store.getRecords([{ partition: "p", sort: "s" }]))[0]).toMatchObject({ version: 1, value: { x: 1 } });
      const [next] = await store.commit(cluster, [put("c", 0)]);
      expect(next?.revision).toBe(4);
    });

    it("knows no cluster that was not created or was dropped, and leaves nothing of it", async () => {
      expect(await code(store.head(other))).toMatchObject({ code: "NoSuchCluster" });
      expect(await code(store.commit(other, [put("a", 0)]))).toMatchObject({ code: "NoSuchCluster" });
      expect(await code(store.createCluster(cluster))).toMatchObject({ code: "RevisionConflict" });
      await store.commit(cluster, [put("a", 0)]);
      const ended = new Promise((resolve) => store.follow(cluster, 2, () => {}, resolve));
      await store.head(cluster);
      await store.dropCluster(cluster);
      await store.dropCluster(cluster);
      expect(isStoreError(await ended, "NoSuchCluster")).toBe(true);
      expect(await code(store.snapshot(cluster))).toMatchObject({ code: "NoSuchCluster" });
      await store.createCluster(cluster);
      expect(await store.snapshot(cluster)).toEqual({ revision: 1, objects: [] });
      expect((await store.readLog(cluster, 0, 10)).entries).toEqual([]);
    });

    describe("records", () => {
      const at = { partition: "t1#x", sort: "a" };

      it("writes on a version, from 1 upward, and rejects a stale one", async () => {
        expect(await store.writeRecords([{ ...at, kind: "put", expected: 0, value: { v: 1 } }])).toEqual([1]);
        expect(await store.writeRecords([{ ...at, kind: "put", expected: 1, value: { v: 2 } }])).toEqual([2]);
        expect(await code(store.writeRecords([{ ...at, kind: "put", expected: 1, value: { v: 3 } }]))).toEqual({
          code: "RevisionConflict",
          index: 0,
        });
        expect(await code(store.writeRecords([{ ...at, kind: "put", expected: 0, value: { v: 3 } }]))).toEqual({
          code: "RevisionConflict",
          index: 0,
        });
        expect(await store.writeRecords([{ ...at, kind: "put", expected: undefined, value: { v: 4 } }])).toEqual([3]);
        expect(await store.writeRecords([{ ...at, kind: "delete", expected: 3 }])).toEqual([0]);
        expect(await store.getRecords([at])).toEqual([undefined]);
      });

      it("deletes on the condition that nothing is there", async () => {
        await store.writeRecords([{ ...at, kind: "put", expected: 0, value: { v: 1 } }]);
        const absent = { partition: "t1#x", sort: "b" };
        expect(await store.writeRecords([{ ...absent, kind: "delete", expected: 0 }])).toEqual([0]);
        const failed = { code: "RevisionConflict", index: 0 };
        expect(await code(store.writeRecords([{ ...at, kind: "delete", expected: 0 }]))).toEqual(failed);
        expect((await store.getRecords([at]))[0]?.value).toEqual({ v: 1 });
      });

      it("writes several records together or not at all", async () => {
        const b = { partition: "t2#y", sort: "b" };
        expect(
          await code(
            store.writeRecords([
              { ...at, kind: "put", expected: 0, value: {} },
              { ...b, kind: "put", expected: 5, value: {} },
            ]),
          ),
        ).toEqual({ code: "RevisionConflict", index: 1 });
        expect(await store.getRecords([at, b])).toEqual([undefined, undefined]);
      });

      it("adds concurrently without conflict and stops at the bound", async () => {
        const take = () => code(store.writeRecords([{ ...at, kind: "add", add: { used: 1 }, atMost: { used: 9 } }]));
        const outcomes = await Promise.all(Array.from({ length: 15 }, take));
        expect(outcomes.filter((outcome) => outcome === "resolved")).toHaveLength(10);
        expect((await store.getRecords([at]))[0]?.value).toEqual({ used: 10 });
      });

      it("queries a partition by range in order of the sort key, and no other partition", async () => {
        const sorts = ["b", "a", "c#1", "c", "d"];
        await store.writeRecords(sorts.map((sort) => ({ partition: "q", sort, kind: "put", expected: 0, value: { sort } }) as const));
        await store.writeRecords([{ partition: "q2", sort: "a", kind: "put", expected: 0, value: {} }]);
        const names = async (range?: { from?: string; to?: string; limit?: number }) =>
          (await store.queryRecords("q", range)).map((record) => record.sort);
        expect(await names()).toEqual(["a", "b", "c", "c#1", "d"]);
        expect(await names({ from: "b", to: "d" })).toEqual(["b", "c", "c#1"]);
        expect(await names({ from: "b", limit: 2 })).toEqual(["b", "c"]);
      });

      it("finds what has a long name as it finds what has a short one", async () => {
        const sorts = ["a", "b".repeat(80), "c".repeat(300), "d"];
        await store.writeRecords(sorts.map((sort) => ({ partition: "q", sort, kind: "put", expected: 0, value: {} }) as const));
        await store.commit(
          cluster,
          sorts.map((name) => put(name, 0)),
        );
        // A barrier: what is read below lies on the disk.
        await store.commit(cluster, []);
        expect((await store.queryRecords("q")).map(({ sort }) => sort)).toEqual(sorts);
        expect((await store.queryRecords("q", { from: "b", to: "d" })).map(({ sort }) => sort)).toEqual(sorts.slice(1, 3));
        expect((await store.snapshot(cluster, "configmaps")).objects.map(({ key }) => key.name)).toEqual(sorts);
      });

      it("writes records and objects in one transaction", async () => {
        await store.writeRecords([{ ...at, kind: "put", expected: 0, value: { used: 5 } }]);
        const take = { ...at, kind: "add", add: { used: 3 }, atMost: { used: 5 } } as const;
        await store.commit(cluster, [put("a", 0)], [take]);
        expect(await code(store.commit(cluster, [put("b", 0)], [take]))).toEqual({ code: "RevisionConflict", index: 1 });
        expect(await store.latest(cluster, [keyOf("b")])).toEqual([undefined]);
        expect((await store.getRecords([at]))[0]?.value).toEqual({ used: 8 });
        expect(await code(store.createCluster(other, [take]))).toMatchObject({ code: "RevisionConflict" });
        expect(await code(store.head(other))).toMatchObject({ code: "NoSuchCluster" });
      });
    });
  });
}
