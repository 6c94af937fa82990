import { expect } from "vitest";
import type { Store } from "../../shared/store/store.ts";
import { checkCounts, cluster, follow, increment } from "./counted-writes.ts";

export interface WritersOptions {
  /** Stores of different processes over one table. */
  readonly writers: readonly Store[];
  readonly readers: readonly Store[];
  /** Increments of the one key that all writers share, and of keys of their own. */
  readonly rounds: number;
}

/** Every writer counts one shared object and objects of its own up, while readers follow: no acknowledged write is lost. */
export async function checkConcurrentWriters({ writers, readers, rounds }: WritersOptions): Promise<void> {
  const [any] = readers;
  if (!any) throw new Error("no reader");
  await any.createCluster(cluster);
  const followers = readers.map(follow);
  const acknowledged: number[] = [];
  const count = async (store: Store, own: string): Promise<void> => {
    for (let round = 0; round < rounds; round++) for (const name of ["shared", own]) acknowledged.push(await increment(store, name));
  };
  await Promise.all(writers.map((writer, index) => count(writer, `own-${index}`)));
  const log = await checkCounts(any, followers);
  for (const each of followers) each.stop();
  expect(acknowledged.length).toBe(writers.length * rounds * 2);
  const logged = new Set(log.map(({ revision }) => revision));
  expect(acknowledged.filter((revision) => !logged.has(revision))).toEqual([]);
}
