import { expect } from "vitest";
import type { ObjectKey } from "../../shared/kubernetes/object.ts";
import { type ClusterRef, isStoreError, type LogEntry, type Store } from "../../shared/store/store.ts";

/** Where writers, in this process or in others, count objects up, again after each conflict. */
export const cluster: ClusterRef = { tenant: "t", cluster: "c" };
const tryAgain = ["RevisionConflict", "Throttled", "Unavailable"] as const;

export interface Followed {
  /** What it heard of, in order. */
  readonly revisions: readonly number[];
  through(): number;
  stop(): void;
}

/** Answers the revision at which the object's value was one more than before. `annotations`: makes more of them. */
export async function increment(store: Store, name: string, annotations: () => Record<string, string> = () => ({})): Promise<number> {
  const key: ObjectKey = { group: "", resource: "configmaps", namespace: "n", name };
  for (;;) {
    try {
      const [current] = await store.latest(cluster, [key]);
      const value = String(Number(current?.object.metadata.annotations?.value ?? 0) + 1);
      const object = { kind: "ConfigMap", apiVersion: "v1", metadata: { name, annotations: { value, ...annotations() } } };
      const [entry] = await store.commit(cluster, [{ kind: "put", key, expected: current?.revision ?? 0, object }]);
      return entry?.revision ?? 0;
    } catch (error) {
      if (!tryAgain.some((code) => isStoreError(error, code))) throw error;
    }
  }
}

export function follow(store: Store): Followed {
  const revisions: number[] = [];
  let at = 1;
  let failure: unknown;
  const stop = store.follow(
    cluster,
    1,
    (entries, through) => {
      revisions.push(...entries.map(({ revision }) => revision));
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
  return { revisions, stop, through };
}

/** No write is there twice or was overwritten, every follower heard of all, once and in order, and the objects are as the log left them. Answers the log. */
export async function checkCounts(store: Store, followers: readonly Followed[]): Promise<readonly LogEntry[]> {
  const { revision: head } = await store.head(cluster);
  await expect.poll(() => followers.map((each) => each.through()), { timeout: 10_000, interval: 10 }).toEqual(followers.map(() => head));
  const log = await wholeLog(store, head);
  const revisions = log.map(({ revision }) => revision);
  expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
  for (const each of followers) expect(each.revisions).toEqual(revisions);
  for (const [name, entries] of Map.groupBy(log, ({ key }) => key.name)) {
    const values = entries.map(({ object }) => Number(object.metadata.annotations?.value));
    expect(values, name).toEqual(values.map((_, index) => index + 1));
  }
  const { objects } = await store.snapshot(cluster);
  const last = new Map(log.map(({ key, revision }) => [key.name, revision]));
  expect(objects.map(({ key, revision }) => [key.name, revision]).sort()).toEqual([...last].sort());
  return log;
}

async function wholeLog(store: Store, until: number): Promise<LogEntry[]> {
  const log: LogEntry[] = [];
  for (let at = 1; at < until; ) {
    const { entries, through } = await store.readLog(cluster, at, 100);
    log.push(...entries);
    at = through;
  }
  return log;
}
