import type { ContainerStatusReport, PodStatusReport } from "../../shared/api/agent/pod-status-report.ts";
import type { Pod } from "../../shared/kubernetes/types.ts";
import { isSidecar } from "./decide.ts";

type Phase = PodStatusReport["phase"];

/**
 * The phase that container states add up to, as kubelet's `getPhase` counts them. `finished`: nothing runs and nothing will, so
 * that even a pod that always restarts has an end.
 */
export function phaseOf(pod: Pod, statuses: readonly ContainerStatusReport[], finished: boolean): Phase {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const policy = pod.spec?.restartPolicy ?? "Always";
  let pendingRegular = 0;
  let pendingSidecars = 0;
  let failedInitialization = 0;
  let unknown = 0;
  let running = 0;
  let waiting = 0;
  let stopped = 0;
  let succeeded = 0;

  for (const container of pod.spec?.initContainers ?? []) {
    const status = byName.get(container.name);
    const exitCode = (status?.state?.terminated ?? (status?.state?.waiting && status.lastState?.terminated))?.exitCode;
    if (isSidecar(container)) {
      if (status?.state?.running) {
        running++;
        if (status.started !== true) pendingSidecars++;
      } else if (exitCode === undefined) {
        pendingSidecars++;
        waiting++;
      }
    } else if (exitCode === undefined) pendingRegular++;
    else if (exitCode !== 0) failedInitialization++;
  }
  for (const { name } of pod.spec?.containers ?? []) {
    const status = byName.get(name);
    if (status?.state?.running) running++;
    else if (status?.state?.terminated) {
      stopped++;
      if (status.state.terminated.exitCode === 0) succeeded++;
    } else if (status?.state?.waiting) {
      if (status.lastState?.terminated) stopped++;
      else waiting++;
    } else unknown++;
  }

  const anyRegularStarted = (pod.spec?.containers ?? []).some(({ name }) => {
    const status = byName.get(name);
    return status?.state?.running !== undefined || status?.state?.terminated !== undefined || status?.lastState?.terminated !== undefined;
  });
  if (failedInitialization > 0 && policy === "Never") return "Failed";
  if (pendingRegular > 0 || (pendingSidecars > 0 && !anyRegularStarted) || waiting > 0) return "Pending";
  if (running > 0 && unknown === 0) return "Running";
  if (running > 0 || stopped === 0 || unknown > 0) return "Pending";
  if (finished) return stopped === succeeded ? "Succeeded" : "Failed";
  if (policy === "Always") return "Running";
  if (stopped === succeeded) return "Succeeded";
  return policy === "Never" ? "Failed" : "Running";
}
