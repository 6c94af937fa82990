import type { PodStatusReport } from "../../shared/api/agent/pod-status-report.ts";
import type { Container, EphemeralContainer, Pod } from "../../shared/kubernetes/types.ts";
import type { RuntimeContainer } from "../runtime.ts";
import { goSeconds, heldUntil } from "./back-off.ts";
import type { ContainerMemory, PodMemory } from "./memory.ts";
import type { ObservedPod } from "./observed.ts";
import { actualOf, restartsFor, sameResources } from "./resize.ts";

export interface PodInput {
  readonly pod: Pod;
  /** The pod is gone from the API, or its cluster from the pool. */
  readonly removed: boolean;
  /** The status last reported, or the API's after a restart of the agent. */
  readonly previous: PodStatusReport | undefined;
  readonly observed: ObservedPod;
  readonly memory: PodMemory;
  readonly nowMs: number;
}

/** What to do next. Each is done at most once at a time: `actionKey` of what is under way stands in `memory.inFlight`. */
export type Action =
  | { readonly kind: "mountVolumes" }
  | { readonly kind: "runSandbox"; readonly attempt: number }
  | { readonly kind: "stopSandbox"; readonly sandboxId: string }
  | { readonly kind: "startContainer"; readonly container: Container; readonly attempt: number; readonly sandboxId: string }
  /** A container that runs although the agent restarted in its start: its hook and probes are taken up. */
  | { readonly kind: "adoptContainer"; readonly container: Container; readonly containerId: string }
  | {
      readonly kind: "stopContainer";
      readonly container: Container | undefined;
      readonly containerId: string;
      readonly name: string;
      readonly deadlineMs: number;
      readonly message: string;
      /** It is to start again, whatever its pod's policy. */
      readonly forResize?: boolean;
    }
  | { readonly kind: "resizeContainer"; readonly container: Container; readonly containerId: string }
  /** Everything has ended: sandboxes, volumes and directories go. */
  | { readonly kind: "cleanUp" };

export interface Decision {
  readonly actions: readonly Action[];
  /** Look again at this time even if nothing happens. */
  readonly wakeAtMs: number | undefined;
  /** Containers held back, and what their status shows for it. */
  readonly held: ReadonlyMap<string, { readonly reason: string; readonly message: string }>;
  /** No container runs and none will: the phase is final. */
  readonly finished: boolean;
}

export function actionKey(action: Action): string {
  switch (action.kind) {
    case "startContainer":
    case "adoptContainer":
      return `start:${action.container.name}`;
    case "stopContainer":
      return `stop:${action.containerId}:${action.deadlineMs}`;
    case "resizeContainer":
      return `resize:${action.containerId}`;
    case "stopSandbox":
      return `stopSandbox:${action.sandboxId}`;
    default:
      return action.kind;
  }
}

export const isSidecar = (container: Container): boolean => container.restartPolicy === "Always";

/**
 * One step of a pod's life, as kubelet's `computePodActions` decides it: level-triggered, from what is wanted, what runs and what is
 * remembered; nothing else. Repeating it without a change of its input answers the same.
 */
export function decide(input: PodInput): Decision {
  const plan = new Plan(input);
  if (input.memory.rejected !== undefined) {
    if (input.removed || input.pod.metadata.deletionTimestamp !== undefined) plan.add({ kind: "cleanUp" });
    return plan.decision(true);
  }
  const terminating = input.removed || input.pod.metadata.deletionTimestamp !== undefined;
  const ended = input.previous?.phase === "Succeeded" || input.previous?.phase === "Failed";
  if (terminating || ended || evictionOf(input) !== undefined) return terminate(input, plan, terminating);
  return keepRunning(input, plan);
}

