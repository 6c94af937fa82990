import type { PodStatusReport } from "../../shared/api/agent/pod-status-report.ts";
import { deepEqual } from "../../shared/kubernetes/deep-equal.ts";
import type { Pod } from "../../shared/kubernetes/types.ts";
import { createContainerActs } from "./container-acts.ts";
import { type Action, actionKey, type Decision, decide, type PodInput, podFullName } from "./decide.ts";
import { newPodMemory } from "./memory.ts";
import { type ObservedPod, observePod } from "./observed.ts";
import type { NodeContext } from "./pod-context.ts";
import { createPodMounts } from "./pod-mounts.ts";
import { createPodProbers } from "./pod-probers.ts";
import { removePod, runPodSandbox } from "./pod-sandboxes.ts";
import { aboutContainer, graceSecondsOf, grantedPod, isEnding, type PodState, podIpsOf, remember } from "./pod-state.ts";
import { allocationOf, allocationOfStatus, refusalOf, resizeRetryMs } from "./resize.ts";
import { reportOf, saysSame, statusOf } from "./status.ts";

/** Drives one pod: looks, decides, acts, reports; again whenever something changed. */
export interface PodWorker {
  readonly cluster: string;
  readonly pod: Pod;
  /** Nothing runs and nothing will. */
  readonly finished: boolean;
  readonly observed: ObservedPod | undefined;
  /** The pod with the resources that it has been granted. */
  readonly granted: Pod;
  update(pod: Pod): void;
  /** The pod is gone from the API, or its cluster from the pool: it ends as it would by a deletion. */
  remove(): void;
  /** A ConfigMap, Secret or service that the pod names has changed. */
  configurationChanged(): void;
  /** Look again. */
  wake(): void;
  /** Says once more how the pod is, as it was said last. */
  sayAgain(): void;
  /** Stops driving; what runs keeps running. */
  abandon(): void;
}

export interface PodWorkerOptions {
  readonly cluster: string;
  readonly pod: Pod;
  /** The node's verdict when it first saw the pod. */
  readonly rejected: { readonly reason: string; readonly message: string } | undefined;
  readonly node: NodeContext;
}

/** How soon what went wrong is tried again. */
const retryMs = 1000;

