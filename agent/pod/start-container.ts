import type { Container, Pod } from "../../shared/kubernetes/types.ts";
import { ContainerConfigError, containerEnvironment } from "../environment.ts";
import type { AboutContainer } from "../event-recorder.ts";
import { RuntimeError } from "../runtime.ts";
import { lengthened } from "./back-off.ts";
import { containerSpec } from "./container-spec.ts";
import { type ContainerMemory, newContainerMemory } from "./memory.ts";
import type { NodeContext } from "./pod-context.ts";

export interface StartRequest {
  readonly cluster: string;
  readonly pod: Pod;
  readonly container: Container;
  /** How events name it. */
  readonly about: AboutContainer;
  readonly attempt: number;
  readonly sandboxId: string;
  readonly podIps: readonly string[];
  /** Of an ephemeral container: whose processes it is to see; undefined id: that is not there. */
  readonly target?: { readonly name: string; readonly id: string | undefined };
  readonly memory: ContainerMemory | undefined;
}

export type StartOutcome =
  | { readonly kind: "started"; readonly containerId: string }
  | { readonly kind: "failed"; readonly change: Partial<ContainerMemory> };

/** How long a container that cannot be configured waits; a change of what it names wakes it earlier. */
const configRetryMs = 10_000;

/** Image, environment, mounts, start: with kubelet's events and waiting reasons. What goes wrong is an outcome, never thrown. */
export async function startContainer(request: StartRequest, node: NodeContext): Promise<StartOutcome> {
  const { cluster, pod, container, about, target, memory = newContainerMemory } = request;
  const { clock, events, runtime } = node;
  const image = container.image ?? "";
  const warn = (message: string): void => events.pod(cluster, pod, "Warning", "Failed", message, about);
  const failed = (reason: string, message: string, retryMs: number, change: Partial<ContainerMemory> = {}): StartOutcome => {
    const atMs = clock.now();
    return { kind: "failed", change: { ...change, failure: { reason, message, atMs, retryAtMs: atMs + retryMs } } };
  };

  let imageId: string;
  try {
    const began = clock.now();
    const found = await runtime.ensureImage(image, container.imagePullPolicy ?? "IfNotPresent");
    imageId = found.imageId;
    if (runtime.kind === "containerd") {
      const message =
        found.pulled === true
          ? `Successfully pulled image "${image}" in ${clock.now() - began}ms`
          : `Container image "${image}" already present on machine`;
      events.pod(cluster, pod, "Normal", "Pulled", message, about);
    }
  } catch (error) {
    const reason = error instanceof RuntimeError ? error.reason : "ErrImagePull";
    const message = messageOf(error);
    if (reason === "ErrImagePull") warn(`Failed to pull image "${image}": ${message}`);
    warn(`Error: ${reason}`);
    const backOff = lengthened(memory.image, clock.now(), clock.now());
    if (reason === "ErrImagePull") events.pod(cluster, pod, "Normal", "BackOff", `Back-off pulling image "${image}"`, about);
    return failed(reason, message, backOff.delayMs, { image: backOff });
  }

  try {
    if (target !== undefined && target.id === undefined)
      throw new RuntimeError("CreateContainerError", `unable to find target container ${target.name}`);
    const place = { podIps: request.podIps, hostIps: node.hostIps, allocatable: node.allocatable() };
    const namespace = pod.metadata.namespace ?? "";
    const environment = containerEnvironment({
      pod,
      container,
      place,
      configMap: (name) => node.configuration.configMap(cluster, namespace, name),
      secret: (name) => node.configuration.secret(cluster, namespace, name),
      services: node.configuration.serviceEnvironment(cluster, pod),
    });
    const mounts = await node.files.prepareContainer(pod, container, {
      attempt: request.attempt,
      environment: new Map(environment.map(({ name, value }) => [name, value])),
      podIps: request.podIps,
    });
    const spec = containerSpec(pod, container, {
      attempt: request.attempt,
      imageId,
      environment,
      mounts,
      logPath: node.files.logPath(container.name, request.attempt),
      allocatable: node.allocatable(),
      ...(target?.id !== undefined && { targetContainerId: target.id }),
    });
    const containerId = await runtime.startContainer(request.sandboxId, spec);
    events.pod(cluster, pod, "Normal", "Created", `Created container: ${container.name}`, about);
    events.pod(cluster, pod, "Normal", "Started", `Started container ${container.name}`, about);
    return { kind: "started", containerId };
  } catch (error) {
    warn(`Error: ${messageOf(error)}`);
    if (error instanceof ContainerConfigError)
      return failed("CreateContainerConfigError", error.message, configRetryMs, { image: undefined });
    const reason = error instanceof RuntimeError ? error.reason : "CreateContainerError";
    if (!(error instanceof RuntimeError))
      node.log.error("container not started", error, { pod: pod.metadata.name, container: container.name });
    const crash = lengthened(memory.crash, clock.now(), clock.now());
    return failed(reason, messageOf(error), crash.delayMs, { crash, image: undefined });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
