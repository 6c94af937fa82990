import type { Store } from "../store/store.ts";

/** A store that does some things its own way and leaves the rest to another. */
export function overStore(store: Store, own: Partial<Store>): Store {
  return {
    limits: store.limits,
    commit: (cluster, operations, records) => store.commit(cluster, operations, records),
    latest: (cluster, keys, known) => store.latest(cluster, keys, known),
    head: (cluster) => store.head(cluster),
    snapshot: (cluster, collection) => store.snapshot(cluster, collection),
    readLog: (cluster, after, limit) => store.readLog(cluster, after, limit),
    follow: (cluster, after, onEntries, onEnd) => store.follow(cluster, after, onEntries, onEnd),
    compact: (cluster, floor) => store.compact(cluster, floor),
    createCluster: (cluster, records) => store.createCluster(cluster, records),
    dropCluster: (cluster) => store.dropCluster(cluster),
    getRecords: (keys) => store.getRecords(keys),
    queryRecords: (partition, range) => store.queryRecords(partition, range),
    writeRecords: (operations) => store.writeRecords(operations),
    close: () => store.close(),
    ...own,
  };
}
