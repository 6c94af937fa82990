import { nodeOwnedPodConditions, type PodStatusReport, podStatusReport } from "../../shared/api/agent/pod-status-report.ts";
import { deepEqual } from "../../shared/kubernetes/deep-equal.ts";
import type { Container, Pod } from "../../shared/kubernetes/types.ts";
import type { AboutContainer, ContainerList } from "../event-recorder.ts";
import type { CheckTarget } from "../probes/check.ts";
import { type Prober, startProber } from "../probes/prober.ts";
import type { RuntimeContainer } from "../runtime.ts";
import { lengthened } from "./back-off.ts";
import { resourcesOf, sandboxSpec } from "./container-spec.ts";
import { type Action, actionKey, type Decision, decide, exitCodeOf, type PodInput, podFullName } from "./decide.ts";
import { runHook } from "./hooks.ts";
import { newPodMemory, type PodMemory, withContainer } from "./memory.ts";
import { type ObservedPod, observePod } from "./observed.ts";
import type { NodeContext } from "./pod-context.ts";
import { allocationOf, allocationOfStatus, refusalOf, withAllocation } from "./resize.ts";
import { type StartRequest, startContainer } from "./start-container.ts";
import { statusOf } from "./status.ts";

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

const sandboxRetryMs = 5000;
const volumeRetryMs = { first: 500, last: 122_000 };
/** kubelet never gives a container less than this to end after its hook. */
const minimumGraceSeconds = 2;
const unlimitedHookSeconds = 3600;
/** How soon a resize that could not be done, or not for now, is looked at again. */
const resizeRetryMs = 5000;

