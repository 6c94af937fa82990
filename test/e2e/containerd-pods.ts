import type { ContainerRuntime, ContainerSpec, SandboxSpec } from "../../agent/runtime.ts";
import { type ContainerdFixture, testImage } from "./containerd-fixture.ts";

/** A sandbox of a test's pod; the uid follows from cluster and name. */
export function sandboxSpec(fixture: ContainerdFixture, cluster: string, name: string, change: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    podUid: `${cluster}-${name}`,
    namespace: "shop",
    name,
    cluster,
    attempt: 0,
    hostname: name,
    hostNetwork: false,
    hostPid: false,
    hostIpc: false,
    shareProcessNamespace: false,
    dns: undefined,
    portMappings: [],
    labels: {},
    annotations: {},
    sysctls: {},
    logDirectory: `${fixture.directory}/logs/${cluster}-${name}`,
    ...change,
  };
}

/** A container of the test image that runs a line of shell. */
export function shellContainer(imageId: string, script: string, change: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: "main",
    attempt: 0,
    image: testImage,
    imageId,
    command: ["sh", "-c"],
    args: [script],
    workingDirectory: undefined,
    environment: [],
    mounts: [],
    logPath: "main/0.log",
    tty: false,
    stdin: false,
    security: {
      runAsUser: undefined,
      runAsGroup: undefined,
      supplementalGroups: [],
      privileged: false,
      readOnlyRootFilesystem: false,
      addCapabilities: [],
      dropCapabilities: [],
      noNewPrivileges: false,
    },
    resources: { cpuRequestMillis: 10, cpuLimitMillis: undefined, memoryLimitBytes: undefined, oomScoreAdjust: 1000 },
    ...change,
  };
}

/** Runs a line of shell in a container and answers its trimmed output, whatever its exit code. */
export async function shell(runtime: ContainerRuntime, containerId: string, script: string): Promise<string> {
  const { output } = await runtime.exec(containerId, ["sh", "-c", script], 20);
  return output.trim();
}

/** Polls until `check` holds. */
export async function eventually(check: () => Promise<boolean>, timeoutMs: number): Promise<boolean> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; ) {
    if (await check()) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}
