import { z } from "zod";
import type { ContainerSpec, SandboxSpec } from "../runtime.ts";
import type { CriImage } from "./cri-messages.ts";

/** Labels of the kubelet (`pkg/kubelet/types/labels.go`), so that crictl and log collectors recognize the pods, and this project's own. */
export const criLabels = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  containerName: "io.kubernetes.container.name",
  cluster: "coracle.dev/cluster",
  instance: "coracle.dev/instance",
} as const;

const annotations = { sandbox: "coracle.dev/sandbox", image: "coracle.dev/image" } as const;

const namespaceMode = z.enum(["POD", "CONTAINER", "NODE"]);

const sandboxFacts = z.object({
  logDirectory: z.string(),
  hostname: z.string(),
  namespaceOptions: z.object({ network: namespaceMode, pid: namespaceMode, ipc: namespaceMode }),
  privileged: z.boolean().default(false),
});
/** What of a sandbox its containers need; kept in the sandbox's annotations, so that an agent that started anew still knows it. */
export type SandboxFacts = z.infer<typeof sandboxFacts>;

/** The `PodSandboxConfig` of a pod. */
export function sandboxConfigOf(spec: SandboxSpec, instance: string): object {
  const facts: SandboxFacts = {
    logDirectory: spec.logDirectory,
    hostname: spec.hostNetwork ? "" : spec.hostname,
    namespaceOptions: namespaceOptionsOf(spec),
    privileged: spec.privileged,
  };
  return {
    metadata: { name: spec.name, uid: spec.podUid, namespace: spec.namespace, attempt: spec.attempt },
    hostname: facts.hostname,
    log_directory: facts.logDirectory,
    ...(spec.dns === undefined ? {} : { dns_config: spec.dns }),
    port_mappings: spec.portMappings.map((mapping) => ({
      protocol: mapping.protocol,
      container_port: mapping.containerPort,
      host_port: mapping.hostPort,
      host_ip: mapping.hostIp,
    })),
    labels: {
      ...spec.labels,
      [criLabels.podName]: spec.name,
      [criLabels.podNamespace]: spec.namespace,
      [criLabels.podUid]: spec.podUid,
      [criLabels.cluster]: spec.cluster,
      [criLabels.instance]: instance,
    },
    annotations: {
      ...spec.annotations,
      [annotations.sandbox]: JSON.stringify(facts),
    },
    linux: { security_context: sandboxSecurityOf(facts), sysctls: spec.sysctls },
  };
}

/** The `LinuxSandboxSecurityContext`. containerd wants it again with each container. */
export function sandboxSecurityOf({ namespaceOptions, privileged }: SandboxFacts): object {
  return { namespace_options: namespaceOptions, privileged };
}

function namespaceOptionsOf(spec: SandboxSpec): SandboxFacts["namespaceOptions"] {
  return {
    network: spec.hostNetwork ? "NODE" : "POD",
    pid: spec.hostPid ? "NODE" : spec.shareProcessNamespace ? "POD" : "CONTAINER",
    ipc: spec.hostIpc ? "NODE" : "POD",
  };
}

/** Reads back what `sandboxConfigOf` kept in the annotations; undefined for a sandbox that is not ours. */
export function sandboxFactsOf(sandboxAnnotations: Readonly<Record<string, string>>): SandboxFacts | undefined {
  const text = sandboxAnnotations[annotations.sandbox];
  if (text === undefined) return undefined;
  const parsed = sandboxFacts.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
}

/** The image as the pod's author wrote it; containerd itself only keeps what it resolved. */
export function imageOf(containerAnnotations: Readonly<Record<string, string>>): string | undefined {
  return containerAnnotations[annotations.image];
}

