import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { LmdbStore } from "../../shared/store/lmdb/lmdb-store.ts";
import { createAesSealer } from "../../shared/store/sealer.ts";
import { storeContract } from "./store.contract.ts";

async function open() {
  const folder = await mkdtemp(join(tmpdir(), "coracle-lmdb-"));
  const options = { path: join(folder, "store"), sealer: createAesSealer(randomBytes(32)) };
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
