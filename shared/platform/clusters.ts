import { type ClusterRef, isStoreError, type RecordOperation } from "../store/store.ts";
import type { EventType, TenantEvent } from "../webhooks/event-types.ts";
import type { Outbox } from "../webhooks/outbox.ts";
import type { PlatformContext } from "./context.ts";
import { patchLabels } from "./fields.ts";
import type { PlatformNews } from "./news.ts";
import { clusterResized, newPoolOperations, type Pools, poolNameTaken } from "./pools.ts";
import { PlatformError } from "./problem.ts";
import type { ClusterProvisioner } from "./provisioner.ts";
import { partitions, recordKeys } from "./record-keys.ts";
import {
  type ClusterRecord,
  clusterRecord,
  deleteRecord,
  getRecord,
  type Page,
  type PoolRecord,
  putRecord,
  queryPage,
  type TenantRecord,
  untilUncontended,
  type Versioned,
} from "./records.ts";
import type { Tenants } from "./tenants.ts";
import { checkVersion, type ExpectedVersion } from "./version.ts";

export interface NewCluster {
  readonly name: string;
  /** Default: a fresh one. Only the host itself names ids. */
  readonly id?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** An existing pool to draw on; absent: one of its own. */
  readonly pool?: string | undefined;
  /** Machines in its own pool. */
  readonly nodes: number;
  readonly runtime: PoolRecord["runtime"];
}

export interface ClusterPatch {
  readonly name?: string | undefined;
  readonly labels?: Readonly<Record<string, string | null>> | undefined;
  /** Only of a cluster with a pool of its own. */
  readonly nodes?: number | undefined;
  readonly schedulingPaused?: boolean | undefined;
}

export interface Clusters {
  /** One transaction, whatever else exists. @throws PlatformError `name-taken`, `quota-exceeded`, `not-found` (the pool), `invalid` */
  create(tenant: string, cluster: NewCluster): Promise<Versioned<ClusterRecord>>;
  /** @throws PlatformError `not-found` */
  get(tenant: string, id: string): Promise<Versioned<ClusterRecord>>;
  findByName(tenant: string, name: string): Promise<Versioned<ClusterRecord> | undefined>;
  /** A cluster by its id alone: how a request for `/clusters/{id}` finds its tenant. */
  find(id: string): Promise<Versioned<ClusterRecord> | undefined>;
  list(tenant: string, page: { from?: string | undefined; limit: number }): Promise<Page<ClusterRecord>>;
  /** @throws PlatformError `not-found`, `name-taken`, `conflict` (it is being deleted, or `nodes` of a shared pool), `precondition-failed` */
  update(tenant: string, id: string, patch: ClusterPatch, expected?: ExpectedVersion): Promise<Versioned<ClusterRecord>>;
  /** Says that the cluster serves now; for hosts whose clusters are not ready at once. */
  markReady(tenant: string, id: string): Promise<void>;
  /** From now on it is `deleting`; its own pool stays when others draw on it. The reaper does the rest. Repeating it changes nothing. @throws PlatformError `not-found`, `precondition-failed` */
  remove(tenant: string, id: string, expected?: ExpectedVersion): Promise<Versioned<ClusterRecord>>;
}

export const refOf = (cluster: ClusterRecord): ClusterRef => ({ tenant: cluster.tenant, cluster: cluster.id });

const nameTaken = (name: string) => new PlatformError("name-taken", `There is a cluster named "${name}".`);
const isConflict = (error: unknown, index: number) => isStoreError(error, "RevisionConflict") && error.index === index;

export interface ClusterServices {
  readonly tenants: Tenants;
  readonly pools: Pools;
  readonly provisioner: ClusterProvisioner;
  readonly news: PlatformNews;
  readonly outbox: Outbox;
}

export const clusterEvent = (type: EventType, { id, name, state, pool, labels }: ClusterRecord): TenantEvent => ({
  type,
  data: { id, name, state, pool, labels },
});

