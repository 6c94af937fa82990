import { z } from "zod";
import type { Clock } from "../clock.ts";
import { partitions } from "../platform/record-keys.ts";
import { everyRecord, putRecord } from "../platform/records.ts";
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
const key: RecordKey = { partition: "platform#sweep", sort: "cursor" };
const cursorShape = z.object({ tenant: z.string(), cluster: z.string(), startedAtMs: z.number(), housekeepingAtMs: z.number().default(0) });

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
  const read = async () => {
    const [record] = await store.getRecords([key]);
    const parsed = cursorShape.safeParse(record?.value);
    const start = { tenant: "", cluster: "", startedAtMs: 0, housekeepingAtMs: 0 };
    return { cursor: parsed.success ? parsed.data : start, version: record?.version ?? 0 };
  };

  /** False: somebody else has done so meanwhile, and does what comes of it. */
  async function moveOn(version: number, cursor: z.output<typeof cursorShape>): Promise<boolean> {
    try {
      await store.writeRecords([putRecord(key, version, cursor)]);
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
      const { cursor, version } = await read();
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
      return (await moveOn(version, { ...cursor, ...next, startedAtMs: atStart ? nowMs : cursor.startedAtMs })) ? found : [];
    },
    /** Once an hour what has run out goes. */
    async housekeeping(): Promise<void> {
      const { cursor, version } = await read();
      if (clock.now() - cursor.housekeepingAtMs < everyMs) return;
      if (await moveOn(version, { ...cursor, housekeepingAtMs: clock.now() })) await tidyUp();
    },
  };

  async function* clustersFrom(cursor: { tenant: string; cluster: string }): AsyncGenerator<ClusterRef> {
    for await (const { sort: tenant } of everyRecord(store, partitions.tenants, cursor.tenant)) {
      const first = tenant === cursor.tenant ? cursor.cluster : undefined;
      for await (const { sort: cluster } of everyRecord(store, partitions.clusters(tenant), first)) yield { tenant, cluster };
    }
  }
}
