import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createClusterBase } from "../../shared/store/cluster-base.ts";
import { objectPath } from "../../shared/store/lmdb/encoding.ts";
import { LmdbStore } from "../../shared/store/lmdb/lmdb-store.ts";
import { createAesSealer } from "../../shared/store/sealer.ts";
import { storeContract } from "./store.contract.ts";

async function open() {
  const folder = await mkdtemp(join(tmpdir(), "coracle-lmdb-"));
  const options = { path: join(folder, "store"), sealer: createAesSealer(randomBytes(32)), now: () => 0 };
  let store = new LmdbStore(options);
  return {
    store,
    folder,
    reopen: async () => {
      await store.close();
      store = new LmdbStore(options);
      return store;
    },
    dispose: async () => {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

storeContract("lmdb", open);

it("leaves no Secret in the clear on the disk", async () => {
  const { store, folder, dispose } = await open();
  const cluster = { tenant: "t", cluster: "c" };
  await store.createCluster(cluster);
  const put = (resource: string, text: string) =>
    store.commit(cluster, [
      {
        kind: "put",
        key: { group: "", resource, namespace: "n", name: "x" },
        expected: 0,
        object: { metadata: { name: "x", annotations: { text } } },
      },
    ]);
  await put("secrets", "the-hidden-text");
  await put("configmaps", "the-open-text");
  await store.head(cluster);
  const files = await readdir(folder, { recursive: true });
  const contents = Buffer.concat(await Promise.all(files.map((file) => readFile(join(folder, file)).catch(() => Buffer.alloc(0)))));
  expect(contents.includes("the-open-text")).toBe(true);
  expect(contents.includes("the-hidden-text")).toBe(false);
  await dispose();
});

it("shows what every cluster starts with until it is changed or deleted, each cluster its own", async () => {
  const { folder, dispose } = await open();
  const key = { group: "", resource: "namespaces", namespace: "", name: "default" };
  const object = { kind: "Namespace", apiVersion: "v1", metadata: { name: "default" } };
  const base = createClusterBase(() => [{ key, object }], objectPath);
  const store = new LmdbStore({ path: join(folder, "with-base"), base, now: () => 1000 });
  const [one, two] = [
    { tenant: "t", cluster: "one" },
    { tenant: "t", cluster: "two" },
  ];
  await store.createCluster(one);
  await store.createCluster(two);
  const [first] = (await store.snapshot(one)).objects;
  const [second] = await store.latest(two, [key]);
  expect(first?.object).toMatchObject({ metadata: { resourceVersion: "1", creationTimestamp: "1970-01-01T00:00:01Z" } });
  expect(first?.object.metadata.uid).not.toBe(second?.object.metadata.uid);
  const [changed] = await store.commit(one, [
    { kind: "put", key, expected: 1, object: { ...object, metadata: { name: "default", labels: { a: "b" } } } },
  ]);
  expect(changed?.type).toBe("MODIFIED");
  await store.commit(one, [{ kind: "delete", key, expected: changed?.revision ?? 0, object }]);
  expect((await store.snapshot(one)).objects).toEqual([]);
  expect(await store.latest(one, [key])).toEqual([undefined]);
  expect((await store.snapshot(two, "namespaces")).objects).toHaveLength(1);
  await store.close();
  await dispose();
});

it("keeps the newest of several states that share a transaction, and each of them in the log", async () => {
  const { store, reopen, dispose } = await open();
  const cluster = { tenant: "t", cluster: "c" };
  const key = { group: "", resource: "configmaps", namespace: "n", name: "x" };
  const object = (count: number) => ({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "x" }, data: { count: String(count) } });
  await store.createCluster(cluster);
  const commits: Promise<unknown>[] = [];
  for (let count = 1; count <= 40; count++) {
    const [live] = await store.latest(cluster, [key]);
    const operation = { kind: "put", key, expected: live?.revision ?? 0, object: object(count) } as const;
    commits.push(store.commit(cluster, [operation], [{ kind: "add", partition: "p", sort: "s", add: { commits: 1 } }]));
  }
  const [last] = await store.latest(cluster, [key]);
  commits.push(store.commit(cluster, [{ kind: "delete", key, expected: last?.revision ?? 0, object: object(40) }]));
  commits.push(store.commit(cluster, [{ kind: "put", key, expected: 0, object: object(0) }]));
  await Promise.all(commits);
  const again = await reopen();
  expect((await again.snapshot(cluster)).objects.map((stored) => stored.object)).toMatchObject([{ data: { count: "0" } }]);
  const { entries } = await again.readLog(cluster, 1, 100);
  expect(entries.map((entry) => entry.revision)).toEqual(Array.from({ length: 42 }, (_, index) => index + 2));
  expect((await again.getRecords([{ partition: "p", sort: "s" }]))[0]?.value).toEqual({ commits: 40 });
  await dispose();
});
