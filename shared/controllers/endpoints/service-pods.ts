import { isIPv6 } from "node:net";
import { deepEqual } from "../../kubernetes/deep-equal.ts";
import { pods, services } from "../../kubernetes/known-resources.ts";
import type { ContainerPort, Pod, Service, ServicePort } from "../../kubernetes/types.ts";
import { type Change, type ClusterView, objectOf } from "../../store/view.ts";
import { isPodReady, isPodTerminal } from "../pod-state.ts";

export const headlessLabel = "service.kubernetes.io/headless";
export const triggerTimeAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";

export type AddressType = "IPv4" | "IPv6";

/** A service whose endpoints are pods: it has a selector and is no mere name. */
export function selectsPods({ spec }: Service): boolean {
  return spec?.type !== "ExternalName" && spec?.selector !== undefined && spec.selector !== null;
}

export function isHeadless({ spec }: Service): boolean {
  return spec?.clusterIP === undefined || spec.clusterIP === "" || spec.clusterIP === "None";
}

export function podsOf(view: ClusterView, { metadata, spec }: Service): Pod[] {
  const wanted = Object.entries(spec?.selector ?? {});
  return view
    .list(pods, metadata.namespace ?? "")
    .map((stored) => objectOf<Pod>(stored))
    .filter((pod) => wanted.every(([name, value]) => pod.metadata.labels?.[name] === value));
}

/** It has an address and will run on; one that is being deleted still counts where `withTerminating` (`ShouldPodBeInEndpoints`). */
export function isEndpoint(pod: Pod, withTerminating: boolean): boolean {
  if (isPodTerminal(pod) || addressesOf(pod).length === 0) return false;
  return withTerminating || pod.metadata.deletionTimestamp === undefined;
}

function addressesOf({ status }: Pod): string[] {
  const listed = (status?.podIPs ?? []).map(({ ip }) => ip).filter((ip) => ip !== "");
  return listed.length > 0 ? listed : status?.podIP ? [status.podIP] : [];
}

export function addressesOfType(pod: Pod, type: AddressType): string[] {
  return addressesOf(pod).filter((ip) => isIPv6(ip) === (type === "IPv6"));
}

/** The families of a service; the first one is that of its Endpoints object. */
export function addressTypesOf({ spec }: Service): AddressType[] {
  const families = (spec?.ipFamilies ?? []).filter((family) => family === "IPv4" || family === "IPv6");
  return families.length > 0 ? families : isIPv6(spec?.clusterIP ?? "") ? ["IPv6"] : ["IPv4"];
}

/** The pod's name in the service's domain, if it asked for one there (`ShouldSetHostname`). */
export function hostnameIn({ spec }: Pod, service: Service): string | undefined {
  return spec?.hostname && spec.subdomain === service.metadata.name ? spec.hostname : undefined;
}

/** The port that a service's port leads to on this pod; undefined when it names none of the pod's (`FindPort`). */
export function targetPortOf({ spec }: Pod, { targetPort, port, protocol = "TCP" }: ServicePort): number | undefined {
  if (targetPort === undefined) return port;
  if (typeof targetPort === "number") return targetPort;
  const sidecars = spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === "Always") ?? [];
  const isMeant = (each: ContainerPort): boolean => each.name === targetPort && (each.protocol ?? "TCP") === protocol;
  for (const container of [...(spec?.containers ?? []), ...sidecars]) {
    const found = container.ports?.find(isMeant);
    if (found) return found.containerPort;
  }
  return undefined;
}

/** Whether two states of a pod differ in anything that its endpoints show (`podEndpointsChanged`). */
function showsDifference(before: Pod, after: Pod): boolean {
  return (
    before.metadata.uid !== after.metadata.uid ||
    (before.metadata.deletionTimestamp === undefined) !== (after.metadata.deletionTimestamp === undefined) ||
    before.spec?.nodeName !== after.spec?.nodeName ||
    before.spec?.hostname !== after.spec?.hostname ||
    isPodReady(before) !== isPodReady(after) ||
    isPodTerminal(before) !== isPodTerminal(after) ||
    !deepEqual(before.metadata.labels, after.metadata.labels) ||
    !deepEqual(addressesOf(before), addressesOf(after))
  );
}

/** Keys of the services that select the pod, or did before the change; none when nothing of it shows. */
export function servicesOfPod(change: Change, view: ClusterView): string[] {
  const pod = objectOf<Pod>(change);
  const before = change.previous && objectOf<Pod>(change.previous);
  if (change.type === "MODIFIED" && before && !showsDifference(before, pod)) return [];
  const { namespace } = change.key;
  const keys: string[] = [];
  for (const { key, object } of view.list(services, namespace)) {
    const service = object as Service;
    if (!selectsPods(service)) continue;
    const wanted = Object.entries(service.spec?.selector ?? {});
    const isSelected = (labels: Record<string, string> | undefined): boolean => wanted.every(([name, value]) => labels?.[name] === value);
    if (isSelected(pod.metadata.labels) || (before && isSelected(before.metadata.labels))) keys.push(`${namespace}/${key.name}`);
  }
  return keys;
}
