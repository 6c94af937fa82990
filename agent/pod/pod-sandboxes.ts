import type { Pod } from "../../shared/kubernetes/types.ts";
import { sandboxSpec } from "./container-spec.ts";
import type { NodeContext } from "./pod-context.ts";
import type { PodState } from "./pod-state.ts";

const retryMs = 5000;

/** Makes the pod a sandbox in the place of those that ended. What goes wrong is an event, and is tried again. */
export async function runPodSandbox(state: PodState, attempt: number, node: NodeContext): Promise<void> {
  const { cluster, pod } = state;
  const { runtime, events } = node;
  if (attempt > 0) events.pod(cluster, pod, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
  for (const { sandbox } of state.observed?.sandboxes.slice(1) ?? []) await runtime.removeSandbox(sandbox.id);
  try {
    const dns = await node.network?.dnsFor(cluster, pod);
    const context = { cluster, attempt, nodeName: node.nodeName, dns, logDirectory: node.files.logDirectory(pod) };
    const sandbox = await runtime.runSandbox(withEnds(sandboxSpec(pod, context), pod, runtime.kind));
    await node.network?.addressed(cluster, pod, sandbox.ips);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    events.pod(cluster, pod, "Warning", "FailedCreatePodSandBox", `Failed to create pod sandbox: ${message}`);
    state.memory = { ...state.memory, sandboxRetryAtMs: node.clock.now() + retryMs };
  }
}

/** Takes away whatever of the pod is on the node. */
export async function removePod({ observed, pod, uid }: PodState, node: NodeContext): Promise<void> {
  for (const { sandbox } of observed?.sandboxes ?? []) await node.runtime.removeSandbox(sandbox.id);
  await node.files.tearDown(uid, node.files.logDirectory(pod));
}

/** A runtime that runs nothing cannot know which containers would end: it is told. */
function withEnds<T extends { readonly annotations: Readonly<Record<string, string>> }>(spec: T, pod: Pod, runtimeKind: string): T {
  if (runtimeKind !== "hollow") return spec;
  const ends = [
    ...(pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy !== "Always").map(({ name }) => `${name}=0`),
    ...(pod.spec?.restartPolicy === "Always" ? [] : (pod.spec?.containers ?? []).map(({ name }) => `${name}=1000`)),
  ];
  return { ...spec, annotations: { ...spec.annotations, "hollow.coracle.dev/ends-after-ms": ends.join(",") } };
}
