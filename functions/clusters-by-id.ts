import type { ClusterDirectory } from "../shared/api/surface.ts";
import { authorityPublicKey } from "../shared/auth/certificate-signing.ts";
import type { Secret } from "../shared/kubernetes/types.ts";
import { recordKeys } from "../shared/platform/record-keys.ts";
import { clusterRecord, getRecord } from "../shared/platform/records.ts";
import { type ClusterRef, isStoreError } from "../shared/store/store.ts";
import { objectOf } from "../shared/store/view.ts";
import type { Dependencies } from "./dependencies.ts";

/** What is asked of clusters of which no more than the id is known: whose it is is looked up first, then it is reached in its tenant's name. */
export function createClustersById({
  store,
  storeOf,
  installation,
}: Dependencies): Required<Pick<ClusterDirectory, "findSecret" | "findAuthority">> {
  const living = async (id: string): Promise<ClusterRef | undefined> => {
    const [record] = await store.getRecords([recordKeys.clusterTenant(id)]);
    const tenant = record?.value.tenant;
    if (typeof tenant !== "string") return undefined;
    const found = await getRecord(storeOf(tenant), clusterRecord, recordKeys.cluster(tenant, id));
    return found && found.value.state !== "deleting" ? { tenant, cluster: id } : undefined;
  };
  return {
    async findSecret(clusterId, key) {
      const cluster = await living(clusterId);
      if (!cluster) return undefined;
      try {
        const [stored] = await storeOf(cluster.tenant).latest(cluster, [key]);
        return stored && { cluster, secret: objectOf<Secret>(stored) };
      } catch (error) {
        if (isStoreError(error, "NoSuchCluster")) return undefined;
        throw error;
      }
    },
    async findAuthority(clusterId) {
      const cluster = await living(clusterId);
      return cluster && { cluster, publicKey: authorityPublicKey(installation.caKeyPem(), clusterId) };
    },
  };
}
