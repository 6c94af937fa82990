import { z } from "zod";
import { deleteRecord, everyRecord, putRecord } from "../platform/records.ts";
import type { ClusterRef, RecordKey, RecordOperation, Store } from "../store/store.ts";

/** A cluster whose machines may fall silent, which nothing but the time tells of. */
export interface ListenedTo {
  readonly ref: ClusterRef;
  readonly pools: readonly string[];
  /** The cluster's loops know of every silence that had lasted too long by then. In milliseconds since 1970. */
  readonly heardMs: number;
  readonly version: number;
}

/** All such clusters of an installation: who looks after silences reads this partition and the heartbeats of the pools, and no cluster. */
const partition = "platform#listening";
const shape = z.object({ tenant: z.string(), cluster: z.string(), pools: z.array(z.string()), heardMs: z.number() });
const keyOf = ({ tenant, cluster }: ClusterRef): RecordKey => ({ partition, sort: `${tenant}/${cluster}` });

/** `expected`: the version it is to replace; absent: whichever there is. */
export const listenTo = (ref: ClusterRef, pools: readonly string[], heardMs: number, expected?: number): RecordOperation =>
  putRecord(keyOf(ref), expected, { tenant: ref.tenant, cluster: ref.cluster, pools, heardMs });

/** `expected`: the version that goes; absent: whichever there is. */
export const listenNoMore = (ref: ClusterRef, expected?: number): RecordOperation => deleteRecord(keyOf(ref), expected);

export async function* listenedTo(store: Store): AsyncGenerator<ListenedTo> {
  for await (const { value, version } of everyRecord(store, partition)) {
    const { tenant, cluster, pools, heardMs } = shape.parse(value);
    yield { ref: { tenant, cluster }, pools, heardMs, version };
  }
}
