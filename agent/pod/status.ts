import { nodeOwnedPodConditions, type PodStatusReport, podStatusReport } from "../../shared/api/agent/pod-status-report.ts";
import { deepEqual } from "../../shared/kubernetes/deep-equal.ts";
import type { Pod } from "../../shared/kubernetes/types.ts";
import { podConditions, resizeConditions } from "./conditions.ts";
import { containerStatus, isoSeconds } from "./container-status.ts";
import { type Decision, evictionOf, type PodInput } from "./decide.ts";
import { phaseOf } from "./phase.ts";

export interface HostFacts {
  readonly runtimeKind: string;
  /** The node's addresses as `status.hostIPs` shows them, the first one being `hostIP`. */
  readonly hostIps: readonly string[];
}

/** The status a node reports for a pod, as kubelet's `generateAPIPodStatus` makes it. Pure; times of conditions are kept while they hold. */
export function statusOf(input: PodInput, decision: Decision, host: HostFacts): PodStatusReport {
  const { pod, memory, observed, previous, nowMs } = input;
  const startTime = isoSeconds(memory.startTimeMs);
  if (memory.rejected !== undefined) {
    const { reason, message } = memory.rejected;
    return { phase: "Failed", reason, message, startTime, conditions: [], containerStatuses: [], initContainerStatuses: [] };
  }
  const context = { input, decision, runtimeKind: host.runtimeKind };
  const initContainerStatuses = (pod.spec?.initContainers ?? []).map((container) =>
    containerStatus(container, { ...context, list: "initContainers" }),
  );
  const containerStatuses = (pod.spec?.containers ?? []).map((container) => containerStatus(container, { ...context, list: "containers" }));
  const ephemeralContainerStatuses = pod.spec?.ephemeralContainers?.map((container) =>
    containerStatus(container, { ...context, list: "ephemeralContainers" }),
  );
  const statuses = [...initContainerStatuses, ...containerStatuses];
  const eviction = evictionOf(input);
  const ending = input.removed || pod.metadata.deletionTimestamp !== undefined;
  const phase = finalPhase(
    eviction !== undefined,
    phaseOf(pod, statuses, decision.finished && ending),
    decision.finished && ending,
    previous,
  );
  const conditions = [
    ...podConditions({ pod, phase, statuses, sandboxReady: observed.ready !== undefined && hasAddress(input) }),
    ...resizeConditions(input),
  ];
  const ips = observed.ready?.sandbox.ips ?? (previous?.podIPs ?? []).map(({ ip }) => ip);
  const ended = eviction ?? (previous?.phase === "Failed" ? previous : undefined);
  return {
    phase,
    ...(ended?.reason === undefined ? {} : { reason: ended.reason }),
    ...(ended?.message === undefined ? {} : { message: ended.message }),
    conditions: conditions.map((condition) => {
      const old = previous?.conditions.find(({ type }) => type === condition.type);
      const kept = old?.status === condition.status ? old.lastTransitionTime : undefined;
      return { ...condition, lastTransitionTime: kept ?? isoSeconds(nowMs) };
    }),
    ...(host.hostIps[0] === undefined ? {} : { hostIP: host.hostIps[0], hostIPs: host.hostIps.map((ip) => ({ ip })) }),
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime,
    containerStatuses,
    initContainerStatuses,
    ...(ephemeralContainerStatuses && { ephemeralContainerStatuses }),
  };
}

function hasAddress({ observed }: PodInput): boolean {
  return (observed.ready?.sandbox.ips.length ?? 0) > 0;
}

/** A final phase stays; a pod that is torn down has one in the end (kubelet `TerminatePod`). */
function finalPhase(
  evicted: boolean,
  phase: PodStatusReport["phase"],
  tornDown: boolean,
  previous: PodStatusReport | undefined,
): PodStatusReport["phase"] {
  if (previous?.phase === "Succeeded" || previous?.phase === "Failed") return previous.phase;
  if (evicted) return "Failed";
  return tornDown && phase !== "Succeeded" ? "Failed" : phase;
}

const owned: ReadonlySet<string> = new Set(nodeOwnedPodConditions);

/** The part of an API status that a node reports, where one has reported before. */
export function reportOf({ status }: Pod): PodStatusReport | undefined {
  if (status?.startTime === undefined) return undefined;
  const { conditions = [], containerStatuses = [], initContainerStatuses = [] } = status;
  const own = conditions.filter(({ type }) => owned.has(type)).map(({ lastProbeTime: _, ...condition }) => condition);
  return podStatusReport.safeParse({ ...status, conditions: own, containerStatuses, initContainerStatuses }).data;
}

/** Whether two reports say the same of a pod to those who act on it. Times and messages do not count. */
export function saysSame(a: PodStatusReport | undefined, b: PodStatusReport | undefined): boolean {
  return deepEqual(a && gistOf(a), b && gistOf(b));
}

function gistOf({ phase, podIP, conditions, containerStatuses, initContainerStatuses }: PodStatusReport): unknown {
  return {
    phase,
    podIP,
    conditions: Object.fromEntries(conditions.filter(({ type }) => owned.has(type)).map(({ type, status }) => [type, status])),
    containers: [...initContainerStatuses, ...containerStatuses].map(({ name, state = {}, ready, restartCount, containerID = "" }) => ({
      ...{ name, ready, restartCount, containerID },
      is: Object.keys(state),
    })),
  };
}
