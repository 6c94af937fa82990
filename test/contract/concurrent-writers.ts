import { expect } from "vitest";
import type { KubernetesObject, ObjectKey } from "../../shared/kubernetes/object.ts";
import { type ClusterRef, isStoreError, type LogEntry, type Operation, type Store } from "../../shared/store/store.ts";

const cluster: ClusterRef = { tenant: "t", cluster: "c" };
const keyOf = (name: string): ObjectKey => ({ group: "", resource: "configmaps", namespace: "n", name });
const objectOf = (name: string, value: number): KubernetesObject => ({
  kind: "ConfigMap",
  apiVersion: "v1",
  metadata: { name, annotations: { value: String(value) } },
});
const countIn = (object: KubernetesObject | undefined): number => Number(object?.metadata.annotations?.value ?? 0);

export interface WritersOptions {
  /** Stores of different processes over one table. */
  readonly writers: readonly Store[];
  readonly readers: readonly Store[];
  /** Increments of the one key that all writers share, and of keys of their own. */
  readonly rounds: number;
}

/**
 * Every writer counts one shared object and objects of its own up, again after each conflict; readers follow. Then: no acknowledged write is
 * lost, none was made twice, and every reader saw the whole log once and in order, which also is what the objects say.
 */
export async function checkConcurrentWriters({ writers, readers, rounds }: WritersOptions): Promise<void> {
  const [any] = readers;
  if (!any) throw new Error("no reader");
  await any.createCluster(cluster);
  const acknowledged: number[] = [];
  const views = readers.map((reader) => watch(reader));
  await Promise.all(writers.map((writer, index) => count(writer, `own-${index}`, rounds, acknowledged)));
  const head = await any.head(cluster);
  await expect.poll(() => views.map((view) => view.through()), { timeout: 10_000, interval: 10 }).toEqual(readers.map(() => head.revision));

  const log = await wholeLog(any);
  const revisions = log.map((entry) => entry.revision);
  expect(new Set(revisions).size).toBe(revisions.length);
  expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
  expect(acknowledged.length).toBe(writers.length * rounds * 2);
  expect(acknowledged.filter((revision) => !revisions.includes(revision))).toEqual([]);
  for (const view of views) {
    view.stop();
    expect(view.seen.map((entry) => entry.revision)).toEqual(revisions);
  }
  const shared = log.filter((entry) => entry.key.name === "shared").map((entry) => countIn(entry.object));
  expect(shared).toEqual(shared.map((_, index) => index + 1));
  const { objects } = await any.snapshot(cluster);
  const replayed = new Map(log.map((entry) => [entry.key.name, entry.revision]));
  expect(objects.map(({ key, revision }) => [key.name, revision]).sort()).toEqual([...replayed].sort());
}

async function count(store: Store, own: string, rounds: number, acknowledged: number[]): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const name of ["shared", own]) acknowledged.push(await increment(store, name));
  }
}

async function increment(store: Store, name: string): Promise<number> {
  for (;;) {
    const [current] = await store.latest(cluster, [keyOf(name)]);
    const object = objectOf(name, countIn(current?.object) + 1);
    const operation: Operation = { kind: "put", key: keyOf(name), expected: current?.revision ?? 0, object };
    try {
      const [entry] = await store.commit(cluster, [operation]);
      return entry?.revision ?? 0;
    } catch (error) {
      if (!isStoreError(error, "RevisionConflict") && !isStoreError(error, "Throttled") && !isStoreError(error, "Unavailable")) throw error;
    }
  }
}

function watch(store: Store) {
  const seen: LogEntry[] = [];
  let at = 1;
  let failure: unknown;
  const stop = store.follow(
    cluster,
    1,
    (entries, through) => {
      seen.push(...entries);
      at = through;
    },
    (error) => {
      failure = error;
    },
  );
  const through = (): number => {
    if (failure) throw failure;
    return at;
  };
  return { seen, stop, through };
}

async function wholeLog(store: Store): Promise<LogEntry[]> {
  const { revision } = await store.head(cluster);
  const log: LogEntry[] = [];
  for (let at = 1; at < revision; ) {
    const { entries, through } = await store.readLog(cluster, at, 100);
    log.push(...entries);
    at = through;
  }
  return log;
}
