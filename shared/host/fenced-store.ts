import { type ClusterRef, isStoreError, type Store, StoreError } from "../store/store.ts";
import { fenceKey, fences } from "./loop-lease.ts";
import { overStore } from "./over-store.ts";

export interface Fence {
  /** Of the lease under which this process turns the cluster's loops. */
  token: number;
}

/**
 * The store for the loops of one cluster: every commit is conditional on the lease, in the same transaction. `onLost` is told when it is another's;
 * the commit then fails as `Unavailable`.
 */
export function createFencedStore(store: Store, ref: ClusterRef, fence: Fence, onLost: () => void): Store {
  let turn = 0;
  return overStore(store, {
    async commit(cluster, operations, records = []) {
      if (operations.length === 0) return store.commit(cluster, operations, records);
      const guard = { ...fenceKey(ref, turn++ % fences), kind: "add", add: { commits: 1 }, atMost: { token: fence.token } } as const;
      try {
        return await store.commit(cluster, operations, [...records, guard]);
      } catch (error) {
        if (!isStoreError(error, "RevisionConflict") || error.index !== operations.length + records.length) throw error;
        onLost();
        throw new StoreError("Unavailable", "another process turns the loops of the cluster", { cause: error });
      }
    },
  });
}
