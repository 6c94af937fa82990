import type { ContainerStateReport, ContainerStatusReport } from "../../shared/api/agent/pod-status-report.ts";
import type { Container } from "../../shared/kubernetes/types.ts";
import type { ContainerList } from "../event-recorder.ts";
import type { RuntimeContainer } from "../runtime.ts";
import { type Decision, isSidecar, type PodInput } from "./decide.ts";
import type { ContainerMemory } from "./memory.ts";
import { actualOf } from "./resize.ts";

export interface ContainerContext {
  readonly input: PodInput;
  readonly decision: Decision;
  /** The scheme of container ids: `containerd`, `process`, `hollow`. */
  readonly runtimeKind: string;
  readonly list: ContainerList;
}

const statusLists = {
  containers: "containerStatuses",
  initContainers: "initContainerStatuses",
  ephemeralContainers: "ephemeralContainerStatuses",
} as const;

export const isoSeconds = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 19)}Z`;

/** One entry of `containerStatuses` or `initContainerStatuses`, as kubelet's `convertToAPIContainerStatuses` writes it. */
export function containerStatus(container: Container, context: ContainerContext): ContainerStatusReport {
  const { input, decision, runtimeKind } = context;
  const { observed, memory, previous } = input;
  const { name } = container;
  const old = previous?.[statusLists[context.list]]?.find((status) => status.name === name);
  const latest = observed.latest.get(name);
  const remembered = memory.containers.get(name);
  const held = decision.held.get(name);
  if (latest === undefined) return neverSeen(container, context, old, held);

  const formerState = observed.former.get(name);
  const lastState = formerState === undefined ? old?.lastState : { terminated: terminated(formerState, remembered, runtimeKind) };
  const common = {
    name,
    restartCount: latest.attempt,
    image: latest.image === "" ? (container.image ?? "") : latest.image,
    imageID: latest.imageId,
    containerID: `${runtimeKind}://${latest.id}`,
    ...(lastState === undefined ? {} : { lastState }),
    resources: resourcesOf(container, latest, remembered, old),
  };
  if (context.list === "ephemeralContainers") return { ...common, state: onceState(latest, remembered, context), ready: false };
  switch (latest.state.kind) {
    case "created":
      return { ...common, state: { waiting: { reason: waitingReason(context) } }, ready: false, started: false };
    case "running": {
      if (remembered?.startedId !== latest.id && previouslyRunning(old, common.containerID) === false) {
        return { ...common, state: { waiting: { reason: waitingReason(context) } }, ready: false, started: false };
      }
      const probes = remembered?.probes?.containerId === latest.id ? remembered.probes : undefined;
      const started = probes?.started ?? (container.startupProbe === undefined || old?.started === true);
      const ready = started && (probes?.ready ?? (container.readinessProbe === undefined || old?.ready === true));
      const counts = context.list === "containers" || isSidecar(container);
      return { ...common, state: { running: { startedAt: isoSeconds(latest.state.startedAtMs) } }, ready: counts && ready, started };
    }
    case "exited": {
      const end = terminated(latest, remembered, runtimeKind);
      const ready = context.list === "initContainers" && !isSidecar(container) && end.exitCode === 0;
      if (held === undefined) return { ...common, state: { terminated: end }, ready, started: false };
      return { ...common, state: { waiting: { ...held } }, lastState: { terminated: end }, ready: false, started: false };
    }
  }
}

/** Whether the API already shows this very container as running: then a restarted agent does not take that back. */
function previouslyRunning(old: ContainerStatusReport | undefined, containerID: string): boolean {
  return old?.containerID === containerID && old.state?.running !== undefined;
}

function neverSeen(
  container: Container,
  context: ContainerContext,
  old: ContainerStatusReport | undefined,
  held: { reason: string; message: string } | undefined,
): ContainerStatusReport {
  if (old?.state?.terminated !== undefined && (context.decision.finished || held === undefined)) return { ...old, ready: old.ready };
  const lost: ContainerStateReport = {
    terminated: {
      exitCode: 137,
      reason: "ContainerStatusUnknown",
      message: "The container could not be located when the pod was terminated",
    },
  };
  const gone = context.decision.finished && old?.containerID !== undefined;
  const waiting = held ?? { reason: waitingReason(context) };
  return {
    name: container.name,
    state: gone ? lost : { waiting: { ...waiting } },
    ...(old?.lastState === undefined ? {} : { lastState: old.lastState }),
    ready: false,
    restartCount: old?.restartCount ?? 0,
    image: container.image ?? "",
    imageID: old?.imageID ?? "",
    ...(gone && old?.containerID !== undefined ? { containerID: old.containerID } : {}),
    started: false,
  };
}

/** Of a container that is neither probed nor started again. */
function onceState(latest: RuntimeContainer, memory: ContainerMemory | undefined, context: ContainerContext): ContainerStateReport {
  if (latest.state.kind === "exited") return { terminated: terminated(latest, memory, context.runtimeKind) };
  if (latest.state.kind === "running") return { running: { startedAt: isoSeconds(latest.state.startedAtMs) } };
  return { waiting: { reason: waitingReason(context) } };
}

/** What a running container has; of others, what they have been granted (kubelet `convertContainerStatusResources`). */
function resourcesOf(
  container: Container,
  latest: RuntimeContainer,
  memory: ContainerMemory | undefined,
  old: ContainerStatusReport | undefined,
): NonNullable<ContainerStatusReport["resources"]> {
  const { requests, limits } = (latest.state.kind === "running" ? actualOf(memory, latest.id) : undefined) ?? container.resources ?? {};
  const unknown = latest.state.kind === "running" && actualOf(memory, latest.id) === undefined;
  if (unknown && old?.resources !== undefined && old.containerID?.endsWith(`//${latest.id}`)) return old.resources;
  return { ...(requests && { requests }), ...(limits && { limits }) };
}

function waitingReason({ input }: ContainerContext): string {
  return (input.pod.spec?.initContainers?.length ?? 0) > 0 ? "PodInitializing" : "ContainerCreating";
}

function terminated(
  container: RuntimeContainer,
  memory: ContainerMemory | undefined,
  runtimeKind: string,
): NonNullable<ContainerStateReport["terminated"]> {
  if (container.state.kind !== "exited") throw new TypeError(`container ${container.id} has not ended`);
  const { exitCode, signal, reason, startedAtMs, finishedAtMs } = container.state;
  const message = memory?.messages.get(container.id);
  return {
    exitCode,
    ...(signal === 0 ? {} : { signal }),
    reason,
    ...(message === undefined || message === "" ? {} : { message }),
    startedAt: isoSeconds(startedAtMs),
    finishedAt: isoSeconds(finishedAtMs),
    containerID: `${runtimeKind}://${container.id}`,
  };
}
