import { overStore } from "../shared/host/over-store.ts";
import type { ClusterRef, Head, Store } from "../shared/store/store.ts";

/**
 * Heads of logs, read once a request: whoever asks wants all that was acknowledged before the request came. `begin` at its start; a request that another one
 * overlaps sees heads that are newer than it needs.
 */
export function createRequestHeads() {
  const heads = new Map<string, Promise<Head>>();
  return {
    begin: (): void => heads.clear(),
    over: (store: Store): Store =>
      overStore(store, {
        head(ref: ClusterRef) {
          const key = `${ref.tenant}#${ref.cluster}`;
          const known = heads.get(key);
          if (known) return known;
          const reading = store.head(ref);
          heads.set(key, reading);
          return reading;
        },
      }),
  };
}
