import type { Container } from "../../shared/kubernetes/types.ts";
import type { CheckTarget } from "../probes/check.ts";
import { type Prober, startProber } from "../probes/prober.ts";
import type { RuntimeContainer } from "../runtime.ts";
import type { NodeContext } from "./pod-context.ts";
import { aboutContainer, isEnding, type PodState, podIpsOf, remember } from "./pod-state.ts";

/** Where probes and hooks of a container go. */
export const checkTargetOf = (state: PodState, container: Container, containerId: string, { runtime }: NodeContext): CheckTarget => ({
  container,
  podIp: runtime.kind === "hollow" ? undefined : (podIpsOf(state)[0] ?? "127.0.0.1"),
  exec: (command, timeoutSeconds) => runtime.exec(containerId, command, timeoutSeconds),
});

/** The probes of a pod's containers; their results are in its memory. */
export interface PodProbers {
  /** A container runs: `running` is absent for one that was started just now. */
  begin(container: Container, running: RuntimeContainer | undefined, containerId: string): void;
  /** A container is asked to end: of a pod that goes on, nothing is probed any more; of one that ends, its readiness still is. */
  ending(name: string): void;
  end(name: string): void;
  endAll(): void;
}

export function createPodProbers(state: PodState, node: NodeContext): PodProbers {
  const { clock, events, runtime } = node;
  const probers = new Map<string, Prober>();
  const end = (name: string): void => {
    probers.get(name)?.stop();
    probers.delete(name);
  };
  return {
    begin(container, running, containerId) {
      const { name } = container;
      const { containerStatuses = [], initContainerStatuses = [] } = state.previous ?? {};
      const known = [...containerStatuses, ...initContainerStatuses].find(
        ({ containerID }) => containerID === `${runtime.kind}://${containerId}`,
      );
      probers.get(name)?.stop();
      const prober = startProber(container, {
        containerId,
        startedAtMs: running?.state.kind === "running" ? running.state.startedAtMs : clock.now(),
        target: checkTargetOf(state, container, containerId, node),
        known: known === undefined ? undefined : { started: known.started === true, ready: known.ready },
        clock,
        random: node.random,
        onResults: (probes) => {
          remember(state, name, { probes });
          state.wake();
        },
        onUnhealthy: (message) => events.pod(state.cluster, state.pod, "Warning", "Unhealthy", message, aboutContainer(state, name)),
      });
      probers.set(name, prober);
      remember(state, name, {
        startedId: containerId,
        probes: prober.results,
        failure: undefined,
        image: undefined,
        ...(known?.resources && { actuated: { containerId, resources: known.resources } }),
      });
    },
    ending(name) {
      if (isEnding(state)) probers.get(name)?.stopLiveness();
      else end(name);
    },
    end,
    endAll() {
      for (const name of [...probers.keys()]) end(name);
    },
  };
}
