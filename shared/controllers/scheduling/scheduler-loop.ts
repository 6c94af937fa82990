import { setImmediate as nextTurn } from "node:timers/promises";
import type { Binding, BindOutcome } from "../../api/object-client.ts";
import { pods } from "../../kubernetes/known-resources.ts";
import type { Pod } from "../../kubernetes/types.ts";
import { decide } from "../../scheduler/decide.ts";
import type { Decision } from "../../scheduler/plan.ts";
import { isFinished, type PendingPod, readPendingPod, uidOf } from "../../scheduler/pod-info.ts";
import { type ClusterSnapshot, createSnapshot } from "../../scheduler/snapshot.ts";
import { type Change, objectOf } from "../../store/view.ts";
import type { ControllerContext } from "../controller.ts";
import { earliest } from "../earliest.ts";
import { createEventRecorder } from "../event-recorder.ts";
import { controllerOf } from "../owners.ts";
import { createBoundedTasks } from "./bounded-tasks.ts";
import { follow, isPodChange, load, podGone } from "./cluster-changes.ts";
import { createPacedTasks, type Pace } from "./paced-tasks.ts";
import { createPodStatusWriter } from "./pod-status.ts";
import { createSchedulingQueue, podBackOff, type SchedulingQueue } from "./scheduling-queue.ts";

export interface SchedulerLoop {
  /** Reads the view and schedules whatever is pending, now and as it changes. Starting twice does nothing. */
  start(): void;
  /** Takes nothing new and resolves when what is under way has ended. The loop can be started again. */
  stop(): Promise<void>;
  /** While it is held no pod is tried: changes only say which are worth it. */
  hold(on: boolean): void;
  /** A pod is being bound or ready to be tried. */
  hasDue(): boolean;
  /** Resolves when no pod is ready to be tried and every write has ended. Not while it is held. */
  idle(): Promise<void>;
  /** When the earliest pod is due that waits for its time, in milliseconds since 1970. */
  nextDue(): number | undefined;
}

export interface SchedulerOptions {
  /**
   * How long a new pod that no controller made is left alone, in milliseconds; default not at all. Whoever makes a pod in order to bind it, or
   * changes it right away, is quicker than a kube-scheduler, which hears of the pod by a watch; here the scheduler stands beside the store and
   * would always win.
   */
  readonly graceMs?: number;
  /**
   * How fast pods are told that no node will do (their condition and an Event); default as fast as it goes. Thousands of pods that fit nowhere must not keep
   * the API from everybody else: kube-scheduler's clients write 50 times a second and 100 at once (`clientConnection` of its configuration).
   */
  readonly reportPace?: Pace;
}

const schedulerName = "default-scheduler";
/** Pods decided on and bound together, and how long deciding may keep the process from everything else. */
const batch = { pods: 500, milliseconds: 20 } as const;
/** Batches that are being bound while the next one is decided on. */
const bindsAtOnce = 4;
/** How long a node is taken for full after a binding was refused for want of room. */
const fullMs = podBackOff.longestMs;
/** Placements told by an event; in a greater burst the rest goes without (client-go's broadcaster drops them too). */
const announcedAtMost = 10_000;
/** As kube-scheduler cuts an event's message. */
const longestNote = 1024;

type Placed = Decision & { readonly kind: "placed" };
type Unschedulable = Decision & { readonly kind: "unschedulable" };

/**
 * The scheduler of one cluster: keeps a snapshot and a queue from the view, decides in batches and binds each batch in one call.
 * `Scheduled` events are written when no pod is ready any more, so that in a burst they do not compete with bindings.
 */
