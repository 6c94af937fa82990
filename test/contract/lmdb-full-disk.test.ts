import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ObjectKey } from "../../shared/kubernetes/object.ts";
import { LmdbStore } from "../../shared/store/lmdb/lmdb-store.ts";
import { isStoreError, type LogEntry } from "../../shared/store/store.ts";
import { describeWith, needs } from "../e2e/needs.ts";

const run = promisify(execFile);
const cluster = { tenant: "t", cluster: "c" };
const wide = "x".repeat(50_000);
const keyOf = (name: string): ObjectKey => ({ group: "", resource: "configmaps", namespace: "n", name });
const account = { partition: "p", sort: "s" };

describeWith([needs.linux, needs.root], "the store on a disk that becomes full", () => {
  let disk: string;
  let store: LmdbStore;
  let seen: LogEntry[];
  const open = () => new LmdbStore({ path: join(disk, "store"), now: () => 0 });
  const commit = async (name: string): Promise<number> => {
    const object = { kind: "ConfigMap", apiVersion: "v1", metadata: { name }, data: { wide } };
    const [entry] = await store.commit(
      cluster,
      [{ kind: "put", key: keyOf(name), expected: 0, object }],
      [{ ...account, kind: "add", add: { commits: 1 } }],
    );
    return entry?.revision ?? 0;
  };
  const namesOf = (objects: readonly { key: ObjectKey }[]): string[] => objects.map(({ key }) => key.name).sort();

  beforeEach(async () => {
    disk = await mkdtemp(join(tmpdir(), "coracle-full-"));
    await run("mount", ["-t", "tmpfs", "-o", "size=10m", "tmpfs", disk]);
    await writeFile(join(disk, "ballast"), Buffer.alloc(4_000_000));
    store = open();
    seen = [];
    await store.createCluster(cluster);
    store.follow(
      cluster,
      1,
      (entries) => void seen.push(...entries),
      (error) => expect.unreachable(String(error)),
    );
  });
  afterEach(async () => {
    await store.close();
    await run("umount", ["--lazy", disk]);
    await rm(disk, { recursive: true });
  });

  it("refuses what does not fit, shows what it has, and writes again as soon as there is room", async () => {
    const landed = new Map<string, number>();
    const refused = new Set<string>();
    let count = 0;
    const write = async (): Promise<void> => {
      const name = `m${String(count++).padStart(4, "0")}`;
      try {
        landed.set(name, await commit(name));
      } catch (error) {
        if (!isStoreError(error, "DiskFull")) throw error;
        refused.add(name);
      }
    };
    // Enough at once that transactions are under way beside one another.
    for (let round = 0; round < 40 && refused.size < 100; round++) await Promise.all(Array.from({ length: 40 }, write));
    expect(refused.size).toBeGreaterThanOrEqual(100);
    expect(landed.size).toBeGreaterThan(20);
    const shown = async (): Promise<void> => {
      const names = [...landed.keys()].sort();
      const writing = Promise.all(Array.from({ length: 4 }, write));
      const [{ objects }, [record], byQuery] = await Promise.all([
        store.snapshot(cluster),
        store.getRecords([account]),
        store.queryRecords(account.partition),
      ]);
      await writing;
      expect(namesOf(objects)).toEqual(expect.arrayContaining(names));
      expect(Number(record?.value.commits)).toBeGreaterThanOrEqual(names.length);
      expect(byQuery).toHaveLength(1);
    };
    await shown();

    await rm(join(disk, "ballast"));
    const before = landed.size;
    await Promise.all(Array.from({ length: 20 }, write));
    expect(landed.size).toBe(before + 20);
    const check = async (): Promise<void> => {
      const { entries } = await store.readLog(cluster, 1, 10_000);
      expect(entries.map(({ key, revision }) => [key.name, revision])).toEqual([...landed].sort(([, a], [, b]) => a - b));
      expect(new Set(landed.values()).size).toBe(landed.size);
      expect(namesOf((await store.snapshot(cluster)).objects)).toEqual([...landed.keys()].sort());
      expect((await store.getRecords([account]))[0]).toMatchObject({ version: landed.size, value: { commits: landed.size } });
    };
    await check();
    expect(seen.map(({ revision }) => revision)).toEqual([...landed.values()].sort((a, b) => a - b));
    await store.close();
    store = open();
    await check();
  });

  it("has taken back what it had not written yet: nobody is told of it, and nothing stands on it", async () => {
    const objectOf = (name: string, data: string) => ({ kind: "ConfigMap", apiVersion: "v1", metadata: { name }, data: { data } });
    const put = (name: string, expected: number, data: string) =>
      store.commit(cluster, [{ kind: "put", key: keyOf(name), expected, object: objectOf(name, data) }]);
    const [first] = await put("kept", 0, "before");
    const tooWide = put("wide", 0, "x".repeat(1_500_000)).catch((error: unknown) => error);
    const rest = Array.from({ length: 4 }, (_, index) => put(`wide${index}`, 0, "x".repeat(1_500_000)).catch((error: unknown) => error));
    const deletion = store
      .commit(cluster, [{ kind: "delete", key: keyOf("kept"), expected: first?.revision ?? 0, object: objectOf("kept", "") }])
      .catch((error: unknown) => error);
    const looked = store.latest(cluster, [keyOf("kept")]);
    const [phantom] = await store.latest(cluster, [keyOf("wide")]);
    const again = put("wide", 0, "small").catch((error: unknown) => error);
    for (const outcome of await Promise.all([tooWide, ...rest, deletion, again])) expect(outcome).toMatchObject({ code: "DiskFull" });
    expect((await looked)[0]?.revision).toBe(first?.revision);
    await expect(put("wide", phantom?.revision ?? 0, "upon nothing")).rejects.toMatchObject({ code: "RevisionConflict" });
    const [entry] = await put("wide", 0, "small");
    expect(entry?.revision).toBeGreaterThan(phantom?.revision ?? 0);
    expect(namesOf(seen)).toEqual(["kept", "wide"]);
  });
});
