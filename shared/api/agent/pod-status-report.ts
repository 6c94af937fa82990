import { z } from "zod";

const text = z.string().max(8192);
const time = z.string().max(64);

const amounts = z.record(z.string().max(253), z.union([z.string().max(64), z.number()]));

const containerState = z.object({
  waiting: z.object({ reason: text.exactOptional(), message: text.exactOptional() }).exactOptional(),
  running: z.object({ startedAt: time.exactOptional() }).exactOptional(),
  terminated: z
    .object({
      exitCode: z.number().int(),
      signal: z.number().int().exactOptional(),
      reason: text.exactOptional(),
      /** Kubernetes keeps at most 4,096 bytes of a termination message. */
      message: text.exactOptional(),
      startedAt: time.exactOptional(),
      finishedAt: time.exactOptional(),
      containerID: text.exactOptional(),
    })
    .exactOptional(),
});

const containerStatus = z.object({
  name: z.string().min(1).max(253),
  state: containerState.exactOptional(),
  lastState: containerState.exactOptional(),
  ready: z.boolean(),
  restartCount: z.number().int().nonnegative(),
  image: text,
  imageID: text,
  containerID: text.exactOptional(),
  started: z.boolean().exactOptional(),
  resources: z.object({ requests: amounts.exactOptional(), limits: amounts.exactOptional() }).exactOptional(),
});

/** Whose writes nodes' reports are in `managedFields`. */
export const nodeFieldManager = "coracle-agent";

/** The condition types that belong to the node (kubelet `PodConditionByKubelet`); a report may name no others. */
export const nodeOwnedPodConditions = [
  ...(["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"] as const),
  ...(["PodResizePending", "PodResizeInProgress"] as const),
] as const;

/** The part of a pod's status that a node reports: everything else of it belongs to others and is kept. */
export const podStatusReport = z.object({
  phase: z.enum(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
  reason: text.exactOptional(),
  message: text.exactOptional(),
  conditions: z.array(
    z.object({
      type: z.enum([...nodeOwnedPodConditions, "DisruptionTarget"]),
      status: z.enum(["True", "False", "Unknown"]),
      reason: text.exactOptional(),
      message: text.exactOptional(),
      lastTransitionTime: time.exactOptional(),
    }),
  ),
  hostIP: text.exactOptional(),
  hostIPs: z.array(z.object({ ip: text })).exactOptional(),
  podIP: text.exactOptional(),
  podIPs: z.array(z.object({ ip: text })).exactOptional(),
  startTime: time.exactOptional(),
  containerStatuses: z.array(containerStatus),
  initContainerStatuses: z.array(containerStatus),
  ephemeralContainerStatuses: z.array(containerStatus).exactOptional(),
});
export type PodStatusReport = z.infer<typeof podStatusReport>;
export type ContainerStatusReport = z.infer<typeof containerStatus>;
export type ContainerStateReport = z.infer<typeof containerState>;
