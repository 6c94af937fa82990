import type { SharedStore } from "../../functions/tenant-stores.ts";
import { type NotedWork, notedWork } from "../../shared/host/noted-work.ts";
import { overStore } from "../../shared/host/over-store.ts";
import type { ClusterRef, RecordOperation } from "../../shared/store/store.ts";

/** What the table's stream tells the functions, told of this process's own writes alone. */
export interface OwnWrites {
  /** A commit waits for this: whoever dies after it leaves somebody else to look at the cluster. */
  before(ref: ClusterRef): Promise<void> | undefined;
  committed(ref: ClusterRef, revision: number): void;
  /** Clusters are being deleted or nodes drained; webhooks are to be sent. */
  noted(what: NotedWork): void;
}

/** A store whose writes are told once they are done. */
export function tellWrites(store: SharedStore, told: () => OwnWrites): SharedStore {
  const tellRecords = (records: readonly RecordOperation[]): void => {
    for (const { partition, kind } of records) {
      const work = kind === "delete" ? undefined : notedWork(partition);
      if (work) told().noted(work);
    }
  };
  return {
    ...overStore(store, {
      async commit(cluster, operations, records = []) {
        if (operations.length > 0) await told().before(cluster);
        const entries = await store.commit(cluster, operations, records);
        const last = entries.at(-1);
        if (last) told().committed(cluster, last.revision);
        tellRecords(records);
        return entries;
      },
      async createCluster(cluster, records = []) {
        await store.createCluster(cluster, records);
        tellRecords(records);
      },
      async writeRecords(operations) {
        const versions = await store.writeRecords(operations);
        tellRecords(operations);
        return versions;
      },
    }),
    wake: (ref) => store.wake(ref),
  };
}