/** The `ContainerConfig` of a container; `labels` are those of its sandbox. */
export function containerConfigOf(
  spec: ContainerSpec,
  sandbox: SandboxFacts,
  labels: Readonly<Record<string, string>>,
  image: CriImage | undefined,
): object {
  return {
    metadata: { name: spec.name, attempt: spec.attempt },
    image: { image: spec.imageId, user_specified_image: spec.image },
    command: spec.command,
    args: spec.args,
    working_dir: spec.workingDirectory ?? "",
    envs: spec.environment.map(({ name, value }) => ({ key: name, value })),
    mounts: spec.mounts.map((mount) => ({
      host_path: mount.hostPath,
      container_path: mount.containerPath,
      readonly: mount.readOnly,
      propagation: propagations[mount.propagation],
    })),
    labels: {
      ...Object.fromEntries(inheritedLabels.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]]]))),
      [criLabels.containerName]: spec.name,
    },
    annotations: { [annotations.image]: spec.image },
    log_path: spec.logPath,
    stdin: spec.stdin,
    stdin_once: spec.stdinOnce === true,
    tty: spec.tty,
    linux: { resources: cgroupResourcesOf(spec.resources), security_context: securityContextOf(spec, sandbox, image) },
  };
}

const inheritedLabels = [criLabels.podName, criLabels.podNamespace, criLabels.podUid, criLabels.cluster, criLabels.instance];

const propagations = {
  None: "PROPAGATION_PRIVATE",
  HostToContainer: "PROPAGATION_HOST_TO_CONTAINER",
  Bidirectional: "PROPAGATION_BIDIRECTIONAL",
} as const;

const cpuPeriodMicros = 100_000;

/** Millicores to cgroup shares and quota as the kubelet does (`pkg/kubelet/cm/helpers_linux.go`: shares 2 to 262144, quota at least 1 ms). */
export function cgroupResourcesOf(resources: ContainerSpec["resources"]): Record<string, string> {
  const shares = Math.min(Math.max(Math.floor((resources.cpuRequestMillis * 1024) / 1000), 2), 262_144);
  return {
    cpu_shares: String(shares),
    oom_score_adj: String(resources.oomScoreAdjust),
    ...(resources.cpuLimitMillis === undefined
      ? {}
      : {
          cpu_period: String(cpuPeriodMicros),
          cpu_quota: String(Math.max(Math.floor((resources.cpuLimitMillis * cpuPeriodMicros) / 1000), 1_000)),
        }),
    ...(resources.memoryLimitBytes === undefined ? {} : { memory_limit_in_bytes: String(resources.memoryLimitBytes) }),
  };
}

/** Only where a container has processes of its own there is anything to share (kubelet `security_context.go`). */
function namespacesOf({ targetContainerId }: ContainerSpec, { namespaceOptions }: SandboxFacts): object {
  if (targetContainerId === undefined || namespaceOptions.pid !== "CONTAINER") return namespaceOptions;
  return { ...namespaceOptions, pid: "TARGET", target_id: targetContainerId };
}

function securityContextOf(spec: ContainerSpec, sandbox: SandboxFacts, image: CriImage | undefined): object {
  const { security } = spec;
  return {
    namespace_options: namespacesOf(spec, sandbox),
    privileged: security.privileged,
    readonly_rootfs: security.readOnlyRootFilesystem,
    no_new_privs: security.noNewPrivileges,
    supplemental_groups: security.supplementalGroups.map(String),
    capabilities: { add_capabilities: security.addCapabilities, drop_capabilities: security.dropCapabilities },
    ...(security.privileged ? {} : { masked_paths: maskedPaths, readonly_paths: readOnlyPaths }),
    ...userOf(security, image),
  };
}

/** A group without a user is refused by the interface, so the image's own user is named then. */
function userOf(security: ContainerSpec["security"], image: CriImage | undefined): object {
  if (security.runAsUser === undefined && security.runAsGroup === undefined) return {};
  const group = security.runAsGroup === undefined ? {} : { run_as_group: { value: String(security.runAsGroup) } };
  if (security.runAsUser !== undefined) return { run_as_user: { value: String(security.runAsUser) }, ...group };
  if (image !== undefined && image.username !== "") return { run_as_username: image.username, ...group };
  return { run_as_user: { value: image?.uid?.value ?? "0" }, ...group };
}

/** The kubelet's defaults for `procMount: Default` (`pkg/securitycontext/util.go`); the runtime masks only what it is told to. */
const maskedPaths = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const readOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