export function createClusters(context: PlatformContext, { tenants, pools, provisioner, news, outbox }: ClusterServices): Clusters {
  const { store, storeOf, clock, makeId, log } = context;

  async function get(tenant: string, id: string): Promise<Versioned<ClusterRecord>> {
    const found = await getRecord(storeOf(tenant), clusterRecord, recordKeys.cluster(tenant, id));
    if (!found) throw new PlatformError("not-found", `There is no cluster "${id}".`);
    return found;
  }

  async function act(action: string, cluster: ClusterRecord, run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      log.error("provisioner failed", error, { action, cluster: cluster.id });
    }
  }

  function operationsFor(cluster: ClusterRecord, tenant: TenantRecord, pool: RecordOperation[]): RecordOperation[] {
    return [
      putRecord(recordKeys.cluster(tenant.id, cluster.id), 0, cluster),
      putRecord(recordKeys.clusterName(tenant.id, cluster.name), 0, { cluster: cluster.id }),
      {
        ...recordKeys.tenantUsage(tenant.id),
        kind: "add",
        add: { clusters: 1 },
        atMost: { clusters: tenant.limits.clusters - 1 },
      },
      putRecord(recordKeys.clusterTenant(cluster.id), 0, { tenant: tenant.id }),
      putRecord(recordKeys.poolCluster(tenant.id, cluster.pool, cluster.id), 0, {}),
      ...pool,
    ];
  }

  async function storeNew(cluster: ClusterRecord, tenant: TenantRecord, pool: RecordOperation[]): Promise<void> {
    const born: EventType[] = cluster.state === "ready" ? ["cluster.created", "cluster.ready"] : ["cluster.created"];
    const word = await outbox.operationsFor(
      tenant.id,
      born.map((type) => clusterEvent(type, cluster)),
    );
    try {
      await storeOf(tenant.id).createCluster(refOf(cluster), [...operationsFor(cluster, tenant, pool), ...word]);
      outbox.wake();
    } catch (error) {
      if (isConflict(error, 0) || isConflict(error, 3)) throw new PlatformError("name-taken", `The id "${cluster.id}" is taken.`);
      if (isConflict(error, 1)) throw nameTaken(cluster.name);
      if (isConflict(error, 2)) throw new PlatformError("quota-exceeded", `The tenant may have ${tenant.limits.clusters} clusters.`);
      if (isConflict(error, 6)) throw poolNameTaken(cluster.name);
      throw error;
    }
  }

  async function createWithOwnPool(cluster: ClusterRecord, tenant: TenantRecord, input: NewCluster): Promise<PoolRecord> {
    const { id, name, createdAtMs } = cluster;
    const times = { createdAtMs, updatedAtMs: createdAtMs };
    const { nodes: size, runtime } = input;
    const pool = { id: cluster.pool, tenant: tenant.id, name, size, runtime, labels: {}, taints: [], ownerCluster: id, ...times };
    await storeNew(cluster, tenant, newPoolOperations(pool));
    return pool;
  }

  return {
    get,
    async create(tenantId, input) {
      const { value: tenant } = await tenants.get(tenantId);
      const now = clock.now();
      const cluster: ClusterRecord = {
        id: input.id ?? makeId("cl"),
        tenant: tenantId,
        name: input.name,
        state: provisioner.readyAtOnce ? "ready" : "provisioning",
        pool: input.pool ?? makeId("pl"),
        ownsPool: input.pool === undefined,
        labels: { ...input.labels },
        createdAtMs: now,
        updatedAtMs: now,
      };
      let pool: PoolRecord | undefined;
      if (cluster.ownsPool) pool = await createWithOwnPool(cluster, tenant, input);
      else {
        await untilUncontended(async () => {
          const shared = await pools.get(tenantId, cluster.pool);
          if (shared.value.deleting) throw new PlatformError("conflict", `The pool "${cluster.pool}" is being deleted with its cluster.`);
          // Written as it is: a deletion of the pool at the same time is conditional on its version.
          await storeNew(cluster, tenant, [putRecord(recordKeys.pool(tenantId, cluster.pool), shared.version, shared.value)]);
        });
      }
      await act("created", cluster, () => provisioner.created(cluster));
      if (pool) await act("resized", cluster, () => provisioner.resized(pool));
      news.poolChanged(tenantId, cluster.pool);
      return { value: cluster, version: 1 };
    },
    async findByName(tenant, name) {
      const [record] = await storeOf(tenant).getRecords([recordKeys.clusterName(tenant, name)]);
      const id = record?.value.cluster;
      return typeof id === "string" ? getRecord(storeOf(tenant), clusterRecord, recordKeys.cluster(tenant, id)) : undefined;
    },
    async find(id) {
      const [record] = await store.getRecords([recordKeys.clusterTenant(id)]);
      const tenant = record?.value.tenant;
      return typeof tenant === "string" ? getRecord(storeOf(tenant), clusterRecord, recordKeys.cluster(tenant, id)) : undefined;
    },
    list: (tenant, page) => queryPage(storeOf(tenant), clusterRecord, partitions.clusters(tenant), page),
    async update(tenant, id, patch, expected) {
      const updated = await untilUncontended(async () => {
        const { value, version } = await get(tenant, id);
        checkVersion(version, expected);
        if (value.state === "deleting") throw new PlatformError("conflict", "The cluster is being deleted.");
        if (patch.nodes !== undefined && !value.ownsPool) {
          throw new PlatformError("conflict", `The cluster draws on the pool "${value.pool}": resize that.`);
        }
        const name = patch.name ?? value.name;
        const renamed = name !== value.name;
        const updatedAtMs = clock.now();
        const schedulingPaused = patch.schedulingPaused ?? value.schedulingPaused ?? false;
        const next: ClusterRecord = { ...value, name, schedulingPaused, labels: patchLabels(value.labels, patch.labels), updatedAtMs };
        const operations: RecordOperation[] = [putRecord(recordKeys.cluster(tenant, id), version, next)];
        if (renamed) {
          operations.push(
            putRecord(recordKeys.clusterName(tenant, name), 0, { cluster: id }),
            deleteRecord(recordKeys.clusterName(tenant, value.name)),
          );
        }
        const pool = value.ownsPool && (renamed || patch.nodes !== undefined) ? await pools.get(tenant, value.pool) : undefined;
        // A pool that was given a name of its own keeps it.
        const poolRenamed = renamed && pool?.value.name === value.name;
        const nextPool = pool && { ...pool.value, size: patch.nodes ?? pool.value.size, ...(poolRenamed && { name }), updatedAtMs };
        if (poolRenamed) {
          operations.push(
            putRecord(recordKeys.poolName(tenant, name), 0, { pool: value.pool }),
            deleteRecord(recordKeys.poolName(tenant, value.name)),
          );
        }
        if (pool && nextPool) operations.push(putRecord(recordKeys.pool(tenant, value.pool), pool.version, nextPool));
        if (pool && nextPool && nextPool.size !== pool.value.size)
          operations.push(...(await outbox.operationsFor(tenant, [clusterResized(id, nextPool)])));
        try {
          await storeOf(tenant).writeRecords(operations);
          outbox.wake();
        } catch (error) {
          if (renamed && isConflict(error, 1)) throw nameTaken(name);
          if (poolRenamed && isConflict(error, 3)) throw poolNameTaken(name);
          throw error;
        }
        const resized = patch.nodes === undefined ? undefined : nextPool;
        return { cluster: { value: next, version: version + 1 }, resized };
      });
      const { resized } = updated;
      if (resized) await act("resized", updated.cluster.value, () => provisioner.resized(resized));
      if (patch.schedulingPaused !== undefined)
        await act("scheduling", updated.cluster.value, () => provisioner.scheduling(updated.cluster.value));
      return updated.cluster;
    },
    async markReady(tenant, id) {
      await untilUncontended(async () => {
        const { value, version } = await get(tenant, id);
        if (value.state !== "provisioning") return;
        const next: ClusterRecord = { ...value, state: "ready", updatedAtMs: clock.now() };
        const word = await outbox.operationsFor(tenant, [clusterEvent("cluster.ready", next)]);
        await storeOf(tenant).writeRecords([putRecord(recordKeys.cluster(tenant, id), version, next), ...word]);
        outbox.wake();
      });
    },
    remove: (tenant, id, expected) =>
      untilUncontended(async () => {
        const { value, version } = await get(tenant, id);
        if (value.state === "deleting") return { value, version };
        checkVersion(version, expected);
        const updatedAtMs = clock.now();
        const next: ClusterRecord = { ...value, state: "deleting", updatedAtMs };
        const operations = [putRecord(recordKeys.deletingCluster(tenant, id), undefined, { tenant, cluster: id })];
        if (value.ownsPool) {
          const pool = await pools.get(tenant, value.pool);
          const shared = (await pools.clustersOn(tenant, value.pool)).length > 1;
          next.ownsPool = !shared;
          const { ownerCluster: _, ...ownerless } = pool.value;
          const left: PoolRecord = shared ? { ...ownerless, updatedAtMs } : { ...pool.value, deleting: true, updatedAtMs };
          operations.push(putRecord(recordKeys.pool(tenant, value.pool), pool.version, left));
        }
        await storeOf(tenant).writeRecords([...operations, putRecord(recordKeys.cluster(tenant, id), version, next)]);
        return { value: next, version: version + 1 };
      }),
  };
}
