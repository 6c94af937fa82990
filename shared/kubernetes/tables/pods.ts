import type { ContainerState, ContainerStatus, Pod, PodTemplate } from "../types.ts";
import { age, containerCells, formatLabels, type Printer, since } from "./format.ts";

/** `kubectl get pods`. The rules are those of `printPod` in Kubernetes' `pkg/printers/internalversion/printers.go`. */
export const podCells: Printer = (object, nowMs) => {
  const pod = object as Pod;
  const { ready, total, reason, restarts, lastRestart } = summary(pod);
  const restarted = restarts !== 0 && lastRestart !== "" ? `${restarts} (${since(lastRestart, nowMs)} ago)` : `${restarts}`;
  const address = pod.status?.podIPs?.[0]?.ip || "<none>";
  return [
    pod.metadata.name,
    `${ready}/${total}`,
    reason,
    restarted,
    age(pod, nowMs),
    address,
    pod.spec?.nodeName || "<none>",
    pod.status?.nominatedNodeName || "<none>",
    readinessGates(pod),
  ];
};

export const podTemplateCells: Printer = (object) => {
  const { metadata, template } = object as PodTemplate;
  return [metadata.name, ...containerCells(template?.spec?.containers), formatLabels(template?.metadata?.labels)];
};

interface Summary {
  ready: number;
  readonly total: number;
  reason: string;
  restarts: number;
  /** RFC 3339; empty when no container was restarted. */
  lastRestart: string;
}

function summary(pod: Pod): Summary {
  const sidecars = new Set(
    (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always").map(({ name }) => name),
  );
  const counted: Summary = {
    ready: 0,
    total: (pod.spec?.containers ?? []).length + sidecars.size,
    reason: phaseReason(pod),
    restarts: 0,
    lastRestart: "",
  };
  const sidecarRestarts = { restarts: 0, lastRestart: "" };
  const initializing = countInitContainers(pod, sidecars, counted, sidecarRestarts);
  if (!initializing || hasTrueCondition(pod, "Initialized")) {
    Object.assign(counted, sidecarRestarts);
    countContainers(pod, counted);
  }
  if (pod.metadata.deletionTimestamp) {
    if (pod.status?.reason === "NodeLost") counted.reason = "Unknown";
    else if (pod.status?.phase !== "Succeeded" && pod.status?.phase !== "Failed") counted.reason = "Terminating";
  }
  return counted;
}

function phaseReason({ status }: Pod): string {
  const gated = status?.conditions?.some(({ type, reason }) => type === "PodScheduled" && reason === "SchedulingGated");
  return gated ? "SchedulingGated" : status?.reason || status?.phase || "";
}

/** Counts up to the first init container that is not done, and says whether there is one. */
function countInitContainers(
  pod: Pod,
  sidecars: ReadonlySet<string>,
  counted: Summary,
  sidecarRestarts: Pick<Summary, "restarts" | "lastRestart">,
): boolean {
  for (const [position, container] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const { state, name, started, ready } = container;
    countRestarts(container, counted);
    if (sidecars.has(name)) countRestarts(container, sidecarRestarts);
    if (state?.terminated && (state.terminated.exitCode ?? 0) === 0) continue;
    if (sidecars.has(name) && started) {
      if (ready) counted.ready++;
      continue;
    }
    counted.reason = `Init:${initReason(state) ?? `${position}/${pod.spec?.initContainers?.length ?? 0}`}`;
    return true;
  }
  return false;
}

function initReason(state: ContainerState | undefined): string | undefined {
  if (state?.terminated) return terminatedReason(state);
  const waiting = state?.waiting?.reason;
  return waiting && waiting !== "PodInitializing" ? waiting : undefined;
}

function countContainers(pod: Pod, counted: Summary): void {
  let running = false;
  for (const container of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    countRestarts(container, counted);
    const { state, ready } = container;
    if (state?.waiting?.reason) counted.reason = state.waiting.reason;
    else if (state?.terminated) counted.reason = terminatedReason(state);
    else if (ready && state?.running) {
      running = true;
      counted.ready++;
    }
  }
  if (counted.reason === "Completed" && running) counted.reason = hasTrueCondition(pod, "Ready") ? "Running" : "NotReady";
}

function countRestarts({ restartCount, lastState }: ContainerStatus, counted: Pick<Summary, "restarts" | "lastRestart">): void {
  counted.restarts += restartCount ?? 0;
  const finishedAt = lastState?.terminated?.finishedAt ?? "";
  if (finishedAt > counted.lastRestart) counted.lastRestart = finishedAt;
}

function terminatedReason({ terminated }: ContainerState): string {
  if (terminated?.reason) return terminated.reason;
  return terminated?.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated?.exitCode ?? 0}`;
}

function hasTrueCondition({ status }: Pod, type: string): boolean {
  return status?.conditions?.find((condition) => condition.type === type)?.status === "True";
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return "<none>";
  return `${gates.filter(({ conditionType }) => hasTrueCondition(pod, conditionType)).length}/${gates.length}`;
}
