import { milliValue, parseQuantity, wholeValue } from "../kubernetes/quantity.ts";
import type { Container, ContainerStatus, Pod } from "../kubernetes/types.ts";

type ResourceList = Readonly<Record<string, string | number>>;

/** What a pod takes of its node, as kube-scheduler's `NodeInfo` adds it up. CPU in thousandths, the rest in bytes or pieces. */
export interface PodRequests {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly ephemeralStorageBytes: number;
  /** Extended resources, huge pages and attachable volumes by name; only those above 0. */
  readonly scalars: readonly (readonly [name: string, amount: number])[];
  /** With 100m and 200Mi for each container that asks for no CPU or memory (scheduler/util/pod_resources.go). */
  readonly nonZeroCpuMillis: number;
  readonly nonZeroMemoryBytes: number;
}

/** `DefaultMilliCPURequest` and `DefaultMemoryRequest`. */
const assumedForScoring = { cpu: 100, memory: 200 * 1024 * 1024 } as const;

/** Amounts by resource name: CPU in thousandths, everything else whole, rounded up. */
type Amounts = Record<string, number>;

/**
 * The requests of a pod (component-helpers/resource `PodRequests`): containers and sidecars together, or whatever the widest moment of
 * the init containers needs, plus the overhead. A container that was resized counts with the larger of what it asks and what it has.
 */
export function podRequests(pod: Pod): PodRequests {
  const exact = sumOf(pod, false);
  const assumed = sumOf(pod, true);
  return {
    cpuMillis: exact.cpu ?? 0,
    memoryBytes: exact.memory ?? 0,
    ephemeralStorageBytes: exact["ephemeral-storage"] ?? 0,
    scalars: Object.entries(exact).filter(([name, amount]) => amount > 0 && isScalarResource(name)),
    nonZeroCpuMillis: assumed.cpu ?? 0,
    nonZeroMemoryBytes: assumed.memory ?? 0,
  };
}

/** What may be asked for beside cpu, memory, ephemeral-storage and pods (scheduler/util `IsScalarResourceName`). */
export function isScalarResource(name: string): boolean {
  return name.includes("/") || name.startsWith("hugepages-") || name.startsWith("attachable-volumes-");
}

/** A quantity of a resource list in this module's units. */
export function amountOf(name: string, quantity: string | number): number {
  const parsed = parseQuantity(quantity);
  return name === "cpu" ? milliValue(parsed) : wholeValue(parsed);
}

function sumOf({ spec, status }: Pod, assumeMissing: boolean): Amounts {
  const total: Amounts = {};
  const isInfeasible = status?.conditions?.some(({ type, reason }) => type === "PodResizePending" && reason === "Infeasible") ?? false;
  for (const container of spec?.containers ?? [])
    add(total, containerRequests(container, status?.containerStatuses, isInfeasible, assumeMissing));
  const sidecars: Amounts = {};
  const widest: Amounts = {};
  for (const container of spec?.initContainers ?? []) {
    const own = containerRequests(container, status?.initContainerStatuses, isInfeasible, assumeMissing);
    if (container.restartPolicy === "Always") {
      add(total, own);
      add(sidecars, own);
      raise(widest, sidecars);
    } else {
      add(own, sidecars);
      raise(widest, own);
    }
  }
  raise(total, widest);
  if (spec?.overhead) add(total, amountsOf(spec.overhead));
  return total;
}

function containerRequests(
  container: Container,
  statuses: readonly ContainerStatus[] | undefined,
  isInfeasible: boolean,
  assumeMissing: boolean,
): Amounts {
  let amounts = amountsOf(container.resources?.requests);
  const actual = statuses?.find(({ name }) => name === container.name)?.resources?.requests;
  if (actual) {
    if (isInfeasible) amounts = amountsOf(actual);
    else raise(amounts, amountsOf(actual));
  }
  if (assumeMissing) {
    amounts.cpu ??= assumedForScoring.cpu;
    amounts.memory ??= assumedForScoring.memory;
  }
  return amounts;
}

function amountsOf(list: ResourceList | undefined): Amounts {
  const amounts: Amounts = {};
  for (const name in list) {
    const quantity = list[name];
    if (quantity !== undefined) amounts[name] = amountOf(name, quantity);
  }
  return amounts;
}

function add(into: Amounts, amounts: Amounts): void {
  for (const name in amounts) into[name] = (into[name] ?? 0) + (amounts[name] ?? 0);
}

function raise(into: Amounts, amounts: Amounts): void {
  for (const name in amounts) into[name] = Math.max(into[name] ?? 0, amounts[name] ?? 0);
}