/** Why the node ends the pod on its own account: `activeDeadlineSeconds` counts from the start time. */
export function evictionOf({ pod, memory, nowMs }: PodInput): { reason: string; message: string } | undefined {
  const active = pod.spec?.activeDeadlineSeconds;
  if (memory.evicted !== undefined) return memory.evicted;
  if (active === undefined || nowMs < memory.startTimeMs + active * 1000) return undefined;
  return { reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" };
}

class Plan {
  readonly input: PodInput;
  readonly actions: Action[] = [];
  readonly held = new Map<string, { reason: string; message: string }>();
  wakeAtMs: number | undefined;

  constructor(input: PodInput) {
    this.input = input;
  }

  add(action: Action): void {
    const { inFlight } = this.input.memory;
    if (inFlight.has(actionKey(action))) return;
    if (action.kind === "stopContainer" && stopsInTime(inFlight, action.containerId, action.deadlineMs)) return;
    this.actions.push(action);
  }

  wake(atMs: number): void {
    this.wakeAtMs = this.wakeAtMs === undefined ? atMs : Math.min(this.wakeAtMs, atMs);
  }

  decision(finished: boolean): Decision {
    return { actions: this.actions, wakeAtMs: this.wakeAtMs, held: this.held, finished };
  }
}

/** Whether a stop under way ends the container by then; only an earlier deadline needs another. */
function stopsInTime(inFlight: ReadonlySet<string>, containerId: string, deadlineMs: number): boolean {
  const prefix = `stop:${containerId}:`;
  for (const key of inFlight) if (key.startsWith(prefix) && Number(key.slice(prefix.length)) <= deadlineMs) return true;
  return false;
}

/** Regular containers first; sidecars after them, one by one in reverse order (KEP-753); then the sandbox. */
function terminate({ pod, observed, memory, nowMs }: PodInput, plan: Plan, release: boolean): Decision {
  const deadlineMs = memory.stopDeadlineMs ?? nowMs + (pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000;
  const specs = new Map(
    [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map((container) => [container.name, container]),
  );
  const sidecars = (pod.spec?.initContainers ?? []).filter(isSidecar).map(({ name }) => name);
  const first = observed.running.filter(({ container }) => !sidecars.includes(container.name));
  const stop = (container: RuntimeContainer): void =>
    plan.add({
      kind: "stopContainer",
      container: specs.get(container.name),
      containerId: container.id,
      name: container.name,
      deadlineMs,
      message: `Stopping container ${container.name}`,
    });
  for (const { container } of first) stop(container);
  if (first.length === 0) {
    const last = observed.running.toSorted((a, b) => sidecars.indexOf(b.container.name) - sidecars.indexOf(a.container.name))[0];
    if (last !== undefined) stop(last.container);
  }
  const starting = [...memory.inFlight].some((key) => key.startsWith("start:") || key === "runSandbox" || key === "mountVolumes");
  if (observed.running.length > 0 || starting) return plan.decision(false);
  for (const { sandbox } of observed.sandboxes) if (sandbox.ready) plan.add({ kind: "stopSandbox", sandboxId: sandbox.id });
  if (release && observed.sandboxes.every(({ sandbox }) => !sandbox.ready)) plan.add({ kind: "cleanUp" });
  return plan.decision(true);
}

function keepRunning(input: PodInput, plan: Plan): Decision {
  const { pod, observed, memory, nowMs } = input;
  const active = pod.spec?.activeDeadlineSeconds;
  if (active !== undefined) plan.wake(memory.startTimeMs + active * 1000);
  if (isDone(input)) return terminate(input, plan, false);
  if (memory.volumes.kind !== "mounted") {
    if (memory.volumes.retryAtMs <= nowMs) plan.add({ kind: "mountVolumes" });
    else plan.wake(memory.volumes.retryAtMs);
    return plan.decision(false);
  }
  if (observed.ready === undefined) {
    for (const { container } of observed.running) {
      plan.add({
        kind: "stopContainer",
        container: undefined,
        containerId: container.id,
        name: container.name,
        deadlineMs: nowMs,
        message: `Pod sandbox changed, container ${container.name} will be killed and re-created`,
      });
    }
    if (observed.running.length > 0) return plan.decision(false);
    if (memory.sandboxRetryAtMs > nowMs) plan.wake(memory.sandboxRetryAtMs);
    else plan.add({ kind: "runSandbox", attempt: (observed.sandboxes[0]?.attempt ?? -1) + 1 });
    return plan.decision(false);
  }
  const sandboxId = observed.ready.sandbox.id;
  for (const container of pod.spec?.ephemeralContainers ?? []) startOnce(input, plan, container, sandboxId);
  if (initialize(input, plan, sandboxId)) {
    for (const container of pod.spec?.containers ?? []) keepContainer(input, plan, container, sandboxId, restartsAfter(pod));
  }
  return plan.decision(false);
}

/** Every regular container has ended and none will be started again, or initialization failed for good. */
function isDone({ pod, observed, memory }: PodInput): boolean {
  const policy = pod.spec?.restartPolicy ?? "Always";
  if (policy === "Always") return false;
  const containers = pod.spec?.containers ?? [];
  const regular = (pod.spec?.initContainers ?? []).filter((container) => !isSidecar(container));
  if (policy === "Never" && regular.some(({ name }) => exitCodeOf(observed.latest.get(name)) ?? 0)) return true;
  return containers.every(({ name }) => {
    const latest = observed.latest.get(name);
    const code = exitCodeOf(latest);
    if (latest !== undefined && memory.containers.get(name)?.restartOf === latest.id) return false;
    return code !== undefined && (policy === "Never" || code === 0);
  });
}

/** True when the regular containers may run. Starts what comes next and keeps sidecars alive. */
function initialize(input: PodInput, plan: Plan, sandboxId: string): boolean {
  const { pod, observed, memory } = input;
  const inits = pod.spec?.initContainers ?? [];
  const anyStarted = (pod.spec?.containers ?? []).some(({ name }) => observed.current.has(name));
  let initialized = true;
  for (const container of inits) {
    if (isSidecar(container)) {
      if (!initialized) break;
      keepContainer(input, plan, container, sandboxId, () => true);
      if (!anyStarted && !isStarted(observed.current.get(container.name), memory.containers.get(container.name))) initialized = false;
      continue;
    }
    if (anyStarted) continue;
    if (!initialized) break;
    if (exitCodeOf(observed.current.get(container.name)) === 0) continue;
    initialized = false;
    keepContainer(input, plan, container, sandboxId, (code) => code !== 0 && pod.spec?.restartPolicy !== "Never", true);
  }
  return initialized;
}

function isStarted(container: RuntimeContainer | undefined, memory: ContainerMemory | undefined): boolean {
  if (container?.state.kind !== "running" || memory?.startedId !== container.id) return false;
  return memory.probes?.containerId !== container.id || memory.probes.started;
}

function restartsAfter(pod: Pod): (exitCode: number) => boolean {
  const policy = pod.spec?.restartPolicy ?? "Always";
  return (code) => policy === "Always" || (policy === "OnFailure" && code !== 0);
}

function keepContainer(
  { pod, observed, memory, previous, nowMs }: PodInput,
  plan: Plan,
  container: Container,
  sandboxId: string,
  restarts: (exitCode: number) => boolean,
  /** An init container runs once in each sandbox: how it ended in an earlier one does not count. */
  once = false,
): void {
  const { name } = container;
  const latest = observed.latest.get(name);
  const inSandbox = observed.current.get(name);
  const remembered = memory.containers.get(name);
  if (inSandbox?.state.kind === "running") {
    if (remembered?.startedId !== inSandbox.id) plan.add({ kind: "adoptContainer", container, containerId: inSandbox.id });
    const failed = remembered?.probes?.containerId === inSandbox.id ? remembered.probes.failed : undefined;
    if (failed !== undefined) {
      const graceSeconds = failed.graceSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
      plan.add({
        kind: "stopContainer",
        container,
        containerId: inSandbox.id,
        name,
        deadlineMs: nowMs + graceSeconds * 1000,
        message: `Container ${name} failed ${failed.probe} probe, will be restarted`,
      });
    } else keepResources({ pod, memory, nowMs }, plan, container, inSandbox.id);
    return;
  }
  const ended = once ? inSandbox : latest;
  const exited = ended?.state.kind === "exited" ? ended.state : undefined;
  const forResize = ended !== undefined && remembered?.restartOf === ended.id;
  if (exited !== undefined && !forResize && !restarts(exited.exitCode)) return;
  const failure = remembered?.failure;
  if (failure !== undefined) plan.held.set(name, shownFailure(failure, container, plan, nowMs));
  if (failure !== undefined && failure.retryAtMs > nowMs) {
    plan.wake(failure.retryAtMs);
    return;
  }
  if (exited !== undefined && inSandbox !== undefined && !forResize) {
    const untilMs = heldUntil(remembered?.crash, exited.finishedAtMs, nowMs);
    if (untilMs !== undefined) {
      plan.held.set(name, {
        reason: "CrashLoopBackOff",
        message: `back-off ${goSeconds(remembered?.crash?.delayMs ?? 0)} restarting failed container=${name} pod=${podFullName(pod)}`,
      });
      plan.wake(untilMs);
      return;
    }
  }
  const known = previous?.containerStatuses.concat(previous.initContainerStatuses).find((status) => status.name === name);
  const before = latest?.attempt ?? (known?.containerID === undefined ? undefined : known.restartCount);
  plan.add({ kind: "startContainer", container, attempt: before === undefined ? 0 : before + 1, sandboxId });
}

/** Gives a container what it has been granted since it started, if it wants by starting anew (KEP-1287). */
function keepResources(
  { pod, memory, nowMs }: Pick<PodInput, "pod" | "memory" | "nowMs">,
  plan: Plan,
  container: Container,
  containerId: string,
): void {
  const { name } = container;
  const remembered = memory.containers.get(name);
  const actual = actualOf(remembered, containerId);
  if (actual === undefined || sameResources(actual, container.resources)) return;
  if (!restartsFor(container, actual)) {
    const retryAtMs = remembered?.resizeFailure?.retryAtMs ?? 0;
    if (retryAtMs > nowMs) plan.wake(retryAtMs);
    else plan.add({ kind: "resizeContainer", container, containerId });
    return;
  }
  plan.add({
    ...{ kind: "stopContainer", container, containerId, name, forResize: true },
    deadlineMs: nowMs + (pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000,
    message: `Container ${name} resize requires restart`,
  });
}

/** Ephemeral containers run as soon as there is a sandbox, and are never started again (KEP-277). */
function startOnce({ observed, memory, previous, nowMs }: PodInput, plan: Plan, container: EphemeralContainer, sandboxId: string): void {
  const { name } = container;
  const latest = observed.latest.get(name);
  const remembered = memory.containers.get(name);
  if (latest?.state.kind === "running" && remembered?.startedId !== latest.id)
    plan.add({ kind: "adoptContainer", container, containerId: latest.id });
  const known = previous?.ephemeralContainerStatuses?.find((status) => status.name === name);
  if (latest !== undefined || known?.containerID !== undefined) return;
  const failure = remembered?.failure;
  if (failure !== undefined) plan.held.set(name, shownFailure(failure, container, plan, nowMs));
  if (failure !== undefined && failure.retryAtMs > nowMs) plan.wake(failure.retryAtMs);
  else plan.add({ kind: "startContainer", container, attempt: 0, sandboxId });
}

/** How long `ErrImagePull` shows before it reads `ImagePullBackOff`; kubelet shows it until its next look at the pod. */
const imageErrorShownMs = 2000;

function shownFailure(
  failure: NonNullable<ContainerMemory["failure"]>,
  { image }: Container,
  plan: Plan,
  nowMs: number,
): { reason: string; message: string } {
  if (failure.reason !== "ErrImagePull") return failure;
  const flipsAtMs = failure.atMs + imageErrorShownMs;
  if (nowMs >= flipsAtMs)
    return { reason: "ImagePullBackOff", message: `Back-off pulling image "${image}": ErrImagePull: ${failure.message}` };
  plan.wake(flipsAtMs);
  return failure;
}

export function exitCodeOf(container: RuntimeContainer | undefined): number | undefined {
  return container?.state.kind === "exited" ? container.state.exitCode : undefined;
}

/** `name_namespace(uid)`, kubelet's `format.Pod`. */
export function podFullName({ metadata }: Pod): string {
  return `${metadata.name}_${metadata.namespace}(${metadata.uid})`;
}
