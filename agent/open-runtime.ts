import { join } from "node:path";
import type { Clock } from "../shared/clock.ts";
import type { Log } from "../shared/telemetry/log.ts";
import { createHollowRuntime } from "./hollow/hollow-runtime.ts";
import { agentInstance } from "./instance.ts";
import { hostAddress } from "./node-facts.ts";
import type { ContainerRuntime } from "./runtime.ts";

export type RuntimeChoice = ContainerRuntime["kind"] | "auto";

export interface OpenRuntimeOptions {
  /** `auto`: containerd where it answers, else processes. */
  readonly runtime: RuntimeChoice;
  /** CRI socket, default `unix:///run/containerd/containerd.sock`. */
  readonly runtimeEndpoint?: string | undefined;
  readonly nodeName: string;
  /** The node's own: identity, volumes, logs, state of processes. Absolute: supervisors of processes have a working directory of their own. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Loads only what the node uses: gRPC is not for process nodes. @throws Error when the runtime that was asked for is not there. */
export async function openRuntime(options: OpenRuntimeOptions): Promise<ContainerRuntime> {
  const { runtime, runtimeEndpoint, nodeName, stateDirectory, clock, log } = options;
  if (runtime === "hollow") return createHollowRuntime({ nodeIndex: 0, clock });
  if (runtime !== "process") {
    const { detectContainerd } = await import("./containerd/detect.ts");
    const found = await detectContainerd(runtimeEndpoint);
    if (found.kind === "usable") {
      const { createContainerdRuntime } = await import("./containerd/containerd-runtime.ts");
      const instance = agentInstance(nodeName, stateDirectory);
      return createContainerdRuntime({ endpoint: found.endpoint, instance, hostAddresses: [hostAddress()], clock, log });
    }
    if (runtime === "containerd") throw new Error(`containerd cannot be used: ${found.reason}`);
    log.info("no containerd here: pods run as processes", { reason: found.reason });
  }
  const { createProcessRuntime } = await import("./process/process-runtime.ts");
  return createProcessRuntime({ directory: join(stateDirectory, "process"), hostAddresses: [hostAddress()], clock, log });
}
