import type { ClusterDirectory } from "../shared/api/surface.ts";
import { authorityPublicKey } from "../shared/auth/certificate-signing.ts";
import type { RuntimeDirectory } from "../shared/host/cluster-runtime.ts";
import type { Secret } from "../shared/kubernetes/types.ts";
import { type Clusters, refOf } from "../shared/platform/clusters.ts";
import type { ClusterRef, Store } from "../shared/store/store.ts";
import { objectOf } from "../shared/store/view.ts";

export interface ClusterDirectoryOptions {
  readonly host: Pick<RuntimeDirectory, "open">;
  readonly store: Pick<Store, "latest">;
  readonly clusters: () => Pick<Clusters, "find">;
  readonly caKeyPem: string;
}

/** The clusters of a process that serves them all, also for those of whom no more than the id is known yet. */
export function createClusterDirectory({ host, store, clusters, caKeyPem }: ClusterDirectoryOptions): ClusterDirectory {
  const living = async (id: string): Promise<ClusterRef | undefined> => {
    const record = await clusters().find(id);
    return record && record.value.state !== "deleting" ? refOf(record.value) : undefined;
  };
  return {
    open: (ref) => host.open(ref),
    async findSecret(clusterId, key) {
      const cluster = await living(clusterId);
      const [stored] = cluster ? await store.latest(cluster, [key]) : [];
      return cluster && stored && { cluster, secret: objectOf<Secret>(stored) };
    },
    async findAuthority(clusterId) {
      const cluster = await living(clusterId);
      return cluster && { cluster, publicKey: authorityPublicKey(caKeyPem, cluster.cluster) };
    },
  };
}
