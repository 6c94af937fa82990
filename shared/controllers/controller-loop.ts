import { setImmediate as nextTurn } from "node:timers/promises";
import { isStatus } from "../kubernetes/status-error.ts";
import type { Change } from "../store/view.ts";
import type { Controller, ControllerContext } from "./controller.ts";
import { earliest } from "./earliest.ts";
import { createWorkQueue, type WorkQueue } from "./work-queue.ts";

export interface ControllerLoopOptions {
  readonly controllers: readonly Controller[];
  readonly context: ControllerContext;
  /** Keys of a controller that are reconciled at the same time. Default 5, as most loops of kube-controller-manager. */
  readonly concurrency?: number | ((controllerName: string) => number);
}

/** Turns the controllers of one cluster. Whether this process is the one to do so is the host's decision. */
export interface ControllerLoop {
  /** Looks at every key once, then at what changes. Starting twice does nothing. */
  start(): void;
  /** Takes nothing new and resolves when what is under way has ended. The loop can be started again. */
  stop(): Promise<void>;
  /** Has a controller look at a key, as if something had changed that concerns it. */
  look(controllerName: string, key: string): void;
  /** While it is held the loop takes no key: changes only say which keys are worth a look. */
  hold(on: boolean): void;
  /** Resolves when nothing is under way and no key of any controller is due now. Not while it is held. */
  idle(): Promise<void>;
  /** A key is under way or due now. */
  hasDue(): boolean;
  /** When the earliest key is due that waits for its time, in milliseconds since 1970. */
  nextDue(): number | undefined;
  /** Nothing is under way, nothing is due and nothing waits for its time: the cluster may leave memory until something changes. */
  readonly atRest: boolean;
}

/**
 * Somebody else's write was faster: the view will show it in a moment, at the latest when it is durable. So the first attempts follow
 * at once, and later ones after 5 ms doubling to this.
 */
const longestConflictMs = 160;
const conflictsAtOnce = 2;
/** Conflicts of one key in a row that are worth a line in the log. */
const notableConflicts = 20;
/** A key rests so many times as long as its last look took, so that no key takes more than a fifth of the process, … */
const restFactor = 4;
/** … but never longer than this: what changes is seen within it. */
const longestRestMs = 100;
/** Reconciliations started before others in the process get their turn. */
const burst = 32;

export function createControllerLoop({ controllers, context, concurrency = 5 }: ControllerLoopOptions): ControllerLoop {
  const { view, clock, log } = context;
  const lanes = controllers.map((controller) => ({
    controller,
    queue: createWorkQueue(),
    log: log.with({ controller: controller.name }),
    limit: typeof concurrency === "number" ? concurrency : concurrency(controller.name),
  }));
  type Lane = (typeof lanes)[number];
  let running = false;
  let held = false;
  let turning = false;
  let unsubscribe = (): void => {};
  let timer: { dueMs: number; cancel: () => void } | undefined;
  let waiters: (() => void)[] = [];

  const keep = (add: () => void, lane: Lane): void => {
    try {
      add();
    } catch (error) {
      lane.log.error("controller could not tell which keys a change concerns", error);
    }
  };
  const onChange = (changes: readonly Change[]): void => {
    let concerns = false;
    for (const lane of lanes) {
      keep(() => {
        for (const change of changes) {
          for (const key of lane.controller.keysOf(change, view)) {
            concerns = true;
            lane.queue.add(key);
          }
        }
      }, lane);
    }
    if (concerns) turn();
  };
  const isQuiet = (): boolean =>
    lanes.every(({ queue }) => queue.taken === 0 && (!running || (queue.postponed === 0 && !queue.hasDue(clock.now()))));
  const settle = (): void => {
    if (!isQuiet()) return;
    const resolved = waiters;
    waiters = [];
    for (const resolve of resolved) resolve();
  };
  const nextDue = (): number | undefined => earliest(lanes.map(({ queue }) => queue.nextDue()));
  const setTimer = (): void => {
    const dueMs = running && !held ? nextDue() : undefined;
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
  const startSome = (): boolean => {
    let budget = burst;
    for (let found = true; found && budget > 0; ) {
      found = false;
      for (const lane of lanes) {
        if (budget === 0 || lane.queue.taken >= lane.limit) continue;
        const key = lane.queue.take(clock.now());
        if (key === undefined) continue;
        found = true;
        budget--;
        void work(lane, key);
      }
    }
    return budget === 0;
  };
  const turn = (): void => {
    if (turning || !running || held) return;
    turning = true;
    void (async () => {
      do await nextTurn();
      while (running && !held && startSome());
      turning = false;
      setTimer();
      settle();
    })();
  };
  const work = async (lane: Lane, key: string): Promise<void> => {
    const { controller, queue } = lane;
    const startMs = clock.now();
    try {
      queue.cancel(key);
      const outcome = await controller.reconcile(key, context);
      queue.succeeded(key);
      const nowMs = clock.now();
      if (outcome.kind === "again") queue.addAt(key, nowMs + outcome.afterMs);
      const restMs = Math.min(longestRestMs, restFactor * (nowMs - startMs));
      queue.done(key, restMs > 0 ? nowMs + restMs : undefined);
    } catch (error) {
      retry(lane, key, error);
      queue.done(key);
    }
    turn();
    settle();
  };
  const retry = ({ queue, log }: Lane, key: string, error: unknown): void => {
    const backOffMs = queue.failed(key);
    const failures = queue.failures(key);
    const isConflict = isStatus(error, "Conflict");
    if (isConflict && failures <= conflictsAtOnce) {
      queue.add(key);
      return;
    }
    const delayMs = isConflict ? Math.min(backOffMs / 2 ** conflictsAtOnce, longestConflictMs) : backOffMs;
    queue.addAt(key, clock.now() + delayMs);
    if (isConflict && failures < notableConflicts) return;
    if (isStatus(error))
      log.warn("reconciliation refused, will be retried", { key, reason: error.reason, refusal: error.message, delayMs });
    else log.error("reconciliation failed, will be retried", error, { key, delayMs });
  };

  return {
    start() {
      if (running) return;
      running = true;
      unsubscribe = view.onChange(onChange);
      for (const lane of lanes) keep(() => addAll(lane.queue, lane.controller.allKeys(view)), lane);
      turn();
    },
    async stop() {
      running = false;
      unsubscribe();
      setTimer();
      if (!isQuiet()) await new Promise<void>((resolve) => waiters.push(resolve));
    },
    look(controllerName, key) {
      for (const { controller, queue } of lanes) if (controller.name === controllerName) queue.add(key);
      turn();
    },
    hold(on) {
      held = on;
      setTimer();
      turn();
    },
    hasDue: () => lanes.some(({ queue }) => queue.taken > 0 || queue.hasDue(clock.now())),
    async idle() {
      await nextTurn();
      if (isQuiet()) return;
      turn();
      await new Promise<void>((resolve) => waiters.push(resolve));
    },
    nextDue,
    get atRest() {
      return isQuiet() && nextDue() === undefined;
    },
  };
}

function addAll(queue: WorkQueue, keys: Iterable<string>): void {
  for (const key of keys) queue.add(key);
}
