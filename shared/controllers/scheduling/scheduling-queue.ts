import type { FilterPlugin } from "../../scheduler/failure.ts";
import type { PendingPod } from "../../scheduler/pod-info.ts";
import { createHeap } from "../heap.ts";

/** Waits after the first and every further failed attempt (`podInitialBackoffSeconds`, `podMaxBackoffSeconds`). */
export const podBackOff = { firstMs: 1_000, longestMs: 10_000 } as const;
/** After so long an unschedulable pod is tried again whatever happened (`podMaxInUnschedulablePodsDuration`). */
const unschedulableMs = 300_000;

/** Attempts that may be repeated without a wait because the pod changed under them. */
const changesAtOnce = 3;

/** What may have become possible: for pods that these filters refused, or for all of them. */
export type Hint = ReadonlySet<FilterPlugin> | "any";

/**
 * Pods that wait for a node, as kube-scheduler's queue keeps them: ready to be tried by priority, then by age; backing off after a failure;
 * or unschedulable until something happens that may help. A pod that was taken is out until `done`, `fail` or `retry`.
 * Times are milliseconds since 1970.
 */
export interface SchedulingQueue {
  /**
   * A pod that is not known is ready from `readyMs` on (at once); of a known one the state is replaced, and one that changed in what counts is
   * tried again.
   */
  put(pod: PendingPod, nowMs: number, readyMs?: number): void;
  remove(uid: string): void;
  /** The pod was refused everywhere when it was tried last, and is not being tried again. */
  isRefused(uid: string): boolean;
  /** The first `count` ready pods. */
  take(count: number, nowMs: number): PendingPod[];
  /** Gives a pod back that was not looked at. */
  untake(uid: string): void;
  done(uid: string): void;
  /** No node will do: the pod waits for a hint about one of `plugins`; none at all means any hint. */
  fail(uid: string, plugins: ReadonlySet<FilterPlugin>, nowMs: number): void;
  /** Something else went wrong: the pod is tried again after its back-off. */
  retry(uid: string, nowMs: number): void;
  /** The pod changed meanwhile: it is tried again at once, unless that happens over and over. */
  retryChanged(uid: string, nowMs: number): void;
  hint(hint: Hint, nowMs: number): void;
  readonly readyCount: number;
  /** When the next waiting pod becomes ready by itself. */
  nextDue(): number | undefined;
}

interface Entry {
  pod: PendingPod;
  state: "ready" | "out" | "backing-off" | "unschedulable";
  attempts: number;
  readonly sequence: number;
  readonly createdMs: number;
  /** Since when the pod waits. */
  sinceMs: number;
  /** When it becomes ready by itself, while it backs off or is unschedulable. */
  dueMs: number;
  plugins: ReadonlySet<FilterPlugin>;
  /** Changed while it was out in a way that deserves another attempt. */
  isChanged: boolean;
}

