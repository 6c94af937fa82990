import { putAgenda } from "../shared/host/agenda.ts";
import { openClusterRuntime, type RuntimeDirectory } from "../shared/host/cluster-runtime.ts";
import { drainCluster, dropPods, nodesWithPods } from "../shared/host/drain-cluster.ts";
import { ServedClusters } from "../shared/host/served-clusters.ts";
import { refOf } from "../shared/platform/clusters.ts";
import type { PlatformNews } from "../shared/platform/news.ts";
import type { ClusterProvisioner } from "../shared/platform/provisioner.ts";
import type { Dependencies } from "./dependencies.ts";

/** Pods of a cluster that goes get this long to end; then what is left is dropped with it. */
const drainMs = 60_000;

/** Clusters for what acts on them from outside. */
export interface ActedOn {
  /** Nobody asks for them any more, for now. */
  readonly clusters: Pick<ServedClusters, "rest">;
  /** Each is up to date when it is opened. */
  readonly directory: RuntimeDirectory;
}

export function createDirectory({ runtimeOptions }: Dependencies): ActedOn {
  const clusters = new ServedClusters((ref, onEnd) => openClusterRuntime(ref, runtimeOptions(ref), onEnd));
  return { clusters, directory: clusters };
}

/** Machines join by themselves; what a cluster needs of its loops is put on the agenda, and a cluster that goes is drained first. */
export function createFunctionProvisioner({ store, clock, marksOf }: Dependencies, directory: RuntimeDirectory): ClusterProvisioner {
  return {
    readyAtOnce: true,
    created: () => Promise.resolve(),
    resized: () => Promise.resolve(),
    async scheduling(cluster) {
      await store.writeRecords([putAgenda(refOf(cluster), clock.now())]);
    },
    async deleting(cluster) {
      const runtime = await directory.open(refOf(cluster));
      if (!runtime || (await drainCluster(runtime)) === 0) return "done";
      // Their nodes hear of it now: the wake-up that would tell them may wait behind this very work.
      await marksOf(cluster.tenant).nodesChanged(cluster.tenant, cluster.pool, nodesWithPods(runtime));
      if (clock.now() - cluster.updatedAtMs < drainMs) return "pending";
      await dropPods(runtime);
      return "done";
    },
  };
}

/** What changed for the nodes of a pool is told to their agents by records. */
export function tellByMarks(news: PlatformNews, { marksOf, later }: Dependencies): void {
  const tell = (pool: string, tenant: string): void => later("nodes told", marksOf(tenant).poolChanged(tenant, pool));
  news.onPoolChange(tell);
  news.onPeersChange(tell);
}