export function createSchedulerLoop(context: ControllerContext, { graceMs = 0, reportPace }: SchedulerOptions = {}): SchedulerLoop {
  const { view, client, clock, log, random } = context;
  const recorder = createEventRecorder({ client, clock, component: schedulerName, random, queueLength: announcedAtMost });
  const status = createPodStatusWriter({ client, view, recorder, now: () => clock.now() });
  const writes = createBoundedTasks(4, log);
  const binds = createBoundedTasks(bindsAtOnce, log);
  const reports = createPacedTasks({ clock, ...(reportPace && { pace: reportPace }), mayRun: () => isRunning && !isHeld });
  let snapshot: ClusterSnapshot = createSnapshot();
  let queue: SchedulingQueue = createSchedulingQueue();
  let placements: Placed[] = [];
  let startIndex = 0;
  let bindsUnderWay = 0;
  let isRunning = false;
  let isHeld = false;
  let isTurning = false;
  let unsubscribe = (): void => {};
  let timer: { readonly dueMs: number; readonly cancel: () => void } | undefined;
  let waiters: (() => void)[] = [];

  const put = (pod: Pod, waitMs = 0): void => {
    if (isPending(pod)) queue.put(readPendingPod(pod), clock.now(), clock.now() + waitMs);
    else queue.remove(uidOf(pod));
  };
  const onChange = (changes: readonly Change[]): void => {
    let concerns = false;
    for (const change of changes) {
      try {
        if (isPodChange(change)) {
          concerns = true;
          const pod = objectOf<Pod>(change);
          if (change.type === "DELETED") queue.remove(uidOf(pod));
          else put(pod, controllerOf(pod) ? 0 : graceMs);
        }
        const hint = follow(snapshot, change);
        if (hint !== undefined) {
          concerns = true;
          queue.hint(hint, clock.now());
        }
      } catch (error) {
        log.error("scheduler could not read a change", error, { resource: change.key.resource, name: change.key.name });
      }
    }
    if (concerns) turn();
  };

  const turn = (): void => {
    if (isTurning || !isRunning || isHeld) return;
    isTurning = true;
    void (async () => {
      do await nextTurn();
      while (isRunning && !isHeld && bindsUnderWay < bindsAtOnce && decideSome());
      isTurning = false;
      if (queue.readyCount === 0) announce();
      setTimer();
      settle();
    })();
  };
  const decideSome = (): boolean => {
    const pending = queue.take(batch.pods, clock.now());
    if (pending.length === 0) return false;
    const placed: Placed[] = [];
    let isRoomGivenBack = false;
    for (const decision of decideOn(pending)) {
      if (decision.kind === "unschedulable") giveUp(decision);
      else if (decision.claims.length > 0) {
        waitForVolumes(decision);
        isRoomGivenBack = true;
      } else placed.push(decision);
    }
    if (isRoomGivenBack) queue.hint(podGone, clock.now());
    if (placed.length > 0) {
      bindsUnderWay++;
      binds.run("bind", () => bind(placed));
    }
    return true;
  };

  const decideOn = (pending: readonly PendingPod[]): readonly Decision[] => {
    const untilMs = clock.now() + batch.milliseconds;
    try {
      const plan = decide(snapshot, pending, { random, startIndex, shouldStop: () => clock.now() >= untilMs });
      startIndex = plan.nextStartIndex;
      for (const pod of pending.slice(plan.decisions.length)) queue.untake(pod.uid);
      return plan.decisions;
    } catch (error) {
      log.error("scheduler could not decide", error, { pods: pending.length });
      for (const { uid } of pending) {
        snapshot.forget(uid);
        queue.retry(uid, clock.now());
      }
      return [];
    }
  };
  const giveUp = (refused: Unschedulable): void => {
    const { pod, plugins, preemption, nomination } = refused;
    queue.fail(pod.uid, plugins, clock.now());
    if (preemption === undefined && nomination.kind !== "set") {
      reports.put(pod.uid, () => {
        const isRefused = queue.isRefused(pod.uid);
        if (isRefused) report(refused);
        return isRefused;
      });
      return;
    }
    report(refused);
    if (preemption === undefined) return;
    for (const displaced of preemption.displaced) writes.run("clear nomination", () => status.clearNomination(displaced));
    for (const victim of preemption.victims) writes.run("evict", () => status.evict(victim, pod, preemption));
  };
  const report = ({ pod, message, nomination }: Unschedulable): void => {
    recorder.event(pod.pod, "Warning", "FailedScheduling", note(message));
    writes.run("report", () => status.reportUnschedulable(pod, message, nomination));
  };
  /** The pod is tried again when its claims change, and then finds its volumes on the node they were bound for. */
  const waitForVolumes = ({ pod, claims, nodeName }: Placed): void => {
    snapshot.forget(pod.uid);
    queue.fail(pod.uid, new Set(["VolumeBinding"]), clock.now());
    for (const claim of claims) writes.run("request volume", () => status.requestVolume(claim, nodeName));
  };
  const bind = async (placed: readonly Placed[]): Promise<void> => {
    let outcomes: readonly BindOutcome[] = [];
    try {
      outcomes = await client.bind(placed.map(bindingOf));
    } finally {
      placed.forEach((placement, index) => {
        settleBinding(placement, outcomes[index]);
      });
      // A placement that comes to nothing counts as a pod that went, as kube-scheduler has it: others were refused its room.
      if (placed.some((_, index) => outcomes[index]?.kind !== "bound")) queue.hint(podGone, clock.now());
      bindsUnderWay--;
      turn();
      settle();
    }
  };
  const settleBinding = (placement: Placed, outcome: BindOutcome | undefined): void => {
    const { uid, namespace, name, pod } = placement.pod;
    if (outcome?.kind === "bound") {
      queue.done(uid);
      if (placements.length < announcedAtMost) placements.push(placement);
      return;
    }
    snapshot.forget(uid);
    if (outcome?.kind === "full") holdRoom(placement);
    const stored = view.get(pods, namespace, name);
    const current = stored && objectOf<Pod>(stored);
    if (current === undefined || current.metadata.uid !== uid || !isPending(current)) queue.done(uid);
    else if (outcome?.kind === "stale") queue.retryChanged(uid, clock.now());
    else queue.retry(uid, clock.now());
    log.debug("pod was not bound", { namespace, name, uid: pod.metadata.uid, outcome: outcome?.kind ?? "failed" });
  };
  /** Another cluster of the pool has the room: for a while the node counts as if the pod lay there, so that others are tried. */
  const holdRoom = ({ pod, nodeName }: Placed): void => {
    const holder = snapshot;
    const uid = `full:${pod.uid}`;
    const { containers = [], initContainers = [], overhead } = pod.pod.spec ?? {};
    holder.applyPod({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { uid },
      spec: { nodeName, containers, initContainers, ...(overhead && { overhead }) },
    });
    clock.after(fullMs, () => {
      holder.removePod(uid);
      queue.hint(new Set(["NodeResourcesFit"]), clock.now());
      turn();
    });
  };
  const announce = (): void => {
    const told = placements;
    placements = [];
    for (const { pod, nodeName } of told) {
      recorder.event(pod.pod, "Normal", "Scheduled", `Successfully assigned ${pod.namespace}/${pod.name} to ${nodeName}`);
    }
  };

  const setTimer = (): void => {
    // Who waits for a binding to end is turned by its end.
    const dueMs = isRunning && !isHeld && bindsUnderWay < bindsAtOnce ? queue.nextDue() : undefined;
    if (timer?.dueMs === dueMs) return;
    timer?.cancel();
    timer = undefined;
    if (dueMs === undefined) return;
    const cancel = clock.after(Math.max(0, dueMs - clock.now()), () => {
      timer = undefined;
      turn();
    });
    timer = { dueMs, cancel };
  };
  const isQuiet = (): boolean => !isTurning && bindsUnderWay === 0 && writes.isIdle && (!isRunning || queue.readyCount === 0);
  const settle = (): void => {
    if (!isQuiet()) {
      if (!writes.isIdle) void writes.idle().then(settle);
      return;
    }
    const resolved = waiters;
    waiters = [];
    for (const resolve of resolved) resolve();
  };
  const quiet = async (): Promise<void> => {
    if (!isQuiet()) {
      await new Promise<void>((resolve) => {
        waiters.push(resolve);
        settle();
      });
    }
    await recorder.flush();
  };

  return {
    start() {
      if (isRunning) return;
      isRunning = true;
      snapshot = createSnapshot();
      queue = createSchedulingQueue();
      unsubscribe = view.onChange(onChange);
      load(snapshot, view);
      for (const stored of view.list(pods)) put(objectOf<Pod>(stored));
      turn();
    },
    async stop() {
      isRunning = false;
      unsubscribe();
      setTimer();
      reports.clear();
      await quiet();
      announce();
      await recorder.flush();
    },
    hold(on) {
      isHeld = on;
      setTimer();
      reports.turn();
      turn();
    },
    hasDue: () => !isQuiet(),
    async idle() {
      await nextTurn();
      turn();
      await quiet();
    },
    nextDue: () => (isRunning ? earliest([queue.nextDue(), reports.nextDue()]) : undefined),
  };
}

/** Whether this scheduler is to find a node for the pod now; gated pods are passed over until their last gate is gone (KEP-3521). */
function isPending(pod: Pod): boolean {
  const { nodeName, schedulerName: chosen, schedulingGates = [] } = pod.spec ?? {};
  return (
    (nodeName ?? "") === "" &&
    (chosen === undefined || chosen === "" || chosen === schedulerName) &&
    schedulingGates.length === 0 &&
    pod.metadata.deletionTimestamp === undefined &&
    !isFinished(pod)
  );
}

function note(message: string): string {
  return message.length <= longestNote ? message : `${message.slice(0, longestNote - 4)} ...`;
}

function bindingOf({ pod: { namespace, name, uid }, nodeName }: Placed): Binding {
  return { namespace, name, uid, nodeName };
}
