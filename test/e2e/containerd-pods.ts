import type { ContainerRuntime, ContainerSpec, SandboxSpec } from "../../agent/runtime.ts";
import { containerSpecOf, sandboxSpecOf } from "../contract/runtime-specs.ts";
import { type ContainerdFixture, testImage } from "./containerd-fixture.ts";

/** A sandbox of a test's pod; the uid follows from cluster and name. */
export function sandboxSpec(fixture: ContainerdFixture, cluster: string, name: string, change: Partial<SandboxSpec> = {}): SandboxSpec {
  const logDirectory = `${fixture.directory}/logs/${cluster}-${name}`;
  return sandboxSpecOf(logDirectory, { podUid: `${cluster}-${name}`, namespace: "shop", name, cluster, hostname: name, ...change });
}

/** A container of the test image that runs a line of shell. */
export function shellContainer(imageId: string, script: string, change: Partial<ContainerSpec> = {}): ContainerSpec {
  const resources = { cpuRequestMillis: 10, cpuLimitMillis: undefined, memoryLimitBytes: undefined, oomScoreAdjust: 1000 };
  return containerSpecOf(testImage, ["sh", "-c"], { imageId, args: [script], resources, ...change });
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
