import { createHash } from "node:crypto";
import { z } from "zod";
import type { ClusterRef, RecordKey, RecordOperation, Store } from "../store/store.ts";

/** A cluster that has to be looked at when its time has come, whether or not anything changes. */
export interface AgendaItem {
  readonly ref: ClusterRef;
  readonly dueMs: number;
  /** How often in a row a look failed. */
  readonly failures: number;
  readonly key: RecordKey;
  readonly version: number;
}

const shards = 4;
const digits = 15;
const atMost = 500;
const agendaValue = z.object({ tenant: z.string(), cluster: z.string(), failures: z.number().default(0) });

const stamp = (ms: number): string => String(Math.max(0, Math.round(ms))).padStart(digits, "0");
const partitionOf = (shard: number): string => `platform#agenda#${shard}`;

/** Where a cluster's look at `dueMs` is noted: by time within a few partitions, so that what is due is one short query each. */
export function agendaKey({ tenant, cluster }: ClusterRef, dueMs: number): RecordKey {
  const shard = (createHash("sha256").update(`${tenant}#${cluster}`).digest()[0] ?? 0) % shards;
  return { partition: partitionOf(shard), sort: `${stamp(dueMs)}/${tenant}/${cluster}` };
}

export const putAgenda = (ref: ClusterRef, dueMs: number, failures = 0): RecordOperation => ({
  ...agendaKey(ref, dueMs),
  kind: "put",
  expected: undefined,
  value: { tenant: ref.tenant, cluster: ref.cluster, failures },
});

/** `expected`: the version that goes; absent: whichever there is. */
export const dropAgenda = ({ partition, sort }: RecordKey, expected?: number): RecordOperation => ({
  partition,
  sort,
  kind: "delete",
  expected,
});

export const dueOf = (sort: string): number => Number(sort.slice(0, digits));

/** What is due at `nowMs`, the oldest of each shard first. One short query a shard when nothing is. */
export async function dueAgenda(store: Store, nowMs: number): Promise<AgendaItem[]> {
  const found = await Promise.all(
    Array.from({ length: shards }, (_, shard) => store.queryRecords(partitionOf(shard), { to: stamp(nowMs + 1), limit: atMost })),
  );
  return found.flat().flatMap(({ partition, sort, version, value }): AgendaItem[] => {
    const parsed = agendaValue.safeParse(value);
    if (!parsed.success) return [];
    const { tenant, cluster, failures } = parsed.data;
    return [{ ref: { tenant, cluster }, dueMs: dueOf(sort), failures, key: { partition, sort }, version }];
  });
}
