import type { Duplex, Readable, Writable } from "node:stream";

/**
 * What the agent needs of whatever runs containers: CRI over containerd, host processes, or nothing at all (hollow).
 * The pod life cycle (restarts, probes, init containers, termination, volumes, environment) is the agent's own and the same for all.
 * Identifiers are the runtime's. Every call may be repeated after a crash of the agent; `list` is how it finds what still runs.
 */
export interface ContainerRuntime {
  readonly kind: "containerd" | "process" | "hollow";
  /** For `status.nodeInfo.containerRuntimeVersion`, e.g. `containerd://1.6.20`. */
  version(): Promise<string>;
  /** Everything of this agent that exists, running or not. */
  list(): Promise<RuntimePod[]>;
  /** Makes the sandbox with its network, or finds the ready one of the same pod uid and attempt. */
  runSandbox(sandbox: SandboxSpec): Promise<RuntimeSandbox>;
  /** Ends whatever runs in it at once and releases its address. Idempotent. */
  stopSandbox(sandboxId: string): Promise<void>;
  removeSandbox(sandboxId: string): Promise<void>;
  /** Makes the image usable; answers its resolved reference and whether it had to be pulled. Throws `RuntimeError` with `ErrImagePull`, `ErrImageNeverPull` or `InvalidImageName`. */
  ensureImage(image: string, pullPolicy: "Always" | "IfNotPresent" | "Never"): Promise<{ imageId: string; pulled?: boolean }>;
  /** Makes and starts a container; answers its id. Throws `RuntimeError` (`CreateContainerError`, `RunContainerError`). */
  startContainer(sandboxId: string, container: ContainerSpec): Promise<string>;
  /** SIGTERM (or the image's stop signal), then SIGKILL after `graceSeconds`. Resolves when it has ended. */
  stopContainer(containerId: string, graceSeconds: number): Promise<void>;
  removeContainer(containerId: string): Promise<void>;
  /**
   * Gives a running container other CPU and memory. Idempotent. Where limits are not enforced there is nothing to do. Throws `RuntimeError`,
   * then everything is as it was, or as the runtime left it.
   */
  updateResources(containerId: string, resources: ContainerSpec["resources"]): Promise<void>;
  /** Runs a command inside to its end (probes, hooks). `output` is stdout and stderr, at most 10 KiB. */
  exec(
    containerId: string,
    command: readonly string[],
    timeoutSeconds: number,
  ): Promise<{ exitCode: number; output: string; timedOut: boolean }>;
  /** Reaches into what runs. Absent: nothing runs. */
  readonly streaming?: StreamingRuntime;
  /** Calls `onEvent` soon after a container or sandbox of a pod changed state; the agent then lists. Missing an event is allowed. */
  watch(onEvent: (podUid: string) => void): () => void;
  close(): Promise<void>;
}

export interface StreamingRuntime {
  /** Runs a command inside until its end, or until `gone`. Output is whole when it resolves. @throws RuntimeError when it cannot be run */
  exec(containerId: string, command: readonly string[], io: ContainerStreams): Promise<{ exitCode: number }>;
  /** The container's own streams from now on, until it ends or `gone`. @throws RuntimeError when it cannot be attached to */
  attach(containerId: string, io: ContainerStreams): Promise<void>;
  /** A connection to a port as the pod itself reaches it at `localhost`. @throws Error in the words of a dialer */
  forward(sandboxId: string, port: number): Promise<Duplex>;
}

/** The other end of a container's streams. Those that were not asked for are absent. */
export interface ContainerStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  /** Absent with a terminal, which has one output. */
  readonly stderr: Writable | undefined;
  readonly tty: boolean;
  onResize(listener: (size: TerminalSize) => void): void;
  /** Aborted when nobody is there any more. */
  readonly gone: AbortSignal;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface SandboxSpec {
  readonly podUid: string;
  readonly namespace: string;
  readonly name: string;
  /** Which cluster of the pool; part of every label, directory and network rule. */
  readonly cluster: string;
  readonly attempt: number;
  readonly hostname: string;
  readonly hostNetwork: boolean;
  readonly hostPid: boolean;
  readonly hostIpc: boolean;
  readonly shareProcessNamespace: boolean;
  /** One of its containers is privileged: only then a runtime lets any of them be. */
  readonly privileged: boolean;
  /** Lines for /etc/resolv.conf in parts; undefined: the host's own. */
  readonly dns: { servers: readonly string[]; searches: readonly string[]; options: readonly string[] } | undefined;
  readonly portMappings: readonly { hostPort: number; containerPort: number; protocol: "TCP" | "UDP" | "SCTP"; hostIp: string }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly sysctls: Readonly<Record<string, string>>;
  /** Container logs lie here, in CRI format (`TIME stdout|stderr F|P text`), at the `logPath` of each container. */
  readonly logDirectory: string;
}

export interface ContainerSpec {
  readonly name: string;
  /** Restart count: part of the container's identity and of its log's name. */
  readonly attempt: number;
  readonly image: string;
  readonly imageId: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDirectory: string | undefined;
  readonly environment: readonly { name: string; value: string }[];
  readonly mounts: readonly {
    hostPath: string;
    containerPath: string;
    readOnly: boolean;
    propagation: "None" | "HostToContainer" | "Bidirectional";
  }[];
  /** Relative to the sandbox's log directory, e.g. `main/0.log`. */
  readonly logPath: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** The container whose processes it sees, where the runtime keeps those of containers apart. Absent: its own alone. */
  readonly targetContainerId?: string;
  /** The input ends with the first who was attached to it. */
  readonly stdinOnce?: boolean;
  readonly security: {
    readonly runAsUser: number | undefined;
    readonly runAsGroup: number | undefined;
    readonly supplementalGroups: readonly number[];
    readonly privileged: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly addCapabilities: readonly string[];
    readonly dropCapabilities: readonly string[];
    readonly noNewPrivileges: boolean;
  };
  readonly resources: {
    readonly cpuRequestMillis: number;
    readonly cpuLimitMillis: number | undefined;
    readonly memoryLimitBytes: number | undefined;
    readonly oomScoreAdjust: number;
  };
}

export interface RuntimeSandbox {
  readonly id: string;
  readonly ready: boolean;
  /** Empty until the network is up; the host's address with host networking. */
  readonly ips: readonly string[];
  readonly createdAtMs: number;
}

export interface RuntimePod {
  readonly podUid: string;
  readonly namespace: string;
  readonly name: string;
  readonly cluster: string;
  readonly attempt: number;
  readonly sandbox: RuntimeSandbox;
  readonly containers: readonly RuntimeContainer[];
}

export interface RuntimeContainer {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  readonly imageId: string;
  readonly state:
    | { readonly kind: "created" }
    | { readonly kind: "running"; readonly startedAtMs: number }
    | {
        readonly kind: "exited";
        readonly startedAtMs: number;
        readonly finishedAtMs: number;
        readonly exitCode: number;
        readonly signal: number;
        readonly reason: "Completed" | "Error" | "OOMKilled" | string;
      };
}

/** `reason` is what a container's `waiting.reason` shows. */
export class RuntimeError extends Error {
  readonly reason: string;
  constructor(reason: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "RuntimeError";
    this.reason = reason;
  }
}
