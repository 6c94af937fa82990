import { z } from "zod";
import type { Clock } from "../clock.ts";
import { partitions } from "../platform/record-keys.ts";
import { everyRecord, putRecord, type Versioned } from "../platform/records.ts";
import { clusterPartitions } from "../store/cluster-records.ts";
import { type ClusterRef, isStoreError, type RecordKey, type Store } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";

export interface SweepPorts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** What is over by time alone is done away with. */
  readonly tidyUp: () => Promise<unknown>;
}

/** A cluster whose wake-up was lost waits no longer than this. */
const everyMs = 3_600_000;
/** Looked at in one go. */
const atMost = 500;
const partition = "platform#sweep";
/** Two records: who moves one of them on does not keep another from what comes of the other. */
const cursorKey: RecordKey = { partition, sort: "cursor" };
const housekeepingKey: RecordKey = { partition, sort: "housekeeping" };
const cursorShape = z.object({ tenant: z.string(), cluster: z.string(), startedAtMs: z.number() });
const housekeepingShape = z.object({ atMs: z.number() });

export interface Left {
  readonly ref: ClusterRef;
  readonly failures: number;
  readonly key: undefined;
}

/**
 * Once an hour every cluster's head is compared with what its loops have done: what neither the stream nor the agenda told of, a lost wake-up, is found so.
 * An idle cluster costs two small reads an hour. A record says how far the round is, so that functions that take turns at it make one round.
 */
export function createSweep({ store, clock, log, tidyUp }: SweepPorts) {
  async function read<T>(key: RecordKey, shape: z.ZodType<T>, atFirst: T): Promise<Versioned<T>> {
    const [record] = await store.getRecords([key]);
    const parsed = shape.safeParse(record?.value);
    return { value: parsed.success ? parsed.data : atFirst, version: record?.version ?? 0 };
  }

  /** False: somebody else has done so meanwhile, and does what comes of it. */
  async function moveOn(key: RecordKey, version: number, next: object): Promise<boolean> {
    try {
      await store.writeRecords([putRecord(key, version, next)]);
      return true;
    } catch (error) {
      if (isStoreError(error, "RevisionConflict")) return false;
      throw error;
    }
  }

  async function isStale(ref: ClusterRef): Promise<boolean> {
    try {
      const [lease] = await store.getRecords([{ partition: clusterPartitions.loops(ref), sort: "lease" }]);
      const { revision } = await store.head(ref);
      const done = lease?.value.doneRevision;
      return typeof done === "number" ? done < revision : revision > 1;
    } catch (error) {
      // One that cannot be read is turned: so it is looked at again until it can be, and keeps no other waiting.
      return !isStoreError(error, "NoSuchCluster");
    }
  }

  return {
    /** The next stretch of clusters: those with something left to do. */
    async stale(): Promise<Left[]> {
      const { value: cursor, version } = await read(cursorKey, cursorShape, { tenant: "", cluster: "", startedAtMs: 0 });
      const nowMs = clock.now();
      const atStart = cursor.tenant === "" && cursor.cluster === "";
      if (atStart && nowMs - cursor.startedAtMs < everyMs) return [];
      const found: Left[] = [];
      let looked = 0;
      let next = { tenant: "", cluster: "" };
      for await (const ref of clustersFrom(cursor)) {
        if (looked++ === atMost) {
          next = { tenant: ref.tenant, cluster: ref.cluster };
          break;
        }
        if (await isStale(ref)) found.push({ ref, failures: 0, key: undefined });
      }
      // Either a wake-up was lost, or the last writes concerned nobody.
      if (found.length > 0) log.info("clusters that the sweep found behind", { clusters: found.length });
      return (await moveOn(cursorKey, version, { ...next, startedAtMs: atStart ? nowMs : cursor.startedAtMs })) ? found : [];
    },
    /** Once an hour what has run out goes. */
    async housekeeping(): Promise<void> {
      const { value: last, version } = await read(housekeepingKey, housekeepingShape, { atMs: 0 });
      if (clock.now() - last.atMs < everyMs) return;
      if (await moveOn(housekeepingKey, version, { atMs: clock.now() })) await tidyUp();
    },
  };

  async function* clustersFrom(cursor: { tenant: string; cluster: string }): AsyncGenerator<ClusterRef> {
    for await (const { sort: tenant } of everyRecord(store, partitions.tenants, cursor.tenant)) {
      const first = tenant === cursor.tenant ? cursor.cluster : undefined;
      for await (const { sort: cluster } of everyRecord(store, partitions.clusters(tenant), first)) yield { tenant, cluster };
    }
  }
}