export function createSchedulingQueue(): SchedulingQueue {
  const entries = new Map<string, Entry>();
  const ready = createHeap<Entry>(isBefore);
  const unschedulable = new Set<Entry>();
  const waiting = createHeap<{ readonly entry: Entry; readonly dueMs: number }>((a, b) => a.dueMs < b.dueMs);
  let sequence = 0;
  let readyCount = 0;

  const makeReady = (entry: Entry): void => {
    unschedulable.delete(entry);
    entry.state = "ready";
    readyCount++;
    ready.push(entry);
  };
  const wait = (entry: Entry, state: "backing-off" | "unschedulable", dueMs: number): void => {
    entry.state = state;
    entry.dueMs = dueMs;
    if (state === "unschedulable") unschedulable.add(entry);
    else unschedulable.delete(entry);
    waiting.push({ entry, dueMs });
  };
  const isWaiting = ({ entry, dueMs }: { readonly entry: Entry; readonly dueMs: number }): boolean =>
    (entry.state === "backing-off" || entry.state === "unschedulable") && entry.dueMs === dueMs && entries.get(entry.pod.uid) === entry;
  const firstWaiting = (): { readonly entry: Entry; readonly dueMs: number } | undefined => {
    for (let first = waiting.first(); first !== undefined; first = waiting.first()) {
      if (isWaiting(first)) return first;
      waiting.pop();
    }
    return undefined;
  };
  const promote = (nowMs: number): void => {
    for (let first = firstWaiting(); first !== undefined && first.dueMs <= nowMs; first = firstWaiting()) {
      waiting.pop();
      makeReady(first.entry);
    }
  };
  const backOffUntil = ({ attempts, sinceMs }: Entry): number =>
    sinceMs + (attempts === 0 ? 0 : Math.min(podBackOff.firstMs * 2 ** (attempts - 1), podBackOff.longestMs));
  /** Ready, but not before the back-off has passed. */
  const readyAfterBackOff = (entry: Entry, nowMs: number): void => {
    const dueMs = backOffUntil(entry);
    if (dueMs > nowMs) wait(entry, "backing-off", dueMs);
    else makeReady(entry);
  };
  const back = (uid: string, nowMs: number): Entry | undefined => {
    const entry = entries.get(uid);
    if (entry?.state !== "out") return undefined;
    entry.sinceMs = nowMs;
    return entry;
  };

  return {
    isRefused(uid) {
      const state = entries.get(uid)?.state;
      return state === "backing-off" || state === "unschedulable";
    },
    put(pod, nowMs, readyMs = nowMs) {
      const entry = entries.get(pod.uid);
      if (entry === undefined) {
        const fresh: Entry = {
          pod,
          state: "ready",
          attempts: 0,
          sequence: ++sequence,
          createdMs: Date.parse(pod.pod.metadata.creationTimestamp ?? "") || 0,
          sinceMs: nowMs,
          dueMs: 0,
          plugins: new Set(),
          isChanged: false,
        };
        entries.set(pod.uid, fresh);
        if (readyMs > nowMs) wait(fresh, "backing-off", readyMs);
        else makeReady(fresh);
        return;
      }
      const isChanged = entry.pod.shape !== pod.shape;
      entry.pod = pod;
      if (!isChanged) return;
      if (entry.state === "out") entry.isChanged = true;
      else if (entry.state === "unschedulable") readyAfterBackOff(entry, nowMs);
    },
    remove(uid) {
      const entry = entries.get(uid);
      if (entry === undefined) return;
      if (entry.state === "ready") readyCount--;
      unschedulable.delete(entry);
      entries.delete(uid);
    },
    take(count, nowMs) {
      promote(nowMs);
      const pods: PendingPod[] = [];
      while (pods.length < count) {
        const entry = ready.pop();
        if (entry === undefined) break;
        if (entry.state !== "ready" || entries.get(entry.pod.uid) !== entry) continue;
        entry.state = "out";
        entry.attempts++;
        entry.isChanged = false;
        readyCount--;
        pods.push(entry.pod);
      }
      return pods;
    },
    untake(uid) {
      const entry = entries.get(uid);
      if (entry?.state !== "out") return;
      entry.attempts--;
      makeReady(entry);
    },
    done: (uid) => void entries.delete(uid),
    fail(uid, plugins, nowMs) {
      const entry = back(uid, nowMs);
      if (entry === undefined) return;
      entry.plugins = plugins;
      if (entry.isChanged) readyAfterBackOff(entry, nowMs);
      else wait(entry, "unschedulable", nowMs + unschedulableMs);
    },
    retry(uid, nowMs) {
      const entry = back(uid, nowMs);
      if (entry !== undefined) readyAfterBackOff(entry, nowMs);
    },
    retryChanged(uid, nowMs) {
      const entry = back(uid, nowMs);
      if (entry === undefined) return;
      if (entry.attempts <= changesAtOnce) makeReady(entry);
      else readyAfterBackOff(entry, nowMs);
    },
    hint(hint, nowMs) {
      for (const entry of unschedulable) {
        const mayHelp = hint === "any" || entry.plugins.size === 0 || !entry.plugins.isDisjointFrom(hint);
        if (mayHelp) readyAfterBackOff(entry, nowMs);
      }
    },
    get readyCount() {
      return readyCount;
    },
    nextDue: () => firstWaiting()?.dueMs,
  };
}

/** PrioritySort, then by creation where pods came at the same time. */
function isBefore(a: Entry, b: Entry): boolean {
  if (a.pod.priority !== b.pod.priority) return a.pod.priority > b.pod.priority;
  if (a.sinceMs !== b.sinceMs) return a.sinceMs < b.sinceMs;
  return a.createdMs === b.createdMs ? a.sequence < b.sequence : a.createdMs < b.createdMs;
}
