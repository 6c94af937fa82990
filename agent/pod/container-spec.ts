import { parseQuantity } from "../../shared/kubernetes/quantity.ts";
import type { Container, Pod } from "../../shared/kubernetes/types.ts";
import { ContainerConfigError, expand } from "../environment.ts";
import type { ContainerSpec, SandboxSpec } from "../runtime.ts";

export interface SandboxContext {
  readonly cluster: string;
  readonly attempt: number;
  readonly nodeName: string;
  readonly dns: SandboxSpec["dns"];
  readonly logDirectory: string;
}

export function sandboxSpec(pod: Pod, { cluster, attempt, nodeName, dns, logDirectory }: SandboxContext): SandboxSpec {
  const { metadata, spec } = pod;
  const hostNetwork = spec?.hostNetwork === true;
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  return {
    podUid: metadata.uid ?? "",
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    cluster,
    attempt,
    hostname: hostNetwork ? nodeName : hostnameOf(pod),
    hostNetwork,
    hostPid: spec?.hostPID === true,
    hostIpc: spec?.hostIPC === true,
    shareProcessNamespace: spec?.shareProcessNamespace === true,
    privileged: [...containers, ...(spec?.ephemeralContainers ?? [])].some(({ securityContext }) => securityContext?.privileged === true),
    dns,
    portMappings: hostNetwork
      ? []
      : containers.flatMap(({ ports = [] }) =>
          ports.flatMap(({ hostPort = 0, containerPort, protocol = "TCP", hostIP = "" }) =>
            hostPort === 0 ? [] : [{ hostPort, containerPort, protocol, hostIp: hostIP }],
          ),
        ),
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    sysctls: Object.fromEntries((spec?.securityContext?.sysctls ?? []).map(({ name, value }) => [name, value])),
    logDirectory,
  };
}

/** At most 63 characters, not ending in `-` or `.` (kubelet `truncatePodHostnameIfNeeded`). */
export function hostnameOf({ metadata, spec }: Pod): string {
  return (spec?.hostname || (metadata.name ?? "")).slice(0, 63).replace(/[-.]+$/, "");
}

export interface ContainerContext {
  readonly attempt: number;
  readonly imageId: string;
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: ContainerSpec["mounts"];
  readonly logPath: string;
  readonly allocatable: Readonly<Record<string, string | number>>;
  readonly targetContainerId?: string;
}

/** @throws ContainerConfigError when the security context contradicts itself. */
export function containerSpec(pod: Pod, container: Container, context: ContainerContext): ContainerSpec {
  const variables = new Map(context.environment.map(({ name, value }) => [name, value]));
  const expanded = (texts: readonly string[] = []): string[] => texts.map((text) => expand(text, (name) => variables.get(name)));
  const own = container.securityContext;
  const shared = pod.spec?.securityContext;
  const runAsUser = own?.runAsUser ?? shared?.runAsUser;
  if ((own?.runAsNonRoot ?? shared?.runAsNonRoot) === true && runAsUser === 0) {
    throw new ContainerConfigError("container's runAsUser breaks non-root policy");
  }
  const privileged = own?.privileged === true;
  const fsGroup = shared?.fsGroup;
  return {
    name: container.name,
    attempt: context.attempt,
    image: container.image ?? "",
    imageId: context.imageId,
    command: expanded(container.command),
    args: expanded(container.args),
    workingDirectory: container.workingDir || undefined,
    environment: context.environment.map(({ name, value }) => ({ name, value })),
    mounts: context.mounts,
    logPath: context.logPath,
    tty: container.tty === true,
    stdin: container.stdin === true,
    ...(context.targetContainerId !== undefined && { targetContainerId: context.targetContainerId }),
    stdinOnce: container.stdinOnce === true,
    security: {
      runAsUser,
      runAsGroup: own?.runAsGroup ?? shared?.runAsGroup,
      supplementalGroups: [...(shared?.supplementalGroups ?? []), ...(fsGroup === undefined ? [] : [fsGroup])],
      privileged,
      readOnlyRootFilesystem: own?.readOnlyRootFilesystem === true,
      addCapabilities: own?.capabilities?.add ?? [],
      dropCapabilities: own?.capabilities?.drop ?? [],
      noNewPrivileges: own?.allowPrivilegeEscalation === false && !privileged,
    },
    resources: resourcesOf(pod, container, context.allocatable),
  };
}

export function resourcesOf(pod: Pod, container: Container, allocatable: ContainerContext["allocatable"]): ContainerSpec["resources"] {
  const requests = container.resources?.requests ?? {};
  const limits = container.resources?.limits ?? {};
  const cpuRequest = requests.cpu ?? limits.cpu;
  const memoryRequest = requests.memory ?? limits.memory;
  return {
    cpuRequestMillis: cpuRequest === undefined ? 0 : parseQuantity(cpuRequest).milli,
    cpuLimitMillis: limits.cpu === undefined ? undefined : parseQuantity(limits.cpu).milli,
    memoryLimitBytes: limits.memory === undefined ? undefined : parseQuantity(limits.memory).whole,
    oomScoreAdjust: oomScoreAdjust(pod.status?.qosClass, memoryRequest, allocatable.memory),
  };
}

/** kubelet `qos.GetContainerOOMScoreAdjust`: the less memory is asked for, the sooner it is killed. */
function oomScoreAdjust(
  qosClass: string | undefined,
  memoryRequest: string | number | undefined,
  nodeMemory: string | number | undefined,
): number {
  if (qosClass === "Guaranteed") return -997;
  const capacity = nodeMemory === undefined ? 0 : parseQuantity(nodeMemory).whole;
  if (qosClass === "BestEffort" || memoryRequest === undefined || capacity === 0) return 1000;
  const score = 1000 - Math.floor((1000 * parseQuantity(memoryRequest).whole) / capacity);
  return Math.min(Math.max(score, 3), 999);
}
