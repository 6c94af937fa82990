import type { ClusterDirectory } from "../api/surface.ts";
import { authorityPublicKey } from "../auth/certificate-signing.ts";
import type { Secret } from "../kubernetes/types.ts";
import { refOf } from "../platform/clusters.ts";
import type { ClusterRecord } from "../platform/records.ts";
import { type ClusterRef, isStoreError, type Store } from "../store/store.ts";
import { objectOf } from "../store/view.ts";

export interface ClustersByIdOptions {
  /** The record of the cluster that is called so, whoever's it is. */
  readonly find: (id: string) => Promise<{ readonly value: ClusterRecord } | undefined>;
  /** What reaches a tenant's clusters. */
  readonly storeOf: (tenant: string) => Pick<Store, "latest">;
  readonly caKeyPem: () => string;
}

/** What is asked of clusters of which no more than the id is known. A cluster that is being deleted is none. */
export function createClustersById({
  find,
  storeOf,
  caKeyPem,
}: ClustersByIdOptions): Required<Pick<ClusterDirectory, "findSecret" | "findAuthority">> {
  const living = async (id: string): Promise<ClusterRef | undefined> => {
    const record = await find(id);
    return record && record.value.state !== "deleting" ? refOf(record.value) : undefined;
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
      return cluster && { cluster, publicKey: authorityPublicKey(caKeyPem(), clusterId) };
    },
  };
}
