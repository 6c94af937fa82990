import { z } from "zod";
import { type NotedWork, notedWork } from "../shared/host/noted-work.ts";
import { logEntryOf, partitionOfRecord, scopeOf } from "../shared/store/dynamo/keys.ts";
import type { ClusterRef } from "../shared/store/store.ts";

/** What the functions use of an event of DynamoDB Streams. */
const streamRecord = z.object({
  dynamodb: z.object({
    SequenceNumber: z.string(),
    Keys: z.object({ pk: z.object({ S: z.string() }), sk: z.object({ S: z.string() }) }),
  }),
});
export const streamEvent = z.object({ Records: z.array(z.unknown()) });

/** What a batch of the stream says has changed. */
export interface Changes {
  readonly clusters: readonly ChangedCluster[];
  /** Clusters that are being deleted, nodes that are being drained or taken out: the platform's rounds have something to do. */
  readonly platform: boolean;
  readonly webhooks: boolean;
  /** What can be nothing that this program wrote. */
  readonly unreadable: number;
}

export interface ChangedCluster {
  readonly ref: ClusterRef;
  /** The newest revision of the batch. */
  readonly revision: number;
  /** The first record of the cluster: from there on a batch that failed is told again. */
  readonly sequenceNumber: string;
}

/** Which clusters a batch concerns. The order of its records, and whether they came before, make no difference. */
export function changesOf(records: readonly unknown[]): Changes {
  const clusters = new Map<string, ChangedCluster>();
  const noted = new Set<NotedWork>();
  let unreadable = 0;
  for (const record of records) {
    const { data } = streamRecord.safeParse(record);
    const key = data && { pk: data.dynamodb.Keys.pk.S, sk: data.dynamodb.Keys.sk.S };
    const work = key && notedWork(partitionOfRecord(key.pk) ?? "");
    const entry = key && logEntryOf(key);
    if (work) noted.add(work);
    else if (data && entry) {
      const { ref, revision } = entry;
      const known = clusters.get(scopeOf(ref));
      const { SequenceNumber: sequenceNumber } = data.dynamodb;
      clusters.set(scopeOf(ref), known ? { ...known, revision: Math.max(known.revision, revision) } : { ref, revision, sequenceNumber });
    } else unreadable++;
  }
  return { clusters: [...clusters.values()], platform: noted.has("platform"), webhooks: noted.has("webhooks"), unreadable };
}
