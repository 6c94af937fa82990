import { isIPv6 } from "node:net";
import { endpointSlices, endpoints, services } from "../kubernetes/known-resources.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type {
  DiscoveryV1EndpointPort,
  Endpoint,
  EndpointAddress,
  EndpointSlice,
  EndpointSubset,
  Endpoints,
  Service,
} from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import type { Controller, ReconcileOutcome } from "./controller.ts";
import { managedByLabel, ownSlices, serviceNameLabel, writeSlices } from "./endpoint-slice.ts";
import { type AddressType, headlessLabel } from "./endpoints/service-pods.ts";
import { type EndpointGroup, endpointKey, planSlices, portsKey } from "./endpoints/slice-plan.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { messageOf } from "./failures.ts";
import { controllerReference, type OwnerKind } from "./owners.ts";
import { isOf } from "./same-resource.ts";

export const skipMirrorLabel = "endpointslice.kubernetes.io/skip-mirror";
const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader";
const lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration";
const managedBy = "endpointslicemirroring-controller.k8s.io";
/** kube-controller-manager's `--mirroring-max-endpoints-per-subset`. */
const endpointsPerSubset = 1000;
const endpointsKind: OwnerKind = { resource: endpoints, apiVersion: "v1", kind: "Endpoints" };
const done: ReconcileOutcome = { kind: "done" };

/** Copies Endpoints that people keep themselves, for services without a selector, into EndpointSlices. `events` tells as `endpoint-slice-mirroring-controller`. */
export function createEndpointSliceMirroringController({ events }: { readonly events: Pick<EventRecorder, "event"> }): Controller {
  return {
    name: "endpointslicemirroring",
    allKeys: (view) => view.list(endpoints).map(({ key }) => `${key.namespace}/${key.name}`),
    keysOf({ key, type, object }) {
      if (isOf(endpoints, key) || isOf(services, key)) return [`${key.namespace}/${key.name}`];
      const { labels } = object.metadata;
      const isMirror = isOf(endpointSlices, key) && type !== "ADDED" && labels?.[managedByLabel] === managedBy;
      return isMirror ? [`${key.namespace}/${labels[serviceNameLabel]}`] : [];
    },
    async reconcile(key, context) {
      const { view } = context;
      const [namespace = "", name = ""] = key.split("/");
      const stored = view.get(endpoints, namespace, name);
      // Without their Endpoints the mirrors have no owner: the garbage collector's.
      if (!stored) return done;
      const source = objectOf<Endpoints>(stored);
      const existing = ownSlices(view, source.metadata.uid, managedBy);
      try {
        if (!isMirrored(source, view)) {
          await writeSlices({ create: [], update: [], remove: existing }, context);
          return done;
        }
        for (const type of ["IPv4", "IPv6"] as const) {
          const same = existing.filter(({ addressType }) => addressType === type);
          const groups = groupsOf(source, type);
          const plan = planSlices(same, groups, (ports) => blankMirror(source, type, ports));
          // Nothing to mirror needs no slice that says so.
          await writeSlices(groups.length > 0 ? plan : { create: [], update: [], remove: same }, context);
        }
      } catch (error) {
        const text = `Error mirroring EndpointSlices for Endpoints ${namespace}/${name}: ${messageOf(error)}`;
        if (!isStatus(error, "Conflict")) events.event(source, "Warning", "FailedToUpdateEndpointSlices", text);
        throw error;
      }
      return done;
    },
  };
}

function isMirrored({ metadata }: Endpoints, view: ClusterView): boolean {
  if (metadata.deletionTimestamp !== undefined || metadata.labels?.[skipMirrorLabel] === "true") return false;
  if (metadata.annotations?.[leaderAnnotation] !== undefined) return false;
  const service = view.get(services, metadata.namespace ?? "", metadata.name ?? "");
  return service !== undefined && (objectOf<Service>(service).spec?.selector ?? undefined) === undefined;
}

function groupsOf({ subsets = [] }: Endpoints, type: AddressType): EndpointGroup[] {
  const groups = new Map<string, { ports: DiscoveryV1EndpointPort[]; endpoints: Map<string, Endpoint> }>();
  for (const subset of subsets) {
    const ports = portsOf(subset);
    const key = portsKey(ports);
    const group = groups.get(key) ?? { ports, endpoints: new Map<string, Endpoint>() };
    const all = [...mirrored(subset.addresses, true), ...mirrored(subset.notReadyAddresses, false)].slice(0, endpointsPerSubset);
    for (const endpoint of all)
      if (isIPv6(endpoint.addresses[0] ?? "") === (type === "IPv6")) group.endpoints.set(endpointKey(endpoint), endpoint);
    if (group.endpoints.size > 0) groups.set(key, group);
  }
  return [...groups.values()];
}

function mirrored(addresses: readonly EndpointAddress[] = [], ready: boolean): Endpoint[] {
  return addresses.map(({ ip, hostname, nodeName, targetRef }) => ({
    addresses: [ip],
    conditions: { ready },
    ...(hostname && { hostname }),
    ...(nodeName && { nodeName }),
    ...(targetRef && { targetRef }),
  }));
}

function portsOf({ ports = [] }: EndpointSubset): DiscoveryV1EndpointPort[] {
  return ports.map(({ name = "", port, protocol = "TCP", appProtocol }) => ({ name, port, protocol, ...(appProtocol && { appProtocol }) }));
}

function blankMirror(source: Endpoints, addressType: AddressType, ports: readonly DiscoveryV1EndpointPort[]): EndpointSlice {
  const { namespace = "", name = "", labels = {} } = source.metadata;
  const { [headlessLabel]: _, ...inherited } = labels;
  const { [lastAppliedAnnotation]: __, ...annotations } = source.metadata.annotations ?? {};
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      namespace,
      generateName: `${name}-`,
      labels: { ...inherited, [serviceNameLabel]: name, [managedByLabel]: managedBy },
      annotations,
      ownerReferences: [controllerReference(endpointsKind, source)],
    },
    addressType,
    endpoints: [],
    ports: [...ports],
  };
}
