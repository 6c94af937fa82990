import type { NodeContext } from "./pod-context.ts";
import { type PodState, podIpsOf } from "./pod-state.ts";

const retryMs = { first: 500, last: 122_000 };
const refreshRetryMs = 60_000;

/** The pod's volumes: made before its first container starts, and kept as fresh as what they show. */
export interface PodMounts {
  mount(): Promise<void>;
  /** Does nothing while they are not mounted. */
  refresh(): Promise<void>;
  /** When a token among them should be fetched anew, ms. */
  readonly refreshDueMs: number | undefined;
}

export function createPodMounts(state: PodState, node: NodeContext): PodMounts {
  const { cluster, uid } = state;
  let delayMs = retryMs.first;
  let refreshDueMs: number | undefined;

  const setUp = async (): Promise<void> => {
    const { pod } = state;
    const namespace = pod.metadata.namespace ?? "";
    await node.files.setUp(pod, {
      pod,
      place: { podIps: podIpsOf(state), hostIps: node.hostIps, allocatable: node.allocatable() },
      configMap: (name) => node.configuration.configMap(cluster, namespace, name),
      secret: (name) => node.configuration.secret(cluster, namespace, name),
      token: (audience, expirationSeconds) => node.configuration.token(cluster, pod, audience, expirationSeconds),
    });
    refreshDueMs = node.configuration.tokenRefreshAtMs(uid);
  };
  const failed = (error: unknown): void =>
    node.events.pod(cluster, state.pod, "Warning", "FailedMount", error instanceof Error ? error.message : String(error));

  return {
    get refreshDueMs() {
      return refreshDueMs;
    },
    async mount() {
      try {
        await setUp();
        state.memory = { ...state.memory, volumes: { kind: "mounted" } };
      } catch (error) {
        failed(error);
        state.memory = { ...state.memory, volumes: { kind: "unmounted", retryAtMs: node.clock.now() + delayMs } };
        delayMs = Math.min(delayMs * 2, retryMs.last);
      }
    },
    async refresh() {
      refreshDueMs = undefined;
      if (state.memory.volumes.kind !== "mounted") return;
      try {
        await setUp();
      } catch (error) {
        failed(error);
        refreshDueMs = node.clock.now() + refreshRetryMs;
      }
      state.wake();
    },
  };
}
