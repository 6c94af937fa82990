import { z } from "zod";
import { apiKeyScopes } from "../auth/api-key.ts";
import type { RecordKey, RecordOperation, Store, StoredRecord } from "../store/store.ts";
import { isStoreError } from "../store/store.ts";
import { labelMap, poolRuntime, taint } from "./fields.ts";
import { clusterStates } from "./resources.ts";

/** The records as they lie in the store; times in milliseconds since 1970. What the API shows is made of them. */
export const tenantRecord = z.object({
  id: z.string(),
  name: z.string(),
  limits: z.object({ clusters: z.number() }),
  createdAtMs: z.number(),
});
export type TenantRecord = z.infer<typeof tenantRecord>;

export const apiKeyRecord = z.object({
  id: z.string(),
  tenant: z.string(),
  name: z.string(),
  prefix: z.string(),
  hash: z.string(),
  /** Scopes that this version does not know are worth nothing. */
  scopes: z.array(z.string()).transform((scopes) => apiKeyScopes.filter((scope) => scopes.includes(scope))),
  createdAtMs: z.number(),
  expiresAtMs: z.number().optional(),
});
export type ApiKeyRecord = z.infer<typeof apiKeyRecord>;

export const clusterRecord = z.object({
  id: z.string(),
  tenant: z.string(),
  name: z.string(),
  state: z.enum(clusterStates),
  pool: z.string(),
  /** The pool was made for this cluster and goes with it. */
  ownsPool: z.boolean(),
  /** Its scheduler places no pods for now. */
  schedulingPaused: z.boolean().optional(),
  labels: labelMap,
  createdAtMs: z.number(),
  updatedAtMs: z.number(),
});
export type ClusterRecord = z.infer<typeof clusterRecord>;

export const poolRecord = z.object({
  id: z.string(),
  tenant: z.string(),
  name: z.string(),
  /** How many machines the provisioner keeps in it; more may join by token. */
  size: z.number(),
  runtime: poolRuntime,
  labels: labelMap,
  taints: z.array(taint),
  /** The cluster that it was made for and goes with. */
  ownerCluster: z.string().optional(),
  /** Goes with its cluster, which is being deleted: no other may draw on it any more. */
  deleting: z.literal(true).optional(),
  createdAtMs: z.number(),
  updatedAtMs: z.number(),
});
export type PoolRecord = z.infer<typeof poolRecord>;

export const nodeRecord = z.object({
  name: z.string(),
  tenant: z.string(),
  pool: z.string(),
  machineId: z.string(),
  runtime: z.enum(["containerd", "process", "hollow"]),
  credentialHash: z.string(),
  /** `draining`: its pods are being evicted and it takes no new ones; `drained`: they are gone. */
  drain: z.enum(["none", "draining", "drained"]),
  /** The addresses of its pods; absent where pods have none of their own, and until an agent of an earlier version has said which it uses. */
  podCidr: z.string().optional(),
  /** When it had spoken last before the silence that the tenant was told of. */
  silentSinceMs: z.number().optional(),
  joinedAtMs: z.number(),
  updatedAtMs: z.number(),
});
export type NodeRecord = z.infer<typeof nodeRecord>;

export const joinTokenRecord = z.object({
  id: z.string(),
  tenant: z.string(),
  pool: z.string(),
  prefix: z.string(),
  hash: z.string(),
  createdAtMs: z.number(),
  expiresAtMs: z.number(),
  /** Absent: any number. */
  maxUses: z.number().optional(),
  uses: z.number(),
  /** 1 once revoked: a number, so that a use can be conditional on it. */
  revoked: z.number(),
});
export type JoinTokenRecord = z.infer<typeof joinTokenRecord>;

/** A record's value with the version that the next write is conditional on. */
export interface Versioned<T> {
  readonly value: T;
  readonly version: number;
}

export function parseRecord<T>(schema: z.ZodType<T>, record: StoredRecord | undefined): Versioned<T> | undefined {
  return record && { value: schema.parse(record.value), version: record.version };
}

export async function getRecord<T>(store: Store, schema: z.ZodType<T>, key: RecordKey): Promise<Versioned<T> | undefined> {
  const [record] = await store.getRecords([key]);
  return parseRecord(schema, record);
}

export interface Page<T> {
  readonly items: readonly Versioned<T>[];
  /** The sort of the first record beyond the page. */
  readonly next: string | undefined;
}

/** At most `limit` records of a partition from `from` on. */
export async function queryPage<T>(
  store: Store,
  schema: z.ZodType<T>,
  partition: string,
  { from, limit }: { from?: string | undefined; limit: number },
): Promise<Page<T>> {
  const records = await store.queryRecords(partition, { ...(from !== undefined && { from }), limit: limit + 1 });
  const items = records.slice(0, limit).flatMap((record) => parseRecord(schema, record) ?? []);
  return { items, next: records[limit]?.sort };
}

/** Every record of a partition, or from `first` on, a page at a time. */
export async function* everyRecord(store: Store, partition: string, first?: string): AsyncGenerator<StoredRecord> {
  let from = first;
  do {
    const records: StoredRecord[] = await store.queryRecords(partition, { ...(from !== undefined && { from }), limit: 501 });
    yield* records.slice(0, 500);
    from = records[500]?.sort;
  } while (from !== undefined);
}

export const putRecord = (key: RecordKey, expected: number | undefined, value: object): RecordOperation => ({
  ...key,
  kind: "put",
  expected,
  value: { ...value },
});

export const deleteRecord = (key: RecordKey, expected?: number): RecordOperation => ({ ...key, kind: "delete", expected });

const chunkSize = 50;

/** Writes that need not be one transaction: some dozens at a time, in order. */
export async function writeInChunks(store: Store, operations: readonly RecordOperation[]): Promise<void> {
  for (let at = 0; at < operations.length; at += chunkSize) await store.writeRecords(operations.slice(at, at + chunkSize));
}

export async function emptyPartition(store: Store, partition: string): Promise<void> {
  const operations: RecordOperation[] = [];
  for await (const { sort } of everyRecord(store, partition)) operations.push(deleteRecord({ partition, sort }));
  await writeInChunks(store, operations);
}

const attempts = 20;

/**
 * Reads, decides and writes again while another writer was faster. `attempt` throws a `RevisionConflict` of the store to be
 * repeated, and its own errors where the conflict means something (a name that is taken).
 */
export async function untilUncontended<T>(attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isStoreError(error, "RevisionConflict") || count === attempts) throw error;
    }
  }
}
