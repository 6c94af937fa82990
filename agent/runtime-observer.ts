import type { ContainerRuntime, RuntimePod } from "./runtime.ts";

/** Shares one `runtime.list()` between all pods that want to look at the same time. */
export interface RuntimeObserver {
  /** By pod uid, as of a moment after the call. */
  look(): Promise<ReadonlyMap<string, readonly RuntimePod[]>>;
}

export function createRuntimeObserver(runtime: ContainerRuntime): RuntimeObserver {
  type Listing = Promise<ReadonlyMap<string, readonly RuntimePod[]>>;
  let running: Listing | undefined;
  let next: Listing | undefined;
  const list = async (): Listing => {
    const byUid = new Map<string, RuntimePod[]>();
    for (const pod of await runtime.list()) {
      const known = byUid.get(pod.podUid);
      if (known === undefined) byUid.set(pod.podUid, [pod]);
      else known.push(pod);
    }
    return byUid;
  };
  const begin = (): Listing => {
    const listing = list().finally(() => {
      if (running === listing) running = undefined;
    });
    running = listing;
    return listing;
  };
  return {
    look() {
      if (running === undefined) return begin();
      // One that is under way may have looked before the caller's last act.
      next ??= running
        .catch(() => undefined)
        .then(() => {
          next = undefined;
          return begin();
        });
      return next;
    },
  };
}
