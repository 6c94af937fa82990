import type { z } from "zod";
import { isStoreError, type RecordOperation, type Store } from "../store/store.ts";
import type { TenantEvent } from "../webhooks/event-types.ts";
import type { Outbox } from "../webhooks/outbox.ts";
import type { PlatformContext } from "./context.ts";
import { type PoolTaint, patchLabels, type poolRuntime } from "./fields.ts";
import type { PlatformNews } from "./news.ts";
import { PlatformError } from "./problem.ts";
import type { ClusterProvisioner } from "./provisioner.ts";
import { partitions, recordKeys } from "./record-keys.ts";
import {
  deleteRecord,
  everyRecord,
  getRecord,
  type Page,
  type PoolRecord,
  poolRecord,
  putRecord,
  queryPage,
  untilUncontended,
  type Versioned,
  writeInChunks,
} from "./records.ts";
import { checkVersion, type ExpectedVersion } from "./version.ts";

export interface NewPool {
  readonly name: string;
  readonly size: number;
  readonly runtime: z.infer<typeof poolRuntime>;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly PoolTaint[];
}

export interface PoolPatch {
  readonly name?: string | undefined;
  readonly size?: number | undefined;
  readonly runtime?: z.infer<typeof poolRuntime> | undefined;
  readonly labels?: Readonly<Record<string, string | null>> | undefined;
  /** Replaces all. */
  readonly taints?: readonly PoolTaint[] | undefined;
}

export interface Pools {
  /** @throws PlatformError `name-taken` */
  create(tenant: string, pool: NewPool): Promise<Versioned<PoolRecord>>;
  /** @throws PlatformError `not-found` */
  get(tenant: string, id: string): Promise<Versioned<PoolRecord>>;
  /** In the order asked; absent ones are `undefined`. */
  getMany(tenant: string, ids: readonly string[]): Promise<(Versioned<PoolRecord> | undefined)[]>;
  findByName(tenant: string, name: string): Promise<Versioned<PoolRecord> | undefined>;
  list(tenant: string, page: { from?: string | undefined; limit: number }): Promise<Page<PoolRecord>>;
  /** @throws PlatformError `not-found`, `name-taken`, `precondition-failed` */
  update(tenant: string, id: string, patch: PoolPatch, expected?: ExpectedVersion): Promise<Versioned<PoolRecord>>;
  /** @throws PlatformError `in-use` while a cluster draws on it or a node is in it; `not-found`, `precondition-failed` */
  remove(tenant: string, id: string, expected?: ExpectedVersion): Promise<void>;
  /** The ids of the clusters that draw on it. */
  clustersOn(tenant: string, pool: string): Promise<string[]>;
}

/** Creating or renaming a pool, as part of any transaction. */
export function newPoolOperations(pool: PoolRecord): RecordOperation[] {
  return [
    putRecord(recordKeys.pool(pool.tenant, pool.id), 0, pool),
    putRecord(recordKeys.poolName(pool.tenant, pool.name), 0, { pool: pool.id }),
  ];
}

/** Deletes what lies about a pool besides its record, its name and its nodes. */
export async function poolLeftovers(store: Store, tenant: string, pool: string): Promise<RecordOperation[]> {
  const operations: RecordOperation[] = [deleteRecord(recordKeys.podRangeCursor(tenant, pool))];
  for (const partition of [
    partitions.joinTokens(tenant, pool),
    partitions.podRanges(tenant, pool),
    partitions.heartbeats(tenant, pool),
    partitions.marks(tenant, pool),
    partitions.commitments(tenant, pool),
  ]) {
    for await (const { sort, value } of everyRecord(store, partition)) {
      operations.push(deleteRecord({ partition, sort }));
      if (typeof value.hash === "string") operations.push(deleteRecord(recordKeys.joinTokenByHash(value.hash)));
    }
  }
  return operations;
}

export const clusterResized = (cluster: string, pool: PoolRecord): TenantEvent => ({
  type: "cluster.resized",
  data: { id: cluster, pool: pool.id, nodes: pool.size },
});

export const poolNameTaken = (name: string) => new PlatformError("name-taken", `There is a pool named "${name}".`);

export interface PoolServices {
  readonly provisioner: ClusterProvisioner;
  readonly news: PlatformNews;
  readonly outbox: Outbox;
}

