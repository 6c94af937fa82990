import { randomUUID } from "node:crypto";
import type { ContainerSpec, SandboxSpec } from "../../agent/runtime.ts";

/** What a container may do by default: everything that its runtime lets it. */
export const plainSecurity: ContainerSpec["security"] = {
  runAsUser: undefined,
  runAsGroup: undefined,
  supplementalGroups: [],
  privileged: false,
  readOnlyRootFilesystem: false,
  addCapabilities: [],
  dropCapabilities: [],
  noNewPrivileges: false,
};

/** A sandbox of the pod `default/pod` of the cluster `c1`; each call is another pod. */
export const sandboxSpecOf = (logDirectory: string, change: Partial<SandboxSpec> = {}): SandboxSpec => ({
  podUid: randomUUID(),
  namespace: "default",
  name: "pod",
  cluster: "c1",
  attempt: 0,
  hostname: "pod",
  hostNetwork: false,
  hostPid: false,
  hostIpc: false,
  shareProcessNamespace: false,
  privileged: false,
  dns: undefined,
  portMappings: [],
  labels: {},
  annotations: {},
  sysctls: {},
  logDirectory,
  ...change,
});

/** A container `main` of an image, which is not looked up. */
export const containerSpecOf = (image: string, command: readonly string[], change: Partial<ContainerSpec> = {}): ContainerSpec => ({
  name: "main",
  attempt: 0,
  image,
  imageId: image,
  command,
  args: [],
  workingDirectory: undefined,
  environment: [],
  mounts: [],
  logPath: "main/0.log",
  tty: false,
  stdin: false,
  security: plainSecurity,
  resources: { cpuRequestMillis: 0, cpuLimitMillis: undefined, memoryLimitBytes: undefined, oomScoreAdjust: 0 },
  ...change,
});
