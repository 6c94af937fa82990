import type { ContainerStatusReport, PodStatusReport } from "../../shared/api/agent/pod-status-report.ts";
import type { Container, Pod } from "../../shared/kubernetes/types.ts";
import { isSidecar, type PodInput } from "./decide.ts";
import { actualOf, sameResources } from "./resize.ts";

type Condition = PodStatusReport["conditions"][number];
type Verdict = Omit<Condition, "type" | "lastTransitionTime">;

export interface ConditionInput {
  readonly pod: Pod;
  readonly phase: PodStatusReport["phase"];
  readonly statuses: readonly ContainerStatusReport[];
  readonly sandboxReady: boolean;
}

/** The conditions that a kubelet reports, in its order, with its reasons and messages (`pkg/kubelet/status/generate.go`), without times. */
export function podConditions(input: ConditionInput): (Verdict & { readonly type: Condition["type"] })[] {
  const containersReady = containersReadyVerdict(input);
  return [
    { type: "PodReadyToStartContainers", status: input.sandboxReady ? "True" : "False" },
    { type: "Initialized", ...initializedVerdict(input) },
    { type: "Ready", ...readyVerdict(input.pod, containersReady) },
    { type: "ContainersReady", ...containersReady },
  ];
}

/** What stands between the resources that a pod asks for and those that it has (KEP-1287); nothing where they are the same. */
export function resizeConditions({ pod, observed, memory }: PodInput): (Verdict & { readonly type: Condition["type"] })[] {
  const { pendingResize } = memory;
  const underWay = [...(pod.spec?.initContainers ?? []).filter(isSidecar), ...(pod.spec?.containers ?? [])].filter((container) => {
    const running = observed.current.get(container.name);
    const actual = running?.state.kind === "running" ? actualOf(memory.containers.get(container.name), running.id) : undefined;
    return actual !== undefined && !sameResources(actual, container.resources);
  });
  const failure = underWay.map(({ name }) => memory.containers.get(name)?.resizeFailure).find((each) => each !== undefined);
  return [
    ...(pendingResize ? [{ type: "PodResizePending" as const, status: "True" as const, ...pendingResize }] : []),
    ...(underWay.length > 0
      ? [{ type: "PodResizeInProgress" as const, status: "True" as const, ...(failure && { reason: "Error", message: failure.message }) }]
      : []),
  ];
}

const names = (containers: readonly Container[]): string => `[${containers.map(({ name }) => name).join(" ")}]`;

function initializedVerdict({ pod, phase, statuses }: ConditionInput): Verdict {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const inits = pod.spec?.initContainers ?? [];
  const anyStarted = (pod.spec?.containers ?? []).some(({ name }) => {
    const status = byName.get(name);
    return status?.state?.running !== undefined || status?.state?.terminated !== undefined || status?.lastState?.terminated !== undefined;
  });
  const unknown = inits.filter(({ name }) => !byName.has(name));
  const incomplete = inits.filter((container) => {
    const status = byName.get(container.name);
    if (status === undefined) return false;
    return isSidecar(container) ? status.started !== true && !anyStarted : !status.ready;
  });
  if (phase === "Succeeded" && unknown.length === 0) return { status: "True", reason: "PodCompleted" };
  const parts = [
    ...(unknown.length > 0 ? [`containers with unknown status: ${names(unknown)}`] : []),
    ...(incomplete.length > 0 ? [`containers with incomplete status: ${names(incomplete)}`] : []),
  ];
  if (parts.length === 0) return { status: "True" };
  return { status: "False", reason: "ContainersNotInitialized", message: parts.join(", ") };
}

function containersReadyVerdict({ pod, phase, statuses }: ConditionInput): Verdict {
  if (phase === "Succeeded") return { status: "False", reason: "PodCompleted" };
  if (phase === "Failed") return { status: "False", reason: "PodFailed" };
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const counted = [...(pod.spec?.initContainers ?? []).filter(isSidecar), ...(pod.spec?.containers ?? [])];
  const unknown = counted.filter(({ name }) => !byName.has(name));
  const unready = counted.filter(({ name }) => byName.get(name)?.ready === false);
  const parts = [
    ...(unknown.length > 0 ? [`containers with unknown status: ${names(unknown)}`] : []),
    ...(unready.length > 0 ? [`containers with unready status: ${names(unready)}`] : []),
  ];
  if (parts.length === 0) return { status: "True" };
  return { status: "False", reason: "ContainersNotReady", message: parts.join(", ") };
}

function readyVerdict(pod: Pod, containersReady: Verdict): Verdict {
  if (containersReady.status !== "True") return containersReady;
  const conditions = new Map((pod.status?.conditions ?? []).map(({ type, status }) => [type, status]));
  const problems = (pod.spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const status = conditions.get(conditionType);
    if (status === undefined) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    return status === "True" ? [] : [`the status of pod readiness gate "${conditionType}" is not "True", but ${status}`];
  });
  return problems.length === 0 ? { status: "True" } : { status: "False", reason: "ReadinessGatesNotReady", message: problems.join(", ") };
}