export function createPools({ storeOf, clock, makeId, log }: PlatformContext, { provisioner, news, outbox }: PoolServices): Pools {
  async function get(tenant: string, id: string): Promise<Versioned<PoolRecord>> {
    const found = await getRecord(storeOf(tenant), poolRecord, recordKeys.pool(tenant, id));
    if (!found) throw new PlatformError("not-found", `There is no pool "${id}".`);
    return found;
  }

  async function clustersOn(tenant: string, pool: string): Promise<string[]> {
    return (await Array.fromAsync(everyRecord(storeOf(tenant), partitions.poolClusters(tenant, pool)))).map(({ sort }) => sort);
  }

  async function provision(pool: PoolRecord): Promise<void> {
    news.poolChanged(pool.tenant, pool.id);
    try {
      await provisioner.resized(pool);
    } catch (error) {
      log.error("pool not resized", error, { pool: pool.id, size: pool.size });
    }
  }

  return {
    get,
    clustersOn,
    async create(tenant, { name, size, runtime, labels, taints }) {
      const now = clock.now();
      const id = makeId("pl");
      const value: PoolRecord = {
        id,
        tenant,
        name,
        size,
        runtime,
        labels: { ...labels },
        taints: [...taints],
        createdAtMs: now,
        updatedAtMs: now,
      };
      try {
        await storeOf(tenant).writeRecords(newPoolOperations(value));
      } catch (error) {
        throw isStoreError(error, "RevisionConflict") ? poolNameTaken(name) : error;
      }
      await provision(value);
      return { value, version: 1 };
    },
    async getMany(tenant, ids) {
      const records = await storeOf(tenant).getRecords(ids.map((id) => recordKeys.pool(tenant, id)));
      return records.map((record) => record && { value: poolRecord.parse(record.value), version: record.version });
    },
    async findByName(tenant, name) {
      const [record] = await storeOf(tenant).getRecords([recordKeys.poolName(tenant, name)]);
      const id = record?.value.pool;
      return typeof id === "string" ? getRecord(storeOf(tenant), poolRecord, recordKeys.pool(tenant, id)) : undefined;
    },
    list: (tenant, page) => queryPage(storeOf(tenant), poolRecord, partitions.pools(tenant), page),
    async update(tenant, id, patch, expected) {
      const updated = await untilUncontended(async () => {
        const { value, version } = await get(tenant, id);
        checkVersion(version, expected);
        const { name = value.name, size = value.size, runtime = value.runtime, taints = value.taints } = patch;
        const labels = patchLabels(value.labels, patch.labels);
        const next: PoolRecord = { ...value, name, size, runtime, labels, taints: [...taints], updatedAtMs: clock.now() };
        const operations: RecordOperation[] = [putRecord(recordKeys.pool(tenant, id), version, next)];
        if (name !== value.name) {
          operations.push(
            deleteRecord(recordKeys.poolName(tenant, value.name)),
            putRecord(recordKeys.poolName(tenant, name), 0, { pool: id }),
          );
        }
        if (next.ownerCluster !== undefined && next.size !== value.size)
          operations.push(...(await outbox.operationsFor(tenant, [clusterResized(next.ownerCluster, next)])));
        try {
          await storeOf(tenant).writeRecords(operations);
        } catch (error) {
          throw isStoreError(error, "RevisionConflict") && error.index === 2 && name !== value.name ? poolNameTaken(name) : error;
        }
        outbox.wake();
        return { value: next, version: version + 1 };
      });
      await provision(updated.value);
      return updated;
    },
    async remove(tenant, id, expected) {
      const { value, version } = await get(tenant, id);
      checkVersion(version, expected);
      const clusters = await clustersOn(tenant, id);
      if (clusters.length > 0)
        throw new PlatformError("in-use", `${count(clusters.length, "cluster draws", "clusters draw")} on the pool.`);
      const nodes = await storeOf(tenant).queryRecords(partitions.nodes(tenant, id), { limit: 1 });
      if (nodes.length > 0) throw new PlatformError("in-use", "Machines are still in the pool: resize it to 0 and delete its nodes first.");
      try {
        // Whoever began to draw on the pool meanwhile has changed its record.
        await storeOf(tenant).writeRecords([
          deleteRecord(recordKeys.pool(tenant, id), version),
          deleteRecord(recordKeys.poolName(tenant, value.name)),
        ]);
      } catch (error) {
        throw isStoreError(error, "RevisionConflict") ? new PlatformError("in-use", "The pool came into use at the same time.") : error;
      }
      await writeInChunks(storeOf(tenant), await poolLeftovers(storeOf(tenant), tenant, id));
      await provision({ ...value, size: 0 });
    },
  };
}

const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`;
