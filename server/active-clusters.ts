import type { ClusterRef, Store } from "../shared/store/store.ts";
import type { Log } from "../shared/telemetry/log.ts";

/** Which clusters this host held in memory: those whose loops may have been in the middle of something when it was killed. */
export interface ActiveClusters {
  opened(ref: ClusterRef): void;
  /** It left the memory with nothing to do. */
  rested(ref: ClusterRef): void;
  /** Those of the last run. */
  list(): Promise<ClusterRef[]>;
}

const partition = "platform#active-clusters";
const limit = 10_000;

export function createActiveClusters(store: Store, log: Log): ActiveClusters {
  const sortOf = ({ tenant, cluster }: ClusterRef): string => `${tenant}/${cluster}`;
  const write = (kind: "put" | "delete", ref: ClusterRef): void => {
    const key = { partition, sort: sortOf(ref), expected: undefined };
    store
      .writeRecords([kind === "put" ? { ...key, kind, value: {} } : { ...key, kind }])
      .catch((error: unknown) => log.error("active clusters not written", error));
  };
  return {
    opened: (ref) => write("put", ref),
    rested: (ref) => write("delete", ref),
    async list() {
      const records = await store.queryRecords(partition, { limit });
      return records.map(({ sort }) => ({ tenant: sort.slice(0, sort.indexOf("/")), cluster: sort.slice(sort.indexOf("/") + 1) }));
    },
  };
}
