import type { RuntimeContainer, RuntimePod, RuntimeSandbox } from "../runtime.ts";
import { type CriClient, CriError } from "./cri-client.ts";
import {
  type CriContainer,
  type CriContainerStatus,
  type CriSandbox,
  type CriSandboxStatus,
  containerStatusResponse,
  listContainersResponse,
  listSandboxesResponse,
  millisOf,
  sandboxStatusResponse,
} from "./cri-messages.ts";
import { criLabels, imageOf, sandboxFactsOf } from "./pod-config.ts";

export interface PodList {
  /** The sandboxes that carry this agent's label, with their containers. */
  list(): Promise<RuntimePod[]>;
}

/**
 * Two calls for the whole node, and one more for each sandbox or container whose state is new: what a state says (addresses, times, exit codes)
 * never changes while it lasts.
 */
export function createPodList(cri: CriClient, instance: string, hostAddresses: readonly string[]): PodList {
  const label_selector = { [criLabels.instance]: instance };
  let sandboxes = new Map<string, RuntimeSandbox>();
  let containers = new Map<string, RuntimeContainer>();

  const readSandbox = async (item: CriSandbox, key: string): Promise<RuntimeSandbox | undefined> =>
    sandboxes.get(key) ??
    unlessGone(async () => {
      const { status } = await cri.call("RuntimeService", "PodSandboxStatus", { pod_sandbox_id: item.id }, sandboxStatusResponse);
      return sandboxOf(status, hostAddresses);
    });

  const readContainer = async (item: CriContainer, key: string): Promise<RuntimeContainer | undefined> =>
    containers.get(key) ??
    unlessGone(async () => {
      const { status } = await cri.call("RuntimeService", "ContainerStatus", { container_id: item.id }, containerStatusResponse);
      return containerOf(item, status);
    });

  return {
    async list() {
      const filter = { label_selector };
      const [{ items }, { containers: all }] = await Promise.all([
        cri.call("RuntimeService", "ListPodSandbox", { filter }, listSandboxesResponse),
        cri.call("RuntimeService", "ListContainers", { filter }, listContainersResponse),
      ]);
      const seenSandboxes = new Map<string, RuntimeSandbox>();
      const seenContainers = new Map<string, RuntimeContainer>();
      const bySandbox = Map.groupBy(all, (container) => container.pod_sandbox_id);
      const pods: RuntimePod[] = [];
      for (const item of items) {
        const sandbox = await readSandbox(item, `${item.id} ${item.state}`);
        if (sandbox === undefined) continue;
        seenSandboxes.set(`${item.id} ${item.state}`, sandbox);
        const ofPod: RuntimeContainer[] = [];
        for (const one of bySandbox.get(item.id) ?? []) {
          const container = await readContainer(one, `${one.id} ${one.state}`);
          if (container === undefined) continue;
          seenContainers.set(`${one.id} ${one.state}`, container);
          ofPod.push(container);
        }
        pods.push(podOf(item, sandbox, ofPod));
      }
      sandboxes = seenSandboxes;
      containers = seenContainers;
      return pods;
    },
  };
}

/** A sandbox as the port describes it. Pods in the host's network have the host's addresses. */
export function sandboxOf(status: CriSandboxStatus, hostAddresses: readonly string[]): RuntimeSandbox {
  const onHost = sandboxFactsOf(status.annotations)?.namespaceOptions.network === "NODE";
  const own = [status.network?.ip ?? "", ...(status.network?.additional_ips ?? []).map(({ ip }) => ip)].filter((ip) => ip !== "");
  return {
    id: status.id,
    ready: status.state === "SANDBOX_READY",
    ips: onHost ? hostAddresses : own,
    createdAtMs: millisOf(status.created_at),
  };
}

function podOf(item: CriSandbox, sandbox: RuntimeSandbox, containers: RuntimeContainer[]): RuntimePod {
  return {
    podUid: item.metadata.uid,
    namespace: item.metadata.namespace,
    name: item.metadata.name,
    cluster: item.labels[criLabels.cluster] ?? "",
    attempt: item.metadata.attempt,
    sandbox,
    containers,
  };
}

function containerOf(item: CriContainer, status: CriContainerStatus): RuntimeContainer {
  return {
    id: item.id,
    name: item.metadata.name,
    attempt: item.metadata.attempt,
    image: imageOf(item.annotations) ?? status.image?.image ?? "",
    imageId: status.image_ref,
    state: stateOf(status),
  };
}

function stateOf(status: CriContainerStatus): RuntimeContainer["state"] {
  if (status.state === "CONTAINER_RUNNING") return { kind: "running", startedAtMs: millisOf(status.started_at) };
  if (status.state === "CONTAINER_CREATED") return { kind: "created" };
  return {
    kind: "exited",
    startedAtMs: millisOf(status.started_at),
    finishedAtMs: millisOf(status.finished_at),
    exitCode: status.exit_code,
    signal: 0,
    reason: status.reason === "" ? (status.exit_code === 0 ? "Completed" : "Error") : status.reason,
  };
}

/** What vanished between the list and the look at it counts as not listed. */
async function unlessGone<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CriError && error.code === "NotFound") return undefined;
    throw error;
  }
}
