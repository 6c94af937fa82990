import { overStore } from "../../shared/host/over-store.ts";
import type { ClusterRef, Head, Store } from "../../shared/store/store.ts";

/**
 * A store for many requests to one cluster at once, each of which wants to know how far the log is. Who asks while a read is under way shares the next one
 * with all others who do: never the one already sent, because the answer must be younger than the question.
 */
export function joiningHeads(store: Store, cluster: ClusterRef): Store {
  let underWay: Promise<Head> | undefined;
  let next: Promise<Head> | undefined;
  const read = (): Promise<Head> => {
    next = undefined;
    const reading = store.head(cluster).finally(() => {
      if (underWay === reading) underWay = undefined;
    });
    underWay = reading;
    return reading;
  };
  return overStore(store, {
    head(ref) {
      if (ref.tenant !== cluster.tenant || ref.cluster !== cluster.cluster) return store.head(ref);
      if (!underWay) return read();
      next ??= underWay.then(read, read);
      return next;
    },
  });
}
