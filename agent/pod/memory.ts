import type { ResourceRequirements } from "../../shared/kubernetes/types.ts";
import type { BackOff } from "./back-off.ts";
import type { Allocation, PendingResize } from "./resize.ts";

/** What the agent knows of a pod beyond the runtime's word. Lost with the agent; every part of it is rebuilt or starts over. */
export interface PodMemory {
  /** When this node took the pod on (`status.startTime`). */
  readonly startTimeMs: number;
  /** The node refused it at admission, e.g. `OutOfcpu`. It never runs. */
  readonly rejected: { readonly reason: string; readonly message: string } | undefined;
  /** The node ends it on its own account, e.g. `DeadlineExceeded`: it becomes Failed with this. */
  readonly evicted: { readonly reason: string; readonly message: string } | undefined;
  /** The pod is to end: when its containers are killed at the latest. Set once and then only ever moved forward in time. */
  readonly stopDeadlineMs: number | undefined;
  readonly volumes: { readonly kind: "unmounted"; readonly retryAtMs: number } | { readonly kind: "mounted" };
  readonly sandboxRetryAtMs: number;
  readonly containers: ReadonlyMap<string, ContainerMemory>;
  /** What the containers have been granted, while that is not what the pod asks for. */
  readonly allocation: Allocation | undefined;
  /** Why it is not granted what it asks for. */
  readonly pendingResize: PendingResize | undefined;
  /** Keys of actions that are under way (`actionKey`). */
  readonly inFlight: ReadonlySet<string>;
}

export interface ContainerMemory {
  /** Why the last try to start it failed, and when the next one is due. */
  readonly failure: { readonly reason: string; readonly message: string; readonly atMs: number; readonly retryAtMs: number } | undefined;
  readonly crash: BackOff | undefined;
  readonly image: BackOff | undefined;
  /** The runtime container whose start is complete, its postStart hook included. */
  readonly startedId: string | undefined;
  readonly probes: ProbeResults | undefined;
  /** Termination messages by runtime container id. */
  readonly messages: ReadonlyMap<string, string>;
  /** The resources that a runtime container was started with or given since. */
  readonly actuated?: { readonly containerId: string; readonly resources: ResourceRequirements };
  /** Why they could not be given last, and when it is tried again. */
  readonly resizeFailure?: { readonly message: string; readonly retryAtMs: number } | undefined;
  /** A runtime container that was stopped for a resize: its end is none to its pod. */
  readonly restartOf?: string;
}

/** Results for one runtime container; those of an earlier one do not count. */
export interface ProbeResults {
  readonly containerId: string;
  /** True as soon as the startup probe has succeeded, or when there is none. */
  readonly started: boolean;
  /** What the readiness probe says; true when there is none. */
  readonly ready: boolean;
  /** The liveness or startup probe gave the container up. */
  readonly failed: { readonly probe: "liveness" | "startup"; readonly graceSeconds: number | undefined } | undefined;
}

export const newContainerMemory: ContainerMemory = {
  failure: undefined,
  crash: undefined,
  image: undefined,
  startedId: undefined,
  probes: undefined,
  messages: new Map(),
};

export function newPodMemory(startTimeMs: number): PodMemory {
  return {
    startTimeMs,
    rejected: undefined,
    evicted: undefined,
    stopDeadlineMs: undefined,
    volumes: { kind: "unmounted", retryAtMs: 0 },
    sandboxRetryAtMs: 0,
    containers: new Map(),
    allocation: undefined,
    pendingResize: undefined,
    inFlight: new Set(),
  };
}

export function withContainer(memory: PodMemory, name: string, change: Partial<ContainerMemory>): PodMemory {
  const containers = new Map(memory.containers);
  containers.set(name, { ...(memory.containers.get(name) ?? newContainerMemory), ...change });
  return { ...memory, containers };
}
