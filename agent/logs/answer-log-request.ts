import { join } from "node:path";
import type { LogRequest, Problem } from "../../shared/api/agent/protocol.ts";
import type { Clock } from "../../shared/clock.ts";
import { observePod } from "../pod/observed.ts";
import type { PodWorker } from "../pod/worker.ts";
import type { PodFiles } from "../pod-files.ts";
import type { RuntimePod } from "../runtime.ts";
import type { RuntimeObserver } from "../runtime-observer.ts";
import { readLog } from "./read-log.ts";

export interface LogContext {
  readonly pods: readonly RuntimePod[];
  readonly worker: PodWorker | undefined;
  readonly files: PodFiles;
  readonly observer: RuntimeObserver;
  readonly clock: Clock;
  /** Nothing runs, so nothing is written. */
  readonly hollow: boolean;
}

export type LogAnswer =
  | { readonly kind: "body"; readonly body: ReadableStream<Uint8Array> }
  | { readonly kind: "problem"; readonly problem: Problem };

const runningCheckMs = 500;

/** The log that was asked for, or why there is none, in kubelet's words. */
export function answerLogRequest(request: LogRequest, context: LogContext): LogAnswer {
  const { container: name, pod: podName, namespace, podUid, options } = request;
  const refuse = (status: number, detail: string): LogAnswer => ({
    kind: "problem",
    problem: { type: "about:blank", title: "No log", status, detail },
  });
  const observed = observePod(context.pods);
  const latest = observed.latest.get(name);
  if (options.previous === true) {
    const former = latest?.state.kind === "exited" && waits(context.worker) ? latest : observed.former.get(name);
    if (former === undefined) return refuse(400, `previous terminated container "${name}" in pod "${podName}" not found`);
    return answer(former.attempt, () => false);
  }
  if (latest === undefined) {
    return context.worker === undefined
      ? refuse(404, `pod "${podName}" is not on this node`)
      : refuse(400, `container "${name}" in pod "${podName}" is waiting to start: ContainerCreating`);
  }
  let running = latest.state.kind !== "exited";
  let checkedMs = context.clock.now();
  const isRunning = (): boolean => {
    if (running && context.clock.now() - checkedMs >= runningCheckMs) {
      checkedMs = context.clock.now();
      void context.observer.look().then(
        (all) => {
          const now = observePod(all.get(podUid) ?? []).latest.get(name);
          running = now?.id === latest.id && now.state.kind !== "exited";
        },
        () => undefined,
      );
    }
    return running;
  };
  return answer(latest.attempt, isRunning);

  function answer(attempt: number, live: () => boolean): LogAnswer {
    if (context.hollow) return { kind: "body", body: new ReadableStream({ start: (controller) => controller.close() }) };
    const directory = context.files.logDirectory({ apiVersion: "v1", kind: "Pod", metadata: { namespace, name: podName, uid: podUid } });
    const path = join(directory, context.files.logPath(name, attempt));
    return { kind: "body", body: readLog({ path, options, clock: context.clock, isRunning: live }) };
  }
}

/** The container has ended and is about to be started again: its last run is the previous one already. */
function waits(worker: PodWorker | undefined): boolean {
  return worker !== undefined && !worker.finished && worker.pod.spec?.restartPolicy !== "Never";
}