export function createPodWorker(options: PodWorkerOptions): PodWorker {
  const { cluster, node } = options;
  const { clock, events, runtime } = node;
  const { metadata, status } = options.pod;
  const state: PodState = {
    ...{ cluster, uid: metadata.uid ?? "", pod: options.pod, removed: false, observed: undefined, previous: reportOf(options.pod) },
    memory: {
      ...newPodMemory(status?.startTime === undefined ? clock.now() : Date.parse(status.startTime)),
      rejected: options.rejected,
      allocation: allocationOfStatus(options.pod),
    },
    wake,
  };
  const mounts = createPodMounts(state, node);
  const probers = createPodProbers(state, node);
  const containers = createContainerActs(state, probers, node);
  let reported = state.previous;
  let abandoned = false;
  let finished = false;
  let stepping = false;
  let again = false;
  /** Grows with every act, so that what was seen before one is not decided upon after it. */
  let acts = 0;
  let cancelWake: (() => void) | undefined;

  const act = async (action: Action): Promise<void> => {
    switch (action.kind) {
      case "mountVolumes":
        return mounts.mount();
      case "runSandbox":
        return runPodSandbox(state, action.attempt, node);
      case "stopSandbox":
        return runtime.stopSandbox(action.sandboxId);
      case "startContainer":
        return containers.start(action);
      case "adoptContainer":
        return probers.begin(action.container, state.observed?.current.get(action.container.name), action.containerId);
      case "stopContainer":
        return containers.stop(action);
      case "resizeContainer":
        return containers.resize(action);
      case "cleanUp":
        await removePod(state, node);
        abandon();
        return node.gone(cluster, state.pod, state.removed);
      default:
        return action satisfies never;
    }
  };

  const perform = (action: Action): void => {
    const key = actionKey(action);
    state.memory = { ...state.memory, inFlight: new Set(state.memory.inFlight).add(key) };
    const done = (): void => {
      acts++;
      const inFlight = new Set(state.memory.inFlight);
      inFlight.delete(key);
      state.memory = { ...state.memory, inFlight };
      wake();
    };
    act(action).then(done, (error: unknown) => {
      node.log.error("pod action failed", error, { cluster, pod: podFullName(state.pod), action: action.kind });
      cancelWake?.();
      clock.after(retryMs, done);
    });
  };

  /** Grants what the pod asks for by now, if the node can. */
  const judgeResize = (): void => {
    const { memory, pod, uid } = state;
    if (memory.allocation === undefined) return;
    const pendingResize = refusalOf(pod, node.others(uid), node.allocatable());
    state.memory = pendingResize ? { ...memory, pendingResize } : { ...memory, allocation: undefined, pendingResize: undefined };
  };

  const step = async (): Promise<void> => {
    let observed: ObservedPod | undefined;
    for (let seen = -1; seen !== acts; ) {
      seen = acts;
      observed = observePod((await node.observer.look()).get(state.uid) ?? []);
      state.observed = observed;
    }
    if (observed === undefined || abandoned) return;
    if (observed.ready !== undefined) void node.network?.addressed(cluster, state.pod, podIpsOf(state));
    await containers.readMessages(observed);
    if (state.memory.stopDeadlineMs === undefined && isEnding(state))
      state.memory = { ...state.memory, stopDeadlineMs: clock.now() + graceSecondsOf(state.pod) * 1000 };
    judgeResize();
    const { removed, previous, memory } = state;
    const input: PodInput = { pod: grantedPod(state), removed, previous, observed, memory, nowMs: clock.now() };
    const decision = decide(input);
    report(input, decision);
    for (const action of decision.actions) perform(action);
    wakeAt(decision.wakeAtMs);
  };

  /** Looks again then, or when a resize or a token is due. */
  const wakeAt = (atMs: number | undefined): void => {
    cancelWake?.();
    const deferredMs = state.memory.pendingResize?.reason === "Deferred" ? clock.now() + resizeRetryMs : undefined;
    const tokensMs = finished ? undefined : mounts.refreshDueMs;
    const dueMs = Math.min(...[atMs, tokensMs, deferredMs].map((each) => each ?? Number.POSITIVE_INFINITY));
    if (!Number.isFinite(dueMs)) return;
    cancelWake = clock.after(Math.max(0, dueMs - clock.now()), () => {
      if (tokensMs !== undefined && tokensMs <= clock.now()) refresh();
      wake();
    });
  };

  const refresh = (): void => {
    if (!finished && !abandoned) void mounts.refresh();
  };

  const report = (input: PodInput, decision: Decision): void => {
    const { pod, previous } = state;
    const next = statusOf(input, decision, { runtimeKind: runtime.kind, hostIps: node.hostIps });
    const evicting = previous?.phase !== "Failed" && next.reason === "DeadlineExceeded";
    if (evicting) events.pod(cluster, pod, "Normal", "DeadlineExceeded", next.message ?? "");
    for (const [name, held] of decision.held) {
      if (held.reason !== "CrashLoopBackOff" || shows(previous, name, held.reason)) continue;
      const message = `Back-off restarting failed container ${name} in pod ${podFullName(pod)}`;
      events.pod(cluster, pod, "Warning", "BackOff", message, aboutContainer(state, name));
    }
    finished = decision.finished;
    state.previous = next;
    if (deepEqual(next, reported)) return;
    reported = next;
    node.report(cluster, pod, next);
  };

  const sayAgain = (): void => {
    if (reported !== undefined && !abandoned) node.report(cluster, state.pod, reported);
  };

  const run = async (): Promise<void> => {
    stepping = true;
    while (again && !abandoned) {
      again = false;
      try {
        await step();
      } catch (error) {
        node.log.error("pod step failed", error, { cluster, pod: podFullName(state.pod) });
        clock.after(retryMs, wake);
      }
    }
    stepping = false;
  };

  function wake(): void {
    if (abandoned) return;
    again = true;
    if (!stepping) void run();
  }

  const abandon = (): void => {
    abandoned = true;
    cancelWake?.();
    probers.endAll();
  };

  wake();
  return {
    cluster,
    get pod() {
      return state.pod;
    },
    get finished() {
      return finished;
    },
    get observed() {
      return state.observed;
    },
    get granted() {
      return grantedPod(state);
    },
    update(next) {
      const held = grantedPod(state);
      state.pod = next;
      state.memory = { ...state.memory, allocation: allocationOf(held, next), pendingResize: undefined };
      if (next.metadata.deletionTimestamp !== undefined) {
        const deadlineMs = clock.now() + graceSecondsOf(next) * 1000;
        state.memory = { ...state.memory, stopDeadlineMs: Math.min(state.memory.stopDeadlineMs ?? deadlineMs, deadlineMs) };
      }
      // Others have changed what this node says, or do not know it yet (kubelet `needsReconcile`).
      if (!saysSame(reportOf(next), reported)) sayAgain();
      refresh();
      wake();
    },
    remove() {
      state.removed = true;
      wake();
    },
    configurationChanged() {
      for (const [name, { failure }] of state.memory.containers)
        if (failure?.reason === "CreateContainerConfigError") remember(state, name, { failure: { ...failure, retryAtMs: 0 } });
      if (state.memory.volumes.kind === "unmounted") state.memory = { ...state.memory, volumes: { kind: "unmounted", retryAtMs: 0 } };
      refresh();
      wake();
    },
    wake,
    sayAgain,
    abandon,
  };
}

function shows(status: PodStatusReport | undefined, name: string, reason: string): boolean {
  return (
    [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find((container) => container.name === name)?.state
      ?.waiting?.reason === reason
  );
}
