import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import { LmdbStore } from "../../../shared/store/lmdb/lmdb-store.ts";
import { Mirror } from "../../../shared/store/mirror.ts";
import type { ClusterRef, Store } from "../../../shared/store/store.ts";

const cluster: ClusterRef = { tenant: "t", cluster: "c" };
const configMaps = { group: "", resource: "configmaps" };
const keyOf = (name: string) => ({ ...configMaps, namespace: "default", name });
const objectOf = (name: string, value: number): KubernetesObject & { data: { value: string } } => ({
  kind: "ConfigMap",
  apiVersion: "v1",
  metadata: { name, namespace: "default" },
  data: { value: String(value) },
});

let directory: string;
let store: Store;
let mirror: Mirror;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mirror-"));
  store = new LmdbStore({ path: directory, now: () => 0 });
  await store.createCluster(cluster);
  mirror = await Mirror.open(store, cluster, { historyEntries: 2000, onEnd: () => {} });
});
afterEach(async () => {
  mirror.close();
  await store.close();
  await rm(directory, { recursive: true });
});

async function write(name: string, value: number, expected: number): Promise<number> {
  const [entry] = await store.commit(cluster, [{ kind: "put", key: keyOf(name), expected, object: objectOf(name, value) }]);
  return entry?.revision ?? 0;
}

describe("the history of a mirror", () => {
  it("shows old changes as they were, whether or not their parsed form is still kept", async () => {
    let revision = 0;
    for (let value = 0; value < 600; value++) revision = await write("a", value, revision);
    const changes = mirror.changesAfter(configMaps, 1);
    expect(changes).toHaveLength(600);
    for (const index of [0, 50, 300, 599]) {
      const change = changes[index];
      expect(change?.object).toEqual({
        ...objectOf("a", index),
        metadata: { ...objectOf("a", index).metadata, resourceVersion: String(index + 2) },
      });
      expect(change?.previous?.object ?? "none").toEqual(index === 0 ? "none" : changes[index - 1]?.object);
    }
  });

  it("keeps the parsed form of what is current, and of the newest changes", async () => {
    let revision = await write("quiet", 1, 0);
    const quiet = mirror.get(configMaps, "default", "quiet")?.object;
    revision = 0;
    for (let value = 0; value < 600; value++) revision = await write("busy", value, revision);
    expect(mirror.get(configMaps, "default", "quiet")?.object).toBe(quiet);
    const changes = mirror.changesAfter(configMaps, 1);
    expect(changes.at(-1)?.object).toBe(mirror.get(configMaps, "default", "busy")?.object);
  });

  it("answers lists of the past from it", async () => {
    const first = await write("a", 1, 0);
    const second = await write("b", 1, 0);
    await write("a", 2, first);
    expect(mirror.listAt(configMaps, "default", second)?.map(({ revision }) => revision)).toEqual([first, second]);
  });
});

describe("a mirror that has ended", () => {
  it("fails whoever waits for it, then and later", async () => {
    const waiting = expect(mirror.reached(100)).rejects.toMatchObject({ code: "NoSuchCluster" });
    await store.dropCluster(cluster);
    await waiting;
    await expect(mirror.reached(100)).rejects.toMatchObject({ code: "NoSuchCluster" });
  });

  it("still answers for what it shows", async () => {
    const revision = await write("a", 1, 0);
    mirror.close();
    await mirror.reached(revision);
    await expect(mirror.reached(revision + 1)).rejects.toMatchObject({ code: "Unavailable" });
  });
});

describe("a list that is read in pages", () => {
  it("stays as it was when more has changed than the history holds", async () => {
    let revision = await write("a", 0, 0);
    await write("b", 0, 0);
    const begun = mirror.revision;
    mirror.keepList(configMaps, "default");
    for (let value = 1; value <= 2100; value++) revision = await write("a", value, revision);
    expect(mirror.historyStart).toBeGreaterThan(begun);
    expect(mirror.listAt(configMaps, "default", begun)?.map(({ revision }) => revision)).toEqual([begun - 1, begun]);
    expect(mirror.listAt(configMaps, undefined, begun)).toBeUndefined();
  });

  it("makes room for newer ones", async () => {
    for (let value = 0, revision = 0; value < 200; value++) {
      revision = await write("a", value, revision);
      mirror.keepList(configMaps, "default");
    }
    for (let value = 0, revision = 0; value < 2000; value++) revision = await write("b", value, revision);
    const kept = (back: number) => mirror.listAt(configMaps, "default", 201 - back);
    expect(kept(127)).toHaveLength(1);
    expect(kept(128)).toBeUndefined();
  });
});
