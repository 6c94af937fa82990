import type { RuntimeContainer, RuntimePod } from "../runtime.ts";

/** A pod as the runtime has it, over all its sandboxes. */
export interface ObservedPod {
  /** Newest first. */
  readonly sandboxes: readonly RuntimePod[];
  /** The newest sandbox if it is ready. */
  readonly ready: RuntimePod | undefined;
  /** The newest container of each name, whatever its sandbox. */
  readonly latest: ReadonlyMap<string, RuntimeContainer>;
  /** The newest container of each name in the ready sandbox. */
  readonly current: ReadonlyMap<string, RuntimeContainer>;
  /** The newest one that ended before the latest. */
  readonly former: ReadonlyMap<string, RuntimeContainer>;
  readonly running: readonly { readonly container: RuntimeContainer; readonly sandboxId: string }[];
}

export function observePod(pods: readonly RuntimePod[]): ObservedPod {
  const sandboxes = [...pods].sort((a, b) => b.attempt - a.attempt || b.sandbox.createdAtMs - a.sandbox.createdAtMs);
  const newest = sandboxes[0];
  const ready = newest?.sandbox.ready === true ? newest : undefined;
  const latest = new Map<string, RuntimeContainer>();
  const former = new Map<string, RuntimeContainer>();
  const current = new Map<string, RuntimeContainer>();
  const running: { container: RuntimeContainer; sandboxId: string }[] = [];
  for (const pod of sandboxes) {
    for (const container of [...pod.containers].sort((a, b) => b.attempt - a.attempt)) {
      if (container.state.kind !== "exited") running.push({ container, sandboxId: pod.sandbox.id });
      if (!latest.has(container.name)) latest.set(container.name, container);
      else if (!former.has(container.name) && container.state.kind === "exited") former.set(container.name, container);
      if (pod === ready && !current.has(container.name)) current.set(container.name, container);
    }
  }
  return { sandboxes, ready, latest, current, former, running };
}
