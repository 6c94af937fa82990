import { deepEqual } from "../../shared/kubernetes/deep-equal.ts";
import { parseQuantity } from "../../shared/kubernetes/quantity.ts";
import type { Container, Pod, ResourceRequirements } from "../../shared/kubernetes/types.ts";
import { admit, podRequests } from "./admission.ts";
import { isSidecar } from "./decide.ts";
import type { ContainerMemory } from "./memory.ts";

/** What each container of a pod has been granted, by name. */
export type Allocation = ReadonlyMap<string, ResourceRequirements>;

/** Why what is asked for is not granted (KEP-1287): `Infeasible`: never on this node; `Deferred`: not beside what it has. */
export interface PendingResize {
  readonly reason: "Infeasible" | "Deferred";
  readonly message: string;
}

const resized = ["cpu", "memory"] as const;
/** How soon one that could not be done, or not for now, is looked at again. */
export const resizeRetryMs = 5000;

/** Whether two requirements are the same in what a resize can change. */
export function sameResources(a: ResourceRequirements = {}, b: ResourceRequirements = {}): boolean {
  return (["requests", "limits"] as const).every((field) =>
    resized.every((name) => {
      const [one, other] = [a[field]?.[name], b[field]?.[name]];
      return one === other || (one !== undefined && other !== undefined && parseQuantity(one).nanos === parseQuantity(other).nanos);
    }),
  );
}

/** The containers that a resize may concern. */
function resizable({ spec }: Pod): Container[] {
  return [...(spec?.initContainers ?? []).filter(isSidecar), ...(spec?.containers ?? [])];
}

/** What a pod has, where that is not what it asks for by now; undefined where it is. */
export function allocationOf(held: Pod, wanted: Pod): Allocation | undefined {
  const has = new Map(resizable(held).map(({ name, resources = {} }) => [name, resources]));
  return resizable(wanted).every(({ name, resources }) => sameResources(has.get(name), resources)) ? undefined : has;
}

/** The same of a pod that an earlier agent left: its status says what its running containers have. */
export function allocationOfStatus(pod: Pod): Allocation | undefined {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const shown = new Map(
    statuses.flatMap(({ name, state, resources }) => (state?.running && resources ? [[name, resources] as const] : [])),
  );
  const has = new Map(resizable(pod).map(({ name, resources = {} }) => [name, shown.get(name) ?? resources]));
  return allocationOf(withAllocation(pod, has), pod);
}

/** The pod with the resources that it has been granted: what runs is made by this. */
export function withAllocation(pod: Pod, allocation: Allocation | undefined): Pod {
  if (allocation === undefined || pod.spec === undefined) return pod;
  const granted = (containers: readonly Container[]): Container[] =>
    containers.map((container) => {
      const resources = allocation.get(container.name);
      return resources === undefined ? container : { ...container, resources };
    });
  const { initContainers } = pod.spec;
  const spec = {
    ...pod.spec,
    containers: granted(pod.spec.containers),
    ...(initContainers && { initContainers: granted(initContainers) }),
  };
  return { ...pod, spec };
}

/** Whether the node can grant what a pod asks for beside its others (kubelet `canResizePod`); undefined: it can. */
export function refusalOf(
  pod: Pod,
  others: readonly Pod[],
  allocatable: Readonly<Record<string, string | number>>,
): PendingResize | undefined {
  const wanted = podRequests(pod);
  for (const [name, unit] of [["memory", 1_000_000_000n] as const, ["cpu", 1_000_000n] as const]) {
    const requested = wanted.get(name) ?? 0n;
    const room = allocatable[name];
    const capacity = room === undefined ? 0n : parseQuantity(room).nanos;
    if (requested > capacity) {
      const message = `Node didn't have enough capacity: ${name}, requested: ${requested / unit}, capacity: ${capacity / unit}`;
      return { reason: "Infeasible", message };
    }
  }
  const refusal = admit(pod, others, allocatable);
  return refusal && { reason: "Deferred", message: refusal.message };
}

/** What a running container has been given; undefined: nobody knows any more. */
export function actualOf(memory: ContainerMemory | undefined, containerId: string): ResourceRequirements | undefined {
  return memory?.actuated?.containerId === containerId ? memory.actuated.resources : undefined;
}

/** Whether the container wants to be restarted for the change from `actual` to what it has been granted (`resizePolicy`). */
export function restartsFor({ resources, resizePolicy = [] }: Container, actual: ResourceRequirements): boolean {
  return resizePolicy.some(
    ({ resourceName, restartPolicy }) =>
      restartPolicy === "RestartContainer" &&
      (["requests", "limits"] as const).some((field) => !deepEqual(resources?.[field]?.[resourceName], actual[field]?.[resourceName])),
  );
}
