import { endpointSlices, nodes, pods, services } from "../kubernetes/known-resources.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { DiscoveryV1EndpointPort, Endpoint, EndpointSlice, Node, Pod, Service } from "../kubernetes/types.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import {
  type AddressType,
  addressesOfType,
  addressTypesOf,
  headlessLabel,
  hostnameIn,
  isEndpoint,
  isHeadless,
  podsOf,
  selectsPods,
  servicesOfPod,
  targetPortOf,
  triggerTimeAnnotation,
} from "./endpoints/service-pods.ts";
import { type EndpointGroup, endpointKey, planSlices, portsKey, type SlicePlan } from "./endpoints/slice-plan.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { isNamespaceTerminating, messageOf, unlessMissing } from "./failures.ts";
import { controllerReference, type OwnerKind } from "./owners.ts";
import { isPodReady, podCondition } from "./pod-state.ts";
import { isOf } from "./same-resource.ts";

export const serviceNameLabel = "kubernetes.io/service-name";
export const managedByLabel = "endpointslice.kubernetes.io/managed-by";
const managedBy = "endpointslice-controller.k8s.io";
const zoneLabel = "topology.kubernetes.io/zone";
const reservedLabels: ReadonlySet<string> = new Set([serviceNameLabel, managedByLabel, headlessLabel]);
const serviceKind: OwnerKind = { resource: services, apiVersion: "v1", kind: "Service" };
const done: ReconcileOutcome = { kind: "done" };

/** Keeps the EndpointSlices of services with a selector. `events` tells as `endpoint-slice-controller`. */
export function createEndpointSliceController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  return {
    name: "endpointslice",
    allKeys: (view) => view.list(services).map(({ key }) => `${key.namespace}/${key.name}`),
    keysOf(change, view) {
      if (isOf(pods, change.key)) return servicesOfPod(change, view);
      if (isOf(services, change.key)) return change.type === "DELETED" ? [] : [`${change.key.namespace}/${change.key.name}`];
      if (isOf(nodes, change.key)) return keysOfNode(change, view);
      if (!isOf(endpointSlices, change.key) || change.type === "ADDED") return [];
      const { labels } = change.object.metadata;
      return labels?.[managedByLabel] === managedBy ? [`${change.key.namespace}/${labels[serviceNameLabel]}`] : [];
    },
    async reconcile(key, context) {
      const [namespace = "", name = ""] = key.split("/");
      const stored = context.view.get(services, namespace, name);
      const service = stored && objectOf<Service>(stored);
      if (!service || !selectsPods(service) || service.metadata.deletionTimestamp !== undefined) return done;
      try {
        for (const plan of plansOf(service, context.view)) await writeSlices(plan, context);
      } catch (error) {
        const text = `Error updating Endpoint Slices for Service ${namespace}/${name}: ${messageOf(error)}`;
        if (!isStatus(error, "Conflict")) events.event(service, "Warning", "FailedToUpdateEndpointSlices", text);
        throw error;
      }
      return done;
    },
  };
}

/** A node that appears, or moves to another zone, shows in the endpoints on it. */
function keysOfNode(change: Change, view: ClusterView): string[] {
  const zoneOf = (object: { metadata: Node["metadata"] } | undefined): string | undefined => object?.metadata.labels?.[zoneLabel];
  if (change.type === "DELETED") return [];
  if (change.type === "MODIFIED" && zoneOf(change.object) === zoneOf(change.previous?.object)) return [];
  const keys = new Set<string>();
  for (const pod of view.podsOnNode(change.key.name)) {
    for (const key of servicesOfPod({ ...pod, type: "ADDED", previous: undefined }, view)) keys.add(key);
  }
  return [...keys];
}

function plansOf(service: Service, view: ClusterView): SlicePlan[] {
  const own = ownSlices(view, service.metadata.uid, managedBy);
  const selected = podsOf(view, service).filter((pod) => isEndpoint(pod, true));
  const types = addressTypesOf(service);
  const strays = own.filter(({ addressType }) => !types.some((type) => type === addressType));
  const plans = types.map((type) => {
    const existing = own.filter(({ addressType }) => addressType === type);
    const groups = groupsOf(service, selected, type, view);
    const plan = planSlices(existing, groups, (ports) => blankSlice(service, type, ports));
    return stamped(plan, existing, service, selected);
  });
  return [...plans, { create: [], update: [], remove: strays }];
}

