import { parseQuantity } from "../../shared/kubernetes/quantity.ts";
import { isExtendedResource } from "../../shared/kubernetes/resource-names.ts";
import type { Container, Pod } from "../../shared/kubernetes/types.ts";
import { isSidecar } from "./decide.ts";

type Amounts = Readonly<Record<string, string | number>>;

/** What a pod asks for, in nano-units by resource: init containers one by one, sidecars beside what runs after them (KEP-753), plus overhead. */
export function podRequests(pod: Pod): Map<string, bigint> {
  const requests = (container: Container): Map<string, bigint> => amounts(container.resources?.requests ?? container.resources?.limits);
  let sidecars = new Map<string, bigint>();
  let peak = new Map<string, bigint>();
  for (const container of pod.spec?.initContainers ?? []) {
    if (isSidecar(container)) {
      sidecars = combine(sidecars, requests(container), (a, b) => a + b);
      peak = combine(peak, sidecars, maximum);
    } else {
      peak = combine(
        peak,
        combine(sidecars, requests(container), (a, b) => a + b),
        maximum,
      );
    }
  }
  let total = sidecars;
  for (const container of pod.spec?.containers ?? []) total = combine(total, requests(container), (a, b) => a + b);
  total = combine(total, peak, maximum);
  return combine(total, amounts(pod.spec?.overhead), (a, b) => a + b);
}

const maximum = (a: bigint, b: bigint): bigint => (a > b ? a : b);

function amounts(values: Amounts | undefined): Map<string, bigint> {
  return new Map(Object.entries(values ?? {}).map(([name, value]) => [name, parseQuantity(value).nanos]));
}

function combine(
  a: ReadonlyMap<string, bigint>,
  b: ReadonlyMap<string, bigint>,
  how: (a: bigint, b: bigint) => bigint,
): Map<string, bigint> {
  const result = new Map(a);
  for (const [name, value] of b) result.set(name, how(result.get(name) ?? 0n, value));
  return result;
}

/**
 * Whether the node takes a pod on beside those it has, in kubelet's words when it does not. The scheduler decided already; this is for
 * pods that were bound past it, or by two schedulers at once.
 */
export function admit(pod: Pod, others: readonly Pod[], allocatable: Amounts): { reason: string; message: string } | undefined {
  const room = amounts(allocatable);
  const pods = room.get("pods");
  const unit = 1_000_000_000n;
  const refuse = (resource: string, requested: bigint, used: bigint, capacity: bigint) => ({
    reason: `OutOf${resource}`,
    message: `Node didn't have enough resource: ${resource}, requested: ${shown(resource, requested)}, used: ${shown(resource, used)}, capacity: ${shown(resource, capacity)}`,
  });
  if (pods !== undefined && BigInt(others.length + 1) * unit > pods) return refuse("pods", unit, BigInt(others.length) * unit, pods);
  let used: Map<string, bigint> | undefined;
  for (const [resource, requested] of podRequests(pod)) {
    if (requested === 0n) continue;
    used ??= others.map(podRequests).reduce((sum, each) => combine(sum, each, (a, b) => a + b), new Map<string, bigint>());
    const taken = used.get(resource) ?? 0n;
    // What it does not know of, it does not offer: somebody gave it to the Node (kubelet's `removeMissingExtendedResources`).
    if (!room.has(resource) && isExtendedResource(resource)) continue;
    const capacity = room.get(resource) ?? 0n;
    if (taken + requested > capacity) return refuse(resource, requested, taken, capacity);
  }
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return undefined;
  const taken = new Set(others.flatMap(hostPorts));
  return wanted.some((port) => taken.has(port)) ? { reason: "NodePorts", message: "Predicate NodePorts failed" } : undefined;
}

/** CPU in thousandths, everything else whole, as kubelet prints them. */
function shown(resource: string, nanos: bigint): string {
  return String(resource === "cpu" ? nanos / 1_000_000n : nanos / 1_000_000_000n);
}

function hostPorts({ spec }: Pod): string[] {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? []).filter(isSidecar)];
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, protocol = "TCP" }) => (hostPort === undefined || hostPort === 0 ? [] : [`${protocol}/${hostPort}`])),
  );
}
