import { z } from "zod";
import type { Clock } from "../clock.ts";
import { clusterPartitions } from "../store/cluster-records.ts";
import { type ClusterRef, isStoreError, type Store } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { repeatedly } from "./repeatedly.ts";

const marksShape = z.object({ marks: z.array(z.object({ atMs: z.number(), revision: z.number() })) });
type Marks = z.infer<typeof marksShape>["marks"];

const markEveryMs = 5 * 60_000;
/** What watches and lists may look back to at the least. */
const retainedMs = 60 * 60_000;

/** Notes how far the log is and lets go of what is older than an hour: a few minutes later at the earliest, it may be called again. */
export async function advanceHistory(store: Store, ref: ClusterRef, clock: Clock): Promise<void> {
  const key = { partition: clusterPartitions.history(ref), sort: "marks" };
  const [record] = await store.getRecords([key]);
  const parsed = marksShape.safeParse(record?.value);
  const known: Marks = parsed.success ? parsed.data.marks : [];
  const nowMs = clock.now();
  const { revision } = await store.head(ref);
  const passed = known.filter(({ atMs }) => atMs <= nowMs - retainedMs).at(-1);
  if (passed) await store.compact(ref, passed.revision);
  if (known.at(-1)?.revision === revision) return;
  const kept = known.filter((mark) => mark === passed || mark.atMs > nowMs - retainedMs);
  const value = { marks: [...kept, { atMs: nowMs, revision }] };
  await store.writeRecords([{ ...key, kind: "put", expected: undefined, value }]);
}

/**
 * Moves the floor of a cluster's log on by time: every few minutes it notes how far the log was, and lets go of what is older than an hour.
 * The notes are a record, so that restarts do not begin the hour anew. Returns what stops it.
 */
export function keepHistory(store: Store, ref: ClusterRef, clock: Clock, log: Log): () => void {
  return repeatedly({ clock, log }, markEveryMs, async () => {
    try {
      await advanceHistory(store, ref, clock);
    } catch (error) {
      if (!isStoreError(error, "NoSuchCluster")) throw error;
    }
  });
}
