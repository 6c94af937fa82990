import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import type { CriClient, CriError } from "./cri-client.ts";
import { containerEvent, listContainersResponse, listSandboxesResponse } from "./cri-messages.ts";
import { criLabels } from "./pod-config.ts";

export interface WatchOptions {
  readonly cri: CriClient;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly onEvent: (podUid: string) => void;
}

/** The kubelet's generic relist period (`pkg/kubelet/kubelet.go`). */
const pollPeriodMs = 1_000;
const retryAfterMs = 500;

/**
 * Follows `GetContainerEvents` where the runtime has it (containerd 1.7), else compares two lists every second. After a break of the stream
 * one comparison finds what was missed. The returned function ends it.
 */
export function watchContainers({ cri, instance, clock, log, onEvent }: WatchOptions): () => void {
  let stopped = false;
  let cancel = (): void => {};
  let states: ReadonlyMap<string, string> | undefined;

  const compare = async (): Promise<void> => {
    const filter = { label_selector: { [criLabels.instance]: instance } };
    const [{ items }, { containers }] = await Promise.all([
      cri.call("RuntimeService", "ListPodSandbox", { filter }, listSandboxesResponse),
      cri.call("RuntimeService", "ListContainers", { filter }, listContainersResponse),
    ]);
    const next = new Map<string, string>();
    for (const { labels, id, state } of [...items, ...containers]) {
      const uid = labels[criLabels.podUid];
      if (uid !== undefined) next.set(uid, `${next.get(uid) ?? ""} ${id}:${state}`);
    }
    const changed = states === undefined ? [] : changedKeys(states, next);
    states = next;
    if (stopped) return;
    for (const uid of changed) onEvent(uid);
  };

  const compareQuietly = (): Promise<void> =>
    compare().catch((cause: unknown) => {
      // Without a first list to compare with, every pod of the next one may have changed.
      states ??= new Map();
      if (!stopped) log.warn("container runtime cannot be listed", { reason: cause instanceof Error ? cause.message : String(cause) });
    });

  const poll = (): void => {
    if (stopped) return;
    void compareQuietly().finally(() => {
      if (!stopped) cancel = clock.after(pollPeriodMs, poll);
    });
  };

  const follow = (): void => {
    if (stopped) return;
    cancel = cri.stream(
      "GetContainerEvents",
      containerEvent,
      (event) => {
        const labels = event.pod_sandbox_status?.labels ?? {};
        const uid = event.pod_sandbox_status?.metadata?.uid;
        if (uid !== undefined && labels[criLabels.instance] === instance) onEvent(uid);
      },
      (error: CriError | undefined) => {
        if (stopped) return;
        if (error?.code === "Unimplemented") return poll();
        cancel = clock.after(retryAfterMs, () => void compareQuietly().finally(follow));
      },
    );
  };

  void compareQuietly().finally(follow);
  return () => {
    stopped = true;
    cancel();
  };
}

/** Keys that were added, removed, or have another value. */
export function changedKeys(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const changed = [...after].filter(([key, value]) => before.get(key) !== value).map(([key]) => key);
  return [...changed, ...[...before.keys()].filter((key) => !after.has(key))];
}
