import { parseQuantity } from "../../shared/kubernetes/quantity.ts";
import type { Container, Pod, ResourceFieldSelector } from "../../shared/kubernetes/types.ts";

/** What of a pod is known only on its node. */
export interface PodPlace {
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  /** The node's allocatable, for limits that a container leaves out. */
  readonly allocatable: Readonly<Record<string, string | number>>;
}

/** The value of a downward API field (`fieldRef`), or `undefined` when the path is none. Whole maps are in the form of volume files. */
export function podField(pod: Pod, place: PodPlace, fieldPath: string): string | undefined {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (subscript !== null) return metadata[subscript[1] === "labels" ? "labels" : "annotations"]?.[subscript[2] ?? ""] ?? "";
  switch (fieldPath) {
    case "metadata.name":
      return metadata.name ?? "";
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return formatMap(metadata.labels);
    case "metadata.annotations":
      return formatMap(metadata.annotations);
    case "spec.nodeName":
      return spec?.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec?.serviceAccountName ?? "";
    case "status.hostIP":
      return place.hostIps[0] ?? "";
    case "status.hostIPs":
      return place.hostIps.join(",");
    case "status.podIP":
      return place.podIps[0] ?? "";
    case "status.podIPs":
      return place.podIps.join(",");
    default:
      return undefined;
  }
}

/** One `key="value"` a line, sorted (kubelet `fieldpath.FormatMap`). */
function formatMap(values: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(values ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");
}

/** The value of a `resourceFieldRef`: rounded up to whole divisors; a limit that is not set is the node's allocatable. */
export function resourceField(pod: Pod, own: Container, place: PodPlace, selector: ResourceFieldSelector): string | undefined {
  const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const container =
    selector.containerName === undefined || selector.containerName === "" ? own : all.find(({ name }) => name === selector.containerName);
  const [kind, ...rest] = selector.resource.split(".");
  const resource = rest.join(".");
  if (container === undefined || (kind !== "limits" && kind !== "requests")) return undefined;
  const set =
    container.resources?.[kind]?.[resource] ?? (kind === "limits" ? place.allocatable[resource] : container.resources?.limits?.[resource]);
  const amount = parseQuantity(set ?? 0);
  const divisor = parseQuantity(selector.divisor === undefined || selector.divisor === "0" ? 1 : selector.divisor);
  if (divisor.nanos <= 0n) return undefined;
  return String((amount.nanos + divisor.nanos - 1n) / divisor.nanos);
}
