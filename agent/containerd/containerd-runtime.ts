import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/telemetry/log.ts";
import { type ContainerRuntime, RuntimeError, type RuntimeSandbox, type SandboxSpec } from "../runtime.ts";
import { watchContainers } from "./container-events.ts";
import { type CriClient, CriError, createCriClient } from "./cri-client.ts";
import {
  type CriSandboxStatus,
  createContainerResponse,
  empty,
  execSyncResponse,
  listSandboxesResponse,
  runSandboxResponse,
  sandboxStatusResponse,
  versionResponse,
} from "./cri-messages.ts";
import { createImageStore } from "./image-store.ts";
import { cgroupResourcesOf, containerConfigOf, criLabels, sandboxConfigOf, sandboxFactsOf, sandboxSecurityOf } from "./pod-config.ts";
import { createPodList, sandboxOf } from "./pod-list.ts";
import { createCriStreaming } from "./streaming.ts";

export interface ContainerdRuntimeOptions {
  /** `unix:///run/containerd/containerd.sock`. */
  readonly endpoint: string;
  /** Names this agent among those that share the containerd (`agentInstance`): the sandboxes of others are left alone. */
  readonly instance: string;
  /** What pods with host networking report as their address. */
  readonly hostAddresses: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

/** The port's own limit on what an `exec` answers. */
const maxExecOutputBytes = 10 * 1024;
/** A runtime may need this much longer than the grace it was given. */
const stopMarginMs = 30_000;

/** `ContainerRuntime` over the container runtime interface v1: containerd 1.6 and later, or any other that speaks it. */
export function createContainerdRuntime(options: ContainerdRuntimeOptions): ContainerRuntime {
  const cri = createCriClient(options.endpoint);
  const images = createImageStore(cri);
  const pods = createPodList(cri, options.instance, options.hostAddresses);
  const watches = new Set<() => void>();

  return {
    kind: "containerd",
    async version() {
      const answer = await cri.call("RuntimeService", "Version", {}, versionResponse);
      return `${answer.runtime_name}://${answer.runtime_version}`;
    },
    list: () => pods.list(),
    runSandbox: (spec) => runSandbox(cri, options, spec),
    stopSandbox: (sandboxId) => ignoreMissing(cri.call("RuntimeService", "StopPodSandbox", { pod_sandbox_id: sandboxId }, empty)),
    async removeSandbox(sandboxId) {
      await ignoreMissing(cri.call("RuntimeService", "StopPodSandbox", { pod_sandbox_id: sandboxId }, empty));
      await ignoreMissing(cri.call("RuntimeService", "RemovePodSandbox", { pod_sandbox_id: sandboxId }, empty));
    },
    ensureImage: (image, pullPolicy) => images.ensure(image, pullPolicy),
    async startContainer(sandboxId, spec) {
      const { metadata, labels, annotations } = await inWords("CreateContainerError", () => statusOf(cri, sandboxId));
      const facts = sandboxFactsOf(annotations);
      if (facts === undefined) throw new RuntimeError("CreateContainerError", `sandbox ${sandboxId} was not made by this agent`);
      await mkdir(dirname(join(facts.logDirectory, spec.logPath)), { recursive: true });
      const config = containerConfigOf(spec, facts, labels, await images.find(spec.imageId));
      const sandboxConfig = {
        ...{ metadata, labels, annotations, hostname: facts.hostname, log_directory: facts.logDirectory },
        linux: { security_context: sandboxSecurityOf(facts) },
      };
      const { container_id: id } = await inWords("CreateContainerError", () =>
        cri.call(
          "RuntimeService",
          "CreateContainer",
          { pod_sandbox_id: sandboxId, config, sandbox_config: sandboxConfig },
          createContainerResponse,
        ),
      );
      await inWords("RunContainerError", () => cri.call("RuntimeService", "StartContainer", { container_id: id }, empty));
      return id;
    },
    stopContainer: (containerId, graceSeconds) =>
      ignoreMissing(
        cri.call(
          "RuntimeService",
          "StopContainer",
          { container_id: containerId, timeout: String(Math.max(0, Math.ceil(graceSeconds))) },
          empty,
          {
            timeoutMs: graceSeconds * 1000 + stopMarginMs,
          },
        ),
      ),
    removeContainer: (containerId) => ignoreMissing(cri.call("RuntimeService", "RemoveContainer", { container_id: containerId }, empty)),
    async updateResources(containerId, resources) {
      // What decides who is killed first stays as it was at the start.
      const { oom_score_adj: _, ...linux } = cgroupResourcesOf(resources);
      await inWords("ResizeError", () =>
        cri.call("RuntimeService", "UpdateContainerResources", { container_id: containerId, linux }, empty),
      );
    },
    exec: (containerId, command, timeoutSeconds) => exec(cri, containerId, command, timeoutSeconds),
    streaming: createCriStreaming(cri),
    watch(onEvent) {
      const stop = watchContainers({ cri, instance: options.instance, clock: options.clock, log: options.log, onEvent });
      const end = (): void => {
        watches.delete(end);
        stop();
      };
      watches.add(end);
      return end;
    },
    async close() {
      for (const end of watches) end();
      cri.close();
    },
  };
}

async function runSandbox(cri: CriClient, options: ContainerdRuntimeOptions, spec: SandboxSpec): Promise<RuntimeSandbox> {
  const selector = { [criLabels.instance]: options.instance, [criLabels.podUid]: spec.podUid };
  const { items } = await cri.call("RuntimeService", "ListPodSandbox", { filter: { label_selector: selector } }, listSandboxesResponse);
  for (const existing of items.filter((item) => item.metadata.attempt === spec.attempt)) {
    if (existing.state === "SANDBOX_READY") return sandboxOf(await statusOf(cri, existing.id), options.hostAddresses);
    // A sandbox that is not ready keeps the name of its attempt, and the runtime refuses a second of that name.
    await cri.call("RuntimeService", "StopPodSandbox", { pod_sandbox_id: existing.id }, empty);
    await cri.call("RuntimeService", "RemovePodSandbox", { pod_sandbox_id: existing.id }, empty);
  }
  await mkdir(spec.logDirectory, { recursive: true });
  const config = sandboxConfigOf(spec, options.instance);
  const { pod_sandbox_id: id } = await inWords("CreatePodSandboxError", () =>
    cri.call("RuntimeService", "RunPodSandbox", { config }, runSandboxResponse),
  );
  return sandboxOf(await statusOf(cri, id), options.hostAddresses);
}

async function exec(
  cri: CriClient,
  containerId: string,
  command: readonly string[],
  timeoutSeconds: number,
): Promise<{ exitCode: number; output: string; timedOut: boolean }> {
  try {
    const answer = await cri.call(
      "RuntimeService",
      "ExecSync",
      { container_id: containerId, cmd: command, timeout: String(Math.max(1, Math.ceil(timeoutSeconds))) },
      execSyncResponse,
      { timeoutMs: timeoutSeconds * 1000 + stopMarginMs },
    );
    const output = Buffer.concat([answer.stdout, answer.stderr]).subarray(0, maxExecOutputBytes).toString("utf8");
    return { exitCode: answer.exit_code, output, timedOut: false };
  } catch (error) {
    if (error instanceof CriError && error.code === "DeadlineExceeded") return { exitCode: -1, output: error.message, timedOut: true };
    throw new RuntimeError("ExecError", error instanceof Error ? error.message : String(error), error);
  }
}

async function statusOf(cri: CriClient, sandboxId: string): Promise<CriSandboxStatus> {
  const { status } = await cri.call("RuntimeService", "PodSandboxStatus", { pod_sandbox_id: sandboxId }, sandboxStatusResponse);
  return status;
}

async function ignoreMissing(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CriError && error.code === "NotFound") return;
    throw error instanceof CriError ? new RuntimeError("RuntimeError", error.message, error) : error;
  }
}

/** The error's text with the reason that Kubernetes shows for the step that failed. */
async function inWords<T>(reason: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw new RuntimeError(reason, error instanceof Error ? error.message : String(error), error);
  }
}
