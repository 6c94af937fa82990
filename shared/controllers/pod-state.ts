import type { Pod, PodCondition } from "../kubernetes/types.ts";
import { parseTime } from "./timestamp.ts";

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

/** Succeeded or Failed: it will never run again. */
export function isPodTerminal(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** Neither ended nor being deleted (`controller.IsPodActive`). */
export function isPodActive(pod: Pod): boolean {
  return !isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, "Ready")?.status === "True";
}

/**
 * When the pod will have been ready for `minReadySeconds`, in milliseconds since 1970; undefined while it is not ready.
 * It is available from then on (`podutil.IsPodAvailable`).
 */
export function availableFrom(pod: Pod, minReadySeconds: number): number | undefined {
  const ready = podCondition(pod, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds <= 0) return 0;
  const since = parseTime(ready.lastTransitionTime);
  return since === undefined ? undefined : since + minReadySeconds * 1000;
}

export function isPodAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const fromMs = availableFrom(pod, minReadySeconds);
  return fromMs !== undefined && fromMs <= nowMs;
}

/** In how many milliseconds the next ready pod will have been ready for long enough; undefined when none waits for that. */
export function nextAvailability(pods: readonly Pod[], minReadySeconds: number, nowMs: number): number | undefined {
  const waits = pods
    .map((pod) => availableFrom(pod, minReadySeconds))
    .filter((fromMs) => fromMs !== undefined && fromMs > nowMs)
    .map((fromMs = nowMs) => fromMs - nowMs);
  return waits.length === 0 ? undefined : waits.reduce((low, wait) => Math.min(low, wait));
}
