import type { Container, LifecycleHandler } from "../../shared/kubernetes/types.ts";
import { type BackOff, lengthened } from "./back-off.ts";
import { resourcesOf } from "./container-spec.ts";
import { type Action, exitCodeOf, podFullName } from "./decide.ts";
import { type HookOutcome, runHook } from "./hooks.ts";
import type { ObservedPod } from "./observed.ts";
import type { NodeContext } from "./pod-context.ts";
import { checkTargetOf, type PodProbers } from "./pod-probers.ts";
import { aboutContainer, containerOf, graceSecondsOf, grantedPod, type PodState, podIpsOf, remember } from "./pod-state.ts";
import { resizeRetryMs } from "./resize.ts";
import { type StartRequest, startContainer } from "./start-container.ts";

type ActionOf<K extends Action["kind"]> = Extract<Action, { kind: K }>;

/** What is done with the containers of a pod. */
export interface ContainerActs {
  start(action: ActionOf<"startContainer">): Promise<void>;
  stop(action: ActionOf<"stopContainer">): Promise<void>;
  resize(action: ActionOf<"resizeContainer">): Promise<void>;
  /** Takes the termination messages of those that have ended. */
  readMessages(now: ObservedPod): Promise<void>;
}

/** kubelet never gives a container less than this to end (`minimumGracePeriodInSeconds`). */
const minimumGraceSeconds = 2;
const unlimitedHookSeconds = 3600;

export function createContainerActs(state: PodState, probers: PodProbers, node: NodeContext): ContainerActs {
  const { cluster } = state;
  const { clock, runtime } = node;
  /** Containers whose preStop hook has had its turn. */
  const hooksRun = new Set<string>();

  const tell = (type: "Normal" | "Warning", reason: string, message: string, name: string): void =>
    node.events.pod(cluster, state.pod, type, reason, message, aboutContainer(state, name));

  const hook = (handler: LifecycleHandler, container: Container, containerId: string, timeoutSeconds: number): Promise<HookOutcome> =>
    runHook(handler, {
      ...{ pod: state.pod, target: checkTargetOf(state, container, containerId, node), timeoutSeconds, clock },
      onFallback: (host) => {
        const message = `request to HTTPS lifecycle hook ${host} got HTTP response, retry with HTTP succeeded`;
        node.events.pod(cluster, state.pod, "Warning", "LifecycleHTTPFallback", message);
      },
    });

  /** The container's last seconds: its hook first, then the signal, with what the hook left of the time. What failed is not told: it may hold secrets. */
  const end = async (container: Container | undefined, containerId: string, name: string, message: string, deadlineMs: number) => {
    if (!hooksRun.has(containerId)) {
      hooksRun.add(containerId);
      tell("Normal", "Killing", message, name);
      const handler = container?.lifecycle?.preStop;
      const seconds = (deadlineMs - clock.now()) / 1000;
      if (handler !== undefined && container !== undefined && seconds > 0) {
        const outcome = await hook(handler, container, containerId, seconds);
        if (outcome.kind === "failed") tell("Warning", "FailedPreStopHook", "PreStopHook failed", name);
      }
    }
    const left = Math.ceil((deadlineMs - clock.now()) / 1000);
    await runtime.stopContainer(containerId, Math.max(left, minimumGraceSeconds));
  };

  /** Whose processes an ephemeral container is to see, if it says so. */
  const targetOfEphemeral = (name: string): Pick<StartRequest, "target"> => {
    const target = state.pod.spec?.ephemeralContainers?.find((container) => container.name === name)?.targetContainerName ?? "";
    if (target === "") return {};
    const found = state.observed?.current.get(target);
    return { target: { name: target, id: found?.state.kind === "running" ? found.id : undefined } };
  };

  /** Answers whether the container goes on. */
  const runPostStart = async (container: Container, containerId: string, crashed: BackOff | undefined): Promise<boolean> => {
    const { name } = container;
    const handler = container.lifecycle?.postStart;
    if (handler === undefined) return true;
    const outcome = await hook(handler, container, containerId, unlimitedHookSeconds);
    if (outcome.kind === "done") return true;
    tell("Warning", "FailedPostStartHook", "PostStartHook failed", name);
    await end(container, containerId, name, "FailedPostStartHook", clock.now() + graceSecondsOf(state.pod) * 1000);
    const atMs = clock.now();
    const crash = lengthened(crashed, atMs, atMs);
    const message = outcome.kind === "failed" ? outcome.message : "the hook did not end";
    remember(state, name, { crash, failure: { reason: "PostStartHookError", message, atMs, retryAtMs: atMs + crash.delayMs } });
    return false;
  };

  /** Of the ended containers of a name the newest stays, for its log and `lastState`. */
  const forgetOld = async (name: string): Promise<void> => {
    const ended = (state.observed?.sandboxes ?? []).flatMap(({ containers }) =>
      containers.filter((container) => container.name === name && container.state.kind === "exited"),
    );
    for (const container of ended.sort((a, b) => b.attempt - a.attempt).slice(1)) {
      await runtime.removeContainer(container.id);
      await node.files.removeLog(state.pod, name, container.attempt);
    }
  };

  return {
    async start({ container, attempt, sandboxId }) {
      const { name } = container;
      const remembered = state.memory.containers.get(name);
      const last = state.observed?.latest.get(name);
      const outcome = await startContainer(
        {
          ...{ cluster, pod: grantedPod(state), container, about: aboutContainer(state, name), attempt, sandboxId },
          ...{ podIps: podIpsOf(state), memory: remembered, ...targetOfEphemeral(name) },
        },
        node,
      );
      if (outcome.kind === "failed") return remember(state, name, outcome.change);
      if (last?.state.kind === "exited" && remembered?.restartOf !== last.id)
        remember(state, name, { crash: lengthened(remembered?.crash, last.state.finishedAtMs, clock.now()) });
      const { containerId } = outcome;
      remember(state, name, { actuated: { containerId, resources: container.resources ?? {} }, resizeFailure: undefined });
      if (!(await runPostStart(container, containerId, remembered?.crash))) return;
      probers.begin(container, undefined, containerId);
      await forgetOld(name);
    },
    async stop({ container, containerId, name, message, deadlineMs, forResize }) {
      if (forResize === true) remember(state, name, { restartOf: containerId });
      probers.ending(name);
      await end(container, containerId, name, message, deadlineMs);
      probers.end(name);
    },
    async resize({ container, containerId }) {
      const { name, resources = {} } = container;
      try {
        await runtime.updateResources(containerId, resourcesOf(grantedPod(state), container, node.allocatable()));
        remember(state, name, { actuated: { containerId, resources }, resizeFailure: undefined });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        node.log.warn("container not resized", { cluster, pod: podFullName(state.pod), container: name, reason: message });
        remember(state, name, { resizeFailure: { message, retryAtMs: clock.now() + resizeRetryMs } });
      }
    },
    async readMessages(now) {
      for (const container of [...now.latest.values(), ...now.former.values()]) {
        const { id, name } = container;
        const [code, spec] = [exitCodeOf(container), containerOf(state, name)];
        const messages = state.memory.containers.get(name)?.messages;
        if (code === undefined || spec === undefined || messages?.has(id)) continue;
        const message = await node.files.terminationMessage(state.pod, spec, container.attempt, code);
        remember(state, name, { messages: new Map([...(messages ?? []), [id, message] as const].slice(-4)) });
        probers.end(name);
      }
    },
  };
}
