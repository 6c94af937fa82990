import { clusterPartitions } from "../store/cluster-records.ts";
import { isStoreError } from "../store/store.ts";
import { type ClusterServices, clusterEvent, refOf } from "./clusters.ts";
import type { PlatformContext } from "./context.ts";
import type { NodeRegistry } from "./nodes.ts";
import { poolLeftovers } from "./pools.ts";
import { partitions, recordKeys } from "./record-keys.ts";
import {
  type ClusterRecord,
  clusterRecord,
  deleteRecord,
  emptyPartition,
  everyRecord,
  getRecord,
  type Versioned,
  writeInChunks,
} from "./records.ts";
import { createRounds, type Rounds } from "./rounds.ts";

/** Finishes what `clusters.remove` began. Everything it needs lies in the store: after a crash it goes on where it was. */
export interface ClusterReaper extends Rounds {
  /** One look at every cluster that is being deleted. Answers how many are still pending. */
  round(): Promise<number>;
}

const retryMs = 250;
/** Deletions begun by another process are found at this interval. */
const restMs = 30_000;

export function createClusterReaper(
  context: PlatformContext,
  { provisioner, news, nodes, outbox }: Pick<ClusterServices, "provisioner" | "news" | "outbox"> & { readonly nodes: NodeRegistry },
): ClusterReaper {
  const { store, storeOf, clock, log } = context;

  /** Whatever step a crash interrupts is repeated; the marker goes last, with the cluster itself. */
  async function finish({ value: cluster, version }: Versioned<ClusterRecord>): Promise<void> {
    const { tenant, id, name, pool } = cluster;
    const its = storeOf(tenant);
    await its.dropCluster(refOf(cluster));
    for (const partitionOf of Object.values(clusterPartitions)) await emptyPartition(its, partitionOf(refOf(cluster)));
    const operations = [
      // Conditional: of two reapers at once only one may count the cluster out.
      deleteRecord(recordKeys.cluster(tenant, id), version),
      deleteRecord(recordKeys.clusterName(tenant, name)),
      deleteRecord(recordKeys.clusterTenant(id)),
      deleteRecord(recordKeys.poolCluster(tenant, pool, id)),
      deleteRecord(recordKeys.deletingCluster(tenant, id)),
    ];
    if (cluster.ownsPool) {
      await nodes.removeAll(tenant, pool);
      await writeInChunks(its, await poolLeftovers(its, tenant, pool));
      const [record] = await its.getRecords([recordKeys.pool(tenant, pool)]);
      operations.push(deleteRecord(recordKeys.pool(tenant, pool)));
      if (typeof record?.value.name === "string") operations.push(deleteRecord(recordKeys.poolName(tenant, record.value.name)));
    }
    const word = await outbox.operationsFor(tenant, [clusterEvent("cluster.deleted", cluster)]);
    await its.writeRecords([...operations, { ...recordKeys.tenantUsage(tenant), kind: "add", add: { clusters: -1 } }, ...word]);
    outbox.wake();
    news.poolChanged(tenant, pool);
    log.info("cluster deleted", { cluster: id, tenant });
  }

  async function reap(tenant: string, id: string): Promise<"done" | "pending"> {
    const found = await getRecord(storeOf(tenant), clusterRecord, recordKeys.cluster(tenant, id));
    // A mark alone deletes nothing.
    if (found?.value.state !== "deleting") {
      await store.writeRecords([deleteRecord(recordKeys.deletingCluster(tenant, id))]);
      return "done";
    }
    if ((await provisioner.deleting(found.value)) === "pending") return "pending";
    await finish(found);
    return "done";
  }

  async function round(): Promise<number> {
    let pending = 0;
    for await (const { value } of everyRecord(store, partitions.deletingClusters)) {
      const { tenant, cluster } = value;
      if (typeof tenant !== "string" || typeof cluster !== "string") continue;
      try {
        if ((await reap(tenant, cluster)) === "pending") pending++;
      } catch (error) {
        pending++;
        if (isStoreError(error, "RevisionConflict")) continue;
        log.error("cluster not deleted yet", error, { cluster, tenant });
      }
    }
    return pending;
  }

  const rounds = createRounds({ clock, log, name: "cluster-reaper", round, retryMs, restMs });
  return { ...rounds, round };
}
