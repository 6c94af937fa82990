import type { SharedStore } from "../../functions/tenant-stores.ts";
import { overStore } from "../../shared/host/over-store.ts";
import type { Mirror } from "../../shared/store/mirror.ts";
import type { ClusterRef } from "../../shared/store/store.ts";

/** Whoever opens a cluster that is held has its objects from memory: each is read once, however many mirrors follow the log. */
export function sharingSnapshots(store: SharedStore, inMemory: (ref: ClusterRef) => Mirror | undefined): SharedStore {
  return {
    ...overStore(store, {
      async snapshot(ref, collection) {
        const mirror = collection === undefined ? inMemory(ref) : undefined;
        if (!mirror) return store.snapshot(ref, collection);
        return { revision: mirror.revision, objects: mirror.resources().flatMap((resource) => mirror.list(resource)) };
      },
    }),
    wake: (ref) => store.wake(ref),
  };
}
