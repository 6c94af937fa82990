import type { DaemonSetStatus } from "../../kubernetes/types.ts";
import { isPodReady } from "../pod-state.ts";
import { byAge, type DaemonState, isAvailable, isUpdated } from "./daemon-pods.ts";

/** The status that the pods call for (`updateDaemonSetStatus`); the oldest pod of a node counts. Zeros are left out where Kubernetes leaves them out. */
export function daemonStatus(state: DaemonState, collisionCount: number | undefined): DaemonSetStatus {
  const { conditions } = state.set.status ?? {};
  const { generation } = state.set.metadata;
  const count = { desired: 0, current: 0, misscheduled: 0, ready: 0, updated: 0, available: 0 };
  for (const [nodeName, placement] of state.placements) {
    const [pod] = [...(state.podsByNode.get(nodeName) ?? [])].sort(byAge);
    if (placement !== "run") {
      if (pod) count.misscheduled++;
      continue;
    }
    count.desired++;
    if (!pod) continue;
    count.current++;
    if (isPodReady(pod)) count.ready++;
    if (isAvailable(state, pod)) count.available++;
    if (isUpdated(state, pod)) count.updated++;
  }
  const unavailable = count.desired - count.available;
  return {
    currentNumberScheduled: count.current,
    numberMisscheduled: count.misscheduled,
    desiredNumberScheduled: count.desired,
    numberReady: count.ready,
    ...(generation !== undefined && { observedGeneration: generation }),
    ...(count.updated > 0 && { updatedNumberScheduled: count.updated }),
    ...(count.available > 0 && { numberAvailable: count.available }),
    ...(unavailable > 0 && { numberUnavailable: unavailable }),
    ...(collisionCount !== undefined && { collisionCount }),
    ...(conditions && { conditions }),
  };
}
