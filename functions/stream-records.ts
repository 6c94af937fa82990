import { z } from "zod";
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
  /** Clusters that are being deleted or nodes that are being drained: the platform's rounds have something to do. */
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
  let platform = false;
  let webhooks = false;
  let unreadable = 0;
  for (const record of records) {
    const parsed = streamRecord.safeParse(record);
    const place = parsed.success ? placeOf(parsed.data.dynamodb.Keys.pk.S, parsed.data.dynamodb.Keys.sk.S) : undefined;
    if (!parsed.success || !place) {
      unreadable++;
      continue;
    }
    if (place === "platform") {
      platform = true;
      continue;
    }
    if (place === "webhooks") {
      webhooks = true;
      continue;
    }
    const { ref, revision } = place;
    const key = `${ref.tenant}#${ref.cluster}`;
    const known = clusters.get(key);
    const { SequenceNumber: sequenceNumber } = parsed.data.dynamodb;
    clusters.set(key, known ? { ...known, revision: Math.max(known.revision, revision) } : { ref, revision, sequenceNumber });
  }
  return { clusters: [...clusters.values()], platform, webhooks, unreadable };
}

const platformPartitions = new Set(["platform#deleting#records", "platform#draining#records"]);

/** `{tenant}#{cluster}#log#{incarnation}#{number}` and the revision. */
function placeOf(pk: string, sk: string): { ref: ClusterRef; revision: number } | "platform" | "webhooks" | undefined {
  if (platformPartitions.has(pk)) return "platform";
  if (pk === "platform#webhooks-due#records") return "webhooks";
  const [tenant = "", cluster = "", kind, incarnation, number, ...more] = pk.split("#");
  const revision = /^\d+$/.test(sk) ? Number(sk) : Number.NaN;
  if (kind !== "log" || tenant === "" || cluster === "" || incarnation === undefined || number === undefined || more.length > 0)
    return undefined;
  return Number.isSafeInteger(revision) ? { ref: { tenant, cluster }, revision } : undefined;
}