/** The slices of one owner that one controller manages and that are not on their way out. */
export function ownSlices(view: ClusterView, ownerUid: string | undefined, manager: string): EndpointSlice[] {
  return view
    .ownedBy(ownerUid ?? "")
    .filter(({ key, object }) => isOf(endpointSlices, key) && object.metadata.labels?.[managedByLabel] === manager)
    .map((stored) => objectOf<EndpointSlice>(stored))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

function groupsOf(service: Service, selected: readonly Pod[], type: AddressType, view: ClusterView): EndpointGroup[] {
  const groups = new Map<string, { ports: DiscoveryV1EndpointPort[]; endpoints: Map<string, Endpoint> }>();
  for (const pod of selected) {
    const { nodeName = "" } = pod.spec ?? {};
    const stored = nodeName === "" ? undefined : view.get(nodes, "", nodeName);
    // Its node is gone and so, soon, will it be: only who wants unready addresses gets it still.
    if (nodeName !== "" && !stored && service.spec?.publishNotReadyAddresses !== true) continue;
    const addresses = addressesOfType(pod, type);
    if (addresses.length === 0) continue;
    const ports = portsOn(pod, service);
    const key = portsKey(ports);
    const group = groups.get(key) ?? { ports, endpoints: new Map<string, Endpoint>() };
    groups.set(key, group);
    const endpoint = endpointOf(pod, service, addresses, stored?.object.metadata.labels?.[zoneLabel]);
    group.endpoints.set(endpointKey(endpoint), endpoint);
  }
  return [...groups.values()];
}

function portsOn(pod: Pod, service: Service): DiscoveryV1EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((each) => {
    const port = targetPortOf(pod, each);
    if (port === undefined) return [];
    const { name = "", protocol = "TCP", appProtocol } = each;
    return [{ name, protocol, port, ...(appProtocol !== undefined && { appProtocol }) }];
  });
}

function endpointOf(pod: Pod, service: Service, addresses: string[], zone: string | undefined): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  const hostname = hostnameIn(pod, service);
  const { nodeName } = pod.spec ?? {};
  return {
    addresses,
    conditions: { ready, serving, terminating },
    ...(hostname !== undefined && { hostname }),
    targetRef: { kind: "Pod", namespace, name, uid },
    ...(nodeName && { nodeName }),
    ...(zone && { zone }),
  };
}

function blankSlice(service: Service, addressType: AddressType, ports: readonly DiscoveryV1EndpointPort[]): EndpointSlice {
  const { namespace = "", name = "", labels = {} } = service.metadata;
  const inherited = Object.fromEntries(Object.entries(labels).filter(([label]) => !reservedLabels.has(label)));
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      namespace,
      generateName: `${name}-`,
      labels: { ...inherited, ...(isHeadless(service) && { [headlessLabel]: "" }), [serviceNameLabel]: name, [managedByLabel]: managedBy },
      ownerReferences: [controllerReference(serviceKind, service)],
    },
    addressType,
    endpoints: [],
    ports: [...ports],
  };
}

/**
 * Notes on what is written when its cause happened: the earliest moment at which a pod that shows for the first time, or otherwise than
 * before, became ready or unready; the service's creation for its first slices. What has no such cause loses the note.
 */
function stamped(plan: SlicePlan, existing: readonly EndpointSlice[], service: Service, selected: readonly Pod[]): SlicePlan {
  const known = new Map(
    existing.flatMap(({ endpoints }) => (endpoints ?? []).map((each) => [each.targetRef?.uid, each.conditions?.serving])),
  );
  const times = selected
    .filter((pod) => known.get(pod.metadata.uid) !== isPodReady(pod))
    .map((pod) => podCondition(pod, "Ready")?.lastTransitionTime);
  if (existing.length === 0) times.push(service.metadata.creationTimestamp);
  const [time] = times.filter((each) => each !== undefined).sort();
  const note = (slice: EndpointSlice): EndpointSlice => {
    const { [triggerTimeAnnotation]: _, ...others } = slice.metadata.annotations ?? {};
    const annotations = time === undefined ? others : { ...others, [triggerTimeAnnotation]: time };
    const { annotations: __, ...metadata } = slice.metadata;
    return { ...slice, metadata: { ...metadata, ...(Object.keys(annotations).length > 0 && { annotations }) } };
  };
  return { create: plan.create.map(note), update: plan.update.map(note), remove: plan.remove };
}

/** Writes a plan; that something is gone already, or that its namespace is on its way out, is no failure. */
export async function writeSlices(plan: SlicePlan, { client }: ControllerContext): Promise<void> {
  for (const slice of plan.create) {
    try {
      await client.create(endpointSlices, slice);
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error;
    }
  }
  for (const slice of plan.update) await client.update(endpointSlices, slice);
  for (const { metadata } of plan.remove) {
    const { namespace = "", name = "", uid = "" } = metadata;
    await unlessMissing(client.delete(endpointSlices, namespace, name, { uid }));
  }
}