export function createPodWorker(options: PodWorkerOptions): PodWorker {
  const { cluster, node } = options;
  const { clock, events, runtime } = node;
  let pod = options.pod;
  let removed = false;
  let abandoned = false;
  let observed: ObservedPod | undefined;
  let finished = false;
  let previous = reportOf(pod);
  let reported = previous;
  let memory: PodMemory = {
    ...newPodMemory(pod.status?.startTime === undefined ? clock.now() : Date.parse(pod.status.startTime)),
    rejected: options.rejected,
    allocation: allocationOfStatus(pod),
  };
  const probers = new Map<string, Prober>();
  const hooksRun = new Set<string>();
  let stepping = false;
  let again = false;
  /** Grows with every act, so that what was seen before one is not decided upon after it. */
  let acts = 0;
  let cancelWake: (() => void) | undefined;
  let volumeDelayMs = volumeRetryMs.first;
  let refreshDueMs: number | undefined;
  const uid = pod.metadata.uid ?? "";

  const containerOf = (name: string): Container | undefined =>
    [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? []), ...(pod.spec?.ephemeralContainers ?? [])].find(
      (container) => container.name === name,
    );
  const lists: readonly ContainerList[] = ["initContainers", "ephemeralContainers"];
  const about = (name: string): AboutContainer => ({
    name,
    list: lists.find((list) => pod.spec?.[list]?.some((container) => container.name === name)) ?? "containers",
  });
  const granted = (): Pod => withAllocation(pod, memory.allocation);
  const podIps = (): readonly string[] => observed?.ready?.sandbox.ips ?? [];

  const payloadInput = () => ({
    pod,
    place: { podIps: podIps(), hostIps: node.hostIps, allocatable: node.allocatable() },
    configMap: (name: string) => node.configuration.configMap(cluster, pod.metadata.namespace ?? "", name),
    secret: (name: string) => node.configuration.secret(cluster, pod.metadata.namespace ?? "", name),
    token: (audience: string, expirationSeconds: number) => node.configuration.token(cluster, pod, audience, expirationSeconds),
  });

  const targetOf = (container: Container, containerId: string): CheckTarget => ({
    container,
    podIp: podIps()[0] ?? "127.0.0.1",
    exec: (command, timeoutSeconds) => runtime.exec(containerId, command, timeoutSeconds),
  });

  const watchContainer = (container: Container, running: RuntimeContainer | undefined, containerId: string): void => {
    const statuses = [...(previous?.containerStatuses ?? []), ...(previous?.initContainerStatuses ?? [])];
    const known = statuses.find(({ containerID }) => containerID === `${runtime.kind}://${containerId}`);
    probers.get(container.name)?.stop();
    const prober = startProber(container, {
      containerId,
      startedAtMs: running?.state.kind === "running" ? running.state.startedAtMs : clock.now(),
      target: targetOf(container, containerId),
      known: known === undefined ? undefined : { started: known.started === true, ready: known.ready },
      clock,
      random: node.random,
      onResults: (probes) => {
        memory = withContainer(memory, container.name, { probes });
        wake();
      },
      onUnhealthy: (message) => events.pod(cluster, pod, "Warning", "Unhealthy", message, about(container.name)),
    });
    probers.set(container.name, prober);
    memory = withContainer(memory, container.name, {
      startedId: containerId,
      probes: prober.results,
      failure: undefined,
      image: undefined,
      ...(known?.resources && { actuated: { containerId, resources: known.resources } }),
    });
  };

  const stopProbing = (name: string): void => {
    probers.get(name)?.stop();
    probers.delete(name);
  };

  const act = async (action: Action): Promise<void> => {
    switch (action.kind) {
      case "mountVolumes": {
        try {
          await node.files.setUp(pod, payloadInput());
          memory = { ...memory, volumes: { kind: "mounted" } };
          refreshDueMs = node.configuration.tokenRefreshAtMs(uid);
        } catch (error) {
          events.pod(cluster, pod, "Warning", "FailedMount", messageOf(error));
          memory = { ...memory, volumes: { kind: "unmounted", retryAtMs: clock.now() + volumeDelayMs } };
          volumeDelayMs = Math.min(volumeDelayMs * 2, volumeRetryMs.last);
        }
        return;
      }
      case "runSandbox": {
        const { attempt } = action;
        if (attempt > 0) events.pod(cluster, pod, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
        for (const { sandbox } of observed?.sandboxes.slice(1) ?? []) await runtime.removeSandbox(sandbox.id);
        try {
          const dns = await node.network?.dnsFor(cluster, pod);
          const context = { cluster, attempt, nodeName: node.nodeName, dns, logDirectory: node.files.logDirectory(pod) };
          const sandbox = await runtime.runSandbox(withEnds(sandboxSpec(pod, context), pod, runtime.kind));
          await node.network?.addressed(cluster, pod, sandbox.ips);
        } catch (error) {
          events.pod(cluster, pod, "Warning", "FailedCreatePodSandBox", `Failed to create pod sandbox: ${messageOf(error)}`);
          memory = { ...memory, sandboxRetryAtMs: clock.now() + sandboxRetryMs };
        }
        return;
      }
      case "stopSandbox":
        return runtime.stopSandbox(action.sandboxId);
      case "startContainer":
        return start(action);
      case "adoptContainer":
        return watchContainer(action.container, observed?.current.get(action.container.name), action.containerId);
      case "stopContainer":
        if (action.forResize === true) memory = withContainer(memory, action.name, { restartOf: action.containerId });
        return stop(action);
      case "resizeContainer":
        return resize(action);
      case "cleanUp":
        return cleanUp();
    }
  };

  const start = async ({ container, attempt, sandboxId }: Extract<Action, { kind: "startContainer" }>): Promise<void> => {
    const { name } = container;
    const remembered = memory.containers.get(name);
    const last = observed?.latest.get(name);
    const outcome = await startContainer(
      {
        ...{ cluster, pod: granted(), container, about: about(name), attempt, sandboxId, podIps: podIps(), memory: remembered },
        ...targetOfEphemeral(name),
      },
      node,
    );
    if (outcome.kind === "failed") {
      memory = withContainer(memory, name, outcome.change);
      return;
    }
    if (last?.state.kind === "exited" && remembered?.restartOf !== last.id) {
      memory = withContainer(memory, name, { crash: lengthened(remembered?.crash, last.state.finishedAtMs, clock.now()) });
    }
    const { containerId } = outcome;
    memory = withContainer(memory, name, { actuated: { containerId, resources: container.resources ?? {} }, resizeFailure: undefined });
    const hook = container.lifecycle?.postStart;
    if (hook !== undefined) {
      const problem = await runHook(hook, targetOf(container, containerId), unlimitedHookSeconds, clock);
      if (problem !== undefined) {
        events.pod(cluster, pod, "Warning", "FailedPostStartHook", `PostStartHook failed: ${problem}`, about(name));
        events.pod(cluster, pod, "Normal", "Killing", `FailedPostStartHook`, about(name));
        await runtime.stopContainer(containerId, pod.spec?.terminationGracePeriodSeconds ?? 30);
        const atMs = clock.now();
        const crash = lengthened(remembered?.crash, atMs, atMs);
        const failure = { reason: "PostStartHookError", message: problem, atMs, retryAtMs: atMs + crash.delayMs };
        memory = withContainer(memory, name, { crash, failure });
        return;
      }
    }
    watchContainer(container, undefined, containerId);
    await forgetOld(name);
  };

  /** Whose processes an ephemeral container is to see, if it says so. */
  const targetOfEphemeral = (name: string): Pick<StartRequest, "target"> => {
    const target = pod.spec?.ephemeralContainers?.find((container) => container.name === name)?.targetContainerName ?? "";
    if (target === "") return {};
    const found = observed?.current.get(target);
    return { target: { name: target, id: found?.state.kind === "running" ? found.id : undefined } };
  };

  const resize = async ({ container, containerId }: Extract<Action, { kind: "resizeContainer" }>): Promise<void> => {
    const { name, resources = {} } = container;
    try {
      await runtime.updateResources(containerId, resourcesOf(granted(), container, node.allocatable()));
      memory = withContainer(memory, name, { actuated: { containerId, resources }, resizeFailure: undefined });
    } catch (error) {
      const message = messageOf(error);
      node.log.warn("container not resized", { cluster, pod: podFullName(pod), container: name, reason: message });
      memory = withContainer(memory, name, { resizeFailure: { message, retryAtMs: clock.now() + resizeRetryMs } });
    }
  };

  /** Grants what the pod asks for by now, if the node can. */
  const judgeResize = (): void => {
    if (memory.allocation === undefined) return;
    const pendingResize = refusalOf(pod, node.others(uid), node.allocatable());
    memory = pendingResize ? { ...memory, pendingResize } : { ...memory, allocation: undefined, pendingResize: undefined };
  };

  /** Of the ended containers of a name the newest stays, for its log and `lastState`. */
  const forgetOld = async (name: string): Promise<void> => {
    const ended = (observed?.sandboxes ?? []).flatMap(({ containers }) =>
      containers.filter((container) => container.name === name && container.state.kind === "exited"),
    );
    for (const container of ended.sort((a, b) => b.attempt - a.attempt).slice(1)) {
      await runtime.removeContainer(container.id);
      await node.files.removeLog(pod, name, container.attempt);
    }
  };

  const stop = async (action: Extract<Action, { kind: "stopContainer" }>): Promise<void> => {
    const { container, containerId, name, deadlineMs } = action;
    if (removed || pod.metadata.deletionTimestamp !== undefined) probers.get(name)?.stopLiveness();
    else stopProbing(name);
    const hook = container?.lifecycle?.preStop;
    if (!hooksRun.has(containerId)) {
      hooksRun.add(containerId);
      events.pod(cluster, pod, "Normal", "Killing", action.message, about(name));
      const seconds = (deadlineMs - clock.now()) / 1000;
      if (hook !== undefined && container !== undefined && seconds > 0) {
        const problem = await runHook(hook, targetOf(container, containerId), seconds, clock);
        if (problem !== undefined) events.pod(cluster, pod, "Warning", "FailedPreStopHook", `PreStopHook failed: ${problem}`, about(name));
      }
    }
    const left = Math.ceil((deadlineMs - clock.now()) / 1000);
    await runtime.stopContainer(containerId, hook === undefined ? Math.max(left, 0) : Math.max(left, minimumGraceSeconds));
    stopProbing(name);
  };

  const cleanUp = async (): Promise<void> => {
    for (const { sandbox } of observed?.sandboxes ?? []) await runtime.removeSandbox(sandbox.id);
    await node.files.tearDown(uid, node.files.logDirectory(pod));
    abandon();
    node.gone(cluster, pod, removed);
  };

  const perform = (action: Action): void => {
    const key = actionKey(action);
    memory = { ...memory, inFlight: new Set(memory.inFlight).add(key) };
    const done = (): void => {
      acts++;
      const inFlight = new Set(memory.inFlight);
      inFlight.delete(key);
      memory = { ...memory, inFlight };
      wake();
    };
    act(action).then(done, (error: unknown) => {
      node.log.error("pod action failed", error, { cluster, pod: podFullName(pod), action: action.kind });
      cancelWake?.();
      clock.after(1000, done);
    });
  };

  const readMessages = async (now: ObservedPod): Promise<void> => {
    for (const container of [...now.latest.values(), ...now.former.values()]) {
      const code = exitCodeOf(container);
      const spec = containerOf(container.name);
      const messages = memory.containers.get(container.name)?.messages;
      if (code === undefined || spec === undefined || messages?.has(container.id)) continue;
      const message = await node.files.terminationMessage(pod, spec, container.attempt, code);
      memory = withContainer(memory, container.name, {
        messages: new Map([...(messages ?? []), [container.id, message] as const].slice(-4)),
      });
      stopProbing(container.name);
    }
  };

  const step = async (): Promise<void> => {
    for (let seen = -1; seen !== acts; ) {
      seen = acts;
      observed = observePod((await node.observer.look()).get(uid) ?? []);
    }
    if (observed === undefined || abandoned) return;
    if (observed.ready !== undefined) void node.network?.addressed(cluster, pod, podIps());
    await readMessages(observed);
    if (memory.stopDeadlineMs === undefined && (removed || pod.metadata.deletionTimestamp !== undefined)) {
      memory = { ...memory, stopDeadlineMs: clock.now() + graceSeconds() * 1000 };
    }
    judgeResize();
    const input: PodInput = { pod: granted(), removed, previous, observed, memory, nowMs: clock.now() };
    const decision = decide(input);
    report(input, decision);
    for (const action of decision.actions) perform(action);
    cancelWake?.();
    const deferredMs = memory.pendingResize?.reason === "Deferred" ? clock.now() + resizeRetryMs : undefined;
    const dueMs = Math.min(...[decision.wakeAtMs, refreshDueMs, deferredMs].map((atMs) => atMs ?? Number.POSITIVE_INFINITY));
    if (Number.isFinite(dueMs)) {
      cancelWake = clock.after(Math.max(0, dueMs - clock.now()), () => {
        if (refreshDueMs !== undefined && refreshDueMs <= clock.now()) void refresh();
        wake();
      });
    }
  };

  const graceSeconds = (): number => {
    const { deletionGracePeriodSeconds } = pod.metadata;
    return deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
  };

  const report = (input: PodInput, decision: Decision): void => {
    const status = statusOf(input, decision, { runtimeKind: runtime.kind, hostIps: node.hostIps });
    const evicting = previous?.phase !== "Failed" && status.reason === "DeadlineExceeded";
    if (evicting) events.pod(cluster, pod, "Normal", "DeadlineExceeded", status.message ?? "");
    for (const [name, held] of decision.held) {
      if (held.reason !== "CrashLoopBackOff" || shows(previous, name, held.reason)) continue;
      events.pod(
        cluster,
        pod,
        "Warning",
        "BackOff",
        `Back-off restarting failed container ${name} in pod ${podFullName(pod)}`,
        about(name),
      );
    }
    finished = decision.finished;
    previous = status;
    if (deepEqual(status, reported)) return;
    reported = status;
    node.report(cluster, pod, status);
  };

  const refresh = async (): Promise<void> => {
    refreshDueMs = undefined;
    if (memory.volumes.kind !== "mounted" || finished || abandoned) return;
    try {
      await node.files.setUp(pod, payloadInput());
      refreshDueMs = node.configuration.tokenRefreshAtMs(uid);
    } catch (error) {
      events.pod(cluster, pod, "Warning", "FailedMount", messageOf(error));
      refreshDueMs = clock.now() + 60_000;
    }
    wake();
  };

  const run = async (): Promise<void> => {
    stepping = true;
    while (again && !abandoned) {
      again = false;
      try {
        await step();
      } catch (error) {
        node.log.error("pod step failed", error, { cluster, pod: podFullName(pod) });
        clock.after(1000, wake);
      }
    }
    stepping = false;
  };

  const wake = (): void => {
    if (abandoned) return;
    again = true;
    if (!stepping) void run();
  };

  const abandon = (): void => {
    abandoned = true;
    cancelWake?.();
    for (const prober of probers.values()) prober.stop();
    probers.clear();
  };

  wake();
  return {
    cluster,
    get pod() {
      return pod;
    },
    get finished() {
      return finished;
    },
    get observed() {
      return observed;
    },
    get granted() {
      return granted();
    },
    update(next) {
      const held = granted();
      pod = next;
      memory = { ...memory, allocation: allocationOf(held, next), pendingResize: undefined };
      if (next.metadata.deletionTimestamp !== undefined) {
        const deadlineMs = clock.now() + graceSeconds() * 1000;
        memory = { ...memory, stopDeadlineMs: Math.min(memory.stopDeadlineMs ?? deadlineMs, deadlineMs) };
      }
      if (memory.volumes.kind === "mounted") void refresh();
      wake();
    },
    remove() {
      removed = true;
      wake();
    },
    configurationChanged() {
      for (const [name, { failure }] of memory.containers) {
        if (failure?.reason === "CreateContainerConfigError")
          memory = withContainer(memory, name, { failure: { ...failure, retryAtMs: 0 } });
      }
      if (memory.volumes.kind === "unmounted") memory = { ...memory, volumes: { kind: "unmounted", retryAtMs: 0 } };
      else void refresh();
      wake();
    },
    wake,
    abandon,
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function shows(status: PodStatusReport | undefined, name: string, reason: string): boolean {
  return (
    [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find((container) => container.name === name)?.state
      ?.waiting?.reason === reason
  );
}

const owned: ReadonlySet<string> = new Set(nodeOwnedPodConditions);

/** The part of an API status that a node reports, where one has reported before. */
export function reportOf({ status }: Pod): PodStatusReport | undefined {
  if (status?.startTime === undefined) return undefined;
  const { conditions = [], containerStatuses = [], initContainerStatuses = [] } = status;
  const own = conditions.filter(({ type }) => owned.has(type)).map(({ lastProbeTime: _, ...condition }) => condition);
  return podStatusReport.safeParse({ ...status, conditions: own, containerStatuses, initContainerStatuses }).data;
}

/** A runtime that runs nothing cannot know which containers would end: it is told. */
function withEnds<T extends { readonly annotations: Readonly<Record<string, string>> }>(spec: T, pod: Pod, runtimeKind: string): T {
  if (runtimeKind !== "hollow") return spec;
  const ends = [
    ...(pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy !== "Always").map(({ name }) => `${name}=0`),
    ...(pod.spec?.restartPolicy === "Always" ? [] : (pod.spec?.containers ?? []).map(({ name }) => `${name}=1000`)),
  ];
  return { ...spec, annotations: { ...spec.annotations, "hollow.coracle.dev/ends-after-ms": ends.join(",") } };
}
