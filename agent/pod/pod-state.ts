import type { PodStatusReport } from "../../shared/api/agent/pod-status-report.ts";
import type { Container, Pod } from "../../shared/kubernetes/types.ts";
import type { AboutContainer, ContainerList } from "../event-recorder.ts";
import { type ContainerMemory, type PodMemory, withContainer } from "./memory.ts";
import type { ObservedPod } from "./observed.ts";
import { withAllocation } from "./resize.ts";

/** What a pod's worker and its acts share. They run on one thread, and between two waits it belongs to whoever runs. */
export interface PodState {
  readonly cluster: string;
  readonly uid: string;
  pod: Pod;
  /** Gone from the API, or its cluster from the pool. */
  removed: boolean;
  memory: PodMemory;
  observed: ObservedPod | undefined;
  /** The status that was found last. */
  previous: PodStatusReport | undefined;
  /** Look again. */
  wake(): void;
}

export function remember(state: PodState, name: string, change: Partial<ContainerMemory>): void {
  state.memory = withContainer(state.memory, name, change);
}

/** The pod with the resources that it has been granted. */
export const grantedPod = ({ pod, memory }: PodState): Pod => withAllocation(pod, memory.allocation);

/** How long its containers may take to end. */
export const graceSecondsOf = ({ metadata, spec }: Pod): number =>
  metadata.deletionGracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? 30;

export const podIpsOf = ({ observed }: PodState): readonly string[] => observed?.ready?.sandbox.ips ?? [];

export const isEnding = ({ pod, removed }: PodState): boolean => removed || pod.metadata.deletionTimestamp !== undefined;

export const containerOf = ({ pod: { spec } }: PodState, name: string): Container | undefined =>
  [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])].find(
    (container) => container.name === name,
  );

const otherLists: readonly ContainerList[] = ["initContainers", "ephemeralContainers"];

/** How events name a container. */
export const aboutContainer = ({ pod }: PodState, name: string): AboutContainer => ({
  name,
  list: otherLists.find((list) => pod.spec?.[list]?.some((container) => container.name === name)) ?? "containers",
});
