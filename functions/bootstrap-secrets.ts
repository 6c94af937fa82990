import type { ClusterDirectory } from "../shared/api/surface.ts";
import type { Secret } from "../shared/kubernetes/types.ts";
import { recordKeys } from "../shared/platform/record-keys.ts";
import { clusterRecord, getRecord } from "../shared/platform/records.ts";
import { isStoreError } from "../shared/store/store.ts";
import { objectOf } from "../shared/store/view.ts";
import type { Dependencies } from "./dependencies.ts";

/** Secrets of clusters of which no more than the id is known: whose it is is looked up first, then it is reached in its tenant's name. */
export const findSecret =
  ({ store, storeOf }: Pick<Dependencies, "store" | "storeOf">): NonNullable<ClusterDirectory["findSecret"]> =>
  async (clusterId, key) => {
    const [record] = await store.getRecords([recordKeys.clusterTenant(clusterId)]);
    const tenant = record?.value.tenant;
    if (typeof tenant !== "string") return undefined;
    const its = storeOf(tenant);
    const cluster = { tenant, cluster: clusterId };
    try {
      const found = await getRecord(its, clusterRecord, recordKeys.cluster(tenant, clusterId));
      if (!found || found.value.state === "deleting") return undefined;
      const [stored] = await its.latest(cluster, [key]);
      return stored && { cluster, secret: objectOf<Secret>(stored) };
    } catch (error) {
      if (isStoreError(error, "NoSuchCluster")) return undefined;
      throw error;
    }
  };
