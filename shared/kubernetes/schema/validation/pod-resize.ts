import { deepEqual } from "../../deep-equal.ts";
import { qosClassOf } from "../../qos-class.ts";
import { compareQuantities, parseQuantity } from "../../quantity.ts";
import type { StatusCause } from "../../status-error.ts";
import type { Container, Pod, PodSpec, ResourceRequirements } from "../../types.ts";
import { forbidden, invalid } from "../field-error.ts";
import { checkPod, isMirrorPod } from "./pod.ts";

type ResourceList = Readonly<Record<string, string | number>>;

/** How Go prints the path of the object itself. */
const root = "[]";
const emptySpec: PodSpec = { containers: [] };
const mutable = "only cpu and memory resources are mutable";

/** `ValidatePodResize`, but for the metadata (KEP-1287). */
export function validatePodResize(next: Pod, live: Pod): StatusCause[] {
  const [after, before] = [next.spec ?? emptySpec, live.spec ?? emptySpec];
  if (hasPodLevelResources(before) || hasPodLevelResources(after))
    return [forbidden(root, "pods with pod-level resources cannot be resized")];
  if (isMirrorPod(live)) return [forbidden(root, "static pods cannot be resized")];
  if (before.os?.name === "windows") return [forbidden(root, "windows pods cannot be resized")];
  const causes = checkPod(next, after);
  if ((live.status?.qosClass ?? qosClassOf(before)) !== qosClassOf(after))
    causes.push(invalid("spec", next.status?.qosClass ?? "", "Pod QOS Class may not change as a result of resizing"));
  if (!isSupported(live)) causes.push(forbidden("spec", "Pod running on node without support for resize"));
  const moved = [...checkOrder(after, before, "containers"), ...checkOrder(after, before, "initContainers")];
  if (moved.length > 0) return [...causes, ...moved];
  for (const field of ["initContainers", "containers"] as const) {
    (before[field] ?? []).forEach((container, index) => {
      if (field === "initContainers" && !isSidecar(container)) return;
      const resized = after[field]?.[index];
      if (resized) causes.push(...checkResources(resized, container.resources ?? {}, `spec.${field}[${index}].resources`));
    });
  }
  const munged = { ...after };
  munged.containers = after.containers.map((container, index) => {
    const restored = withoutResize(container, before.containers[index]);
    if (!deepEqual(restored, before.containers[index])) causes.push(forbidden("spec", mutable));
    return restored;
  });
  if (after.initContainers !== undefined)
    munged.initContainers = after.initContainers.map((container, index) => {
      const old = before.initContainers?.[index];
      const restored = isSidecar(container) ? withoutResize(container, old) : container;
      const text = isSidecar(container)
        ? "only cpu and memory resources for sidecar containers are mutable"
        : "resources for non-sidecar init containers are immutable";
      if (!deepEqual(restored, old)) causes.push(forbidden("spec", text));
      return restored;
    });
  return causes.length === 0 && !deepEqual(munged, before) ? [forbidden("spec", mutable)] : causes;
}

const isSidecar = ({ restartPolicy }: Container): boolean => restartPolicy === "Always";
const hasPodLevelResources = ({ resources: { requests = {}, limits = {} } = {} }: PodSpec): boolean =>
  Object.keys(requests).length + Object.keys(limits).length > 0;

/** A node that knows of resizing says what its containers have (KEP-1287, version skew). */
function isSupported({ status }: Pod): boolean {
  const running = status?.containerStatuses?.find(({ state }) => state?.running !== undefined);
  return running === undefined || running.resources !== undefined;
}

function checkOrder(after: PodSpec, before: PodSpec, field: "containers" | "initContainers"): StatusCause[] {
  const [next, live] = [after[field] ?? [], before[field] ?? []];
  if (next.length !== live.length) return [forbidden(`spec.${field}`, `${field} may not be added or removed on resize`)];
  return live.flatMap(({ name }, index) =>
    next[index]?.name === name ? [] : [forbidden(`spec.${field}[${index}].name`, `${field} may not be renamed or reordered on resize`)],
  );
}

/** Resources are changed, not taken away, and memory is not cut under a container that is to run on. */
function checkResources({ resources = {}, resizePolicy = [] }: Container, before: ResourceRequirements, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if (isSomeRemoved(resources.requests, before.requests)) causes.push(forbidden(`${path}.requests`, "resource requests cannot be removed"));
  if (isSomeRemoved(resources.limits, before.limits)) causes.push(forbidden(`${path}.limits`, "resource limits cannot be removed"));
  const policy = resizePolicy.find(({ resourceName }) => resourceName === "memory")?.restartPolicy ?? "NotRequired";
  const limit = resources.limits?.memory;
  const old = before.limits?.memory;
  if (policy !== "NotRequired" || limit === undefined) return causes;
  const isLess = old !== undefined && compareQuantities(parseQuantity(limit), parseQuantity(old)) < 0;
  if (isLess || old === undefined) {
    const what = isLess ? "decreased" : "added";
    causes.push(forbidden(`${path}.limits[memory]`, `memory limits cannot be ${what} unless resizePolicy is RestartContainer`));
  }
  return causes;
}

const isSomeRemoved = (next: ResourceList = {}, live: ResourceList = {}): boolean => Object.keys(live).some((name) => !(name in next));

/** The container with the CPU and memory that it had. */
function withoutResize(container: Container, old: Container | undefined): Container {
  const [limits, requests] = (["limits", "requests"] as const).map((field) =>
    restored(container.resources?.[field], old?.resources?.[field]),
  );
  return { ...container, resources: { ...(limits && { limits }), ...(requests && { requests }) } };
}

function restored(next: ResourceList = {}, live: ResourceList | undefined): Record<string, string | number> | undefined {
  if (live === undefined) return undefined;
  const { cpu: _cpu, memory: _memory, ...others } = next;
  const { cpu, memory } = live;
  return { ...others, ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) };
}
