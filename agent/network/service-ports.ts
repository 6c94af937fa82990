import { parseIpv4, rangeOfInterface } from "../../shared/kubernetes/ipv4.ts";
import type { Endpoint, EndpointSlice, Service, ServiceSpec } from "../../shared/kubernetes/types.ts";
import type { ClusterNetwork } from "./network-state.ts";

type TransportProtocol = "tcp" | "udp" | "sctp";

export interface EndpointTarget {
  readonly ip: string;
  readonly port: number;
}

/** What becomes of new connections: `refuse` answers with an ICMP error, `drop` with silence, as kube-proxy chooses between them. */
export type Destination =
  | { readonly kind: "endpoints"; readonly targets: readonly EndpointTarget[] }
  | { readonly kind: "refuse" }
  | { readonly kind: "drop" };

/** One port of a service as the node's rules need it. Only IPv4. */
export interface ServicePortRoute {
  readonly namespace: string;
  readonly service: string;
  /** Empty for the only port of a service. */
  readonly portName: string;
  readonly protocol: TransportProtocol;
  readonly port: number;
  readonly clusterIps: readonly string[];
  readonly externalIps: readonly string[];
  readonly loadBalancerIps: readonly string[];
  /** Empty: everyone. Concerns the load balancer's addresses alone. */
  readonly loadBalancerSourceRanges: readonly string[];
  readonly nodePort: number | undefined;
  /** Session affinity by client address for so long; undefined without. */
  readonly affinitySeconds: number | undefined;
  /** Connections to a cluster IP. */
  readonly internal: Destination;
  /** Connections from outside to a node port, external or load balancer IP. */
  readonly external: Destination;
  /** `externalTrafficPolicy: Local`: the client's address is kept. */
  readonly externalLocal: boolean;
  /** Where pods and processes of this node go when they use an address for outsiders: all endpoints, whatever the policy. */
  readonly externalFromNode: Destination;
}

export interface NodePlace {
  readonly nodeName: string;
  /** `topology.kubernetes.io/zone` of the node; undefined: hints are ignored. */
  readonly zone: string | undefined;
}

const serviceNameLabel = "kubernetes.io/service-name";
/** Services and slices with these labels belong to another proxy (`pkg/proxy/apis/well_known_labels.go`). */
const foreignLabels = ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"];
/** `ClientIPConfig.timeoutSeconds` default. */
const defaultAffinitySeconds = 10_800;

/** The routes of a cluster's services on one node, in the order of their names. Headless and ExternalName services have none. */
export function servicePortRoutes(cluster: ClusterNetwork, place: NodePlace): ServicePortRoute[] {
  const slices = Map.groupBy(cluster.endpointSlices.filter(isOurs), keyOfSlice);
  const localIps = new Set(cluster.pods.map(({ ip }) => ip));
  return cluster.services
    .filter((service) => isOurs(service) && clusterIpsOf(service.spec).length > 0)
    .sort((a, b) => compare(keyOfService(a), keyOfService(b)))
    .flatMap((service) => routesOf(service, slices.get(keyOfService(service)) ?? [], place, localIps));
}

function routesOf(service: Service, slices: readonly EndpointSlice[], place: NodePlace, localIps: ReadonlySet<string>): ServicePortRoute[] {
  const spec = service.spec ?? {};
  const outward = spec.type === "NodePort" || spec.type === "LoadBalancer" || (spec.externalIPs ?? []).length > 0;
  return (spec.ports ?? [])
    .filter(({ port, nodePort = 0 }) => isPort(port) && (nodePort === 0 || isPort(nodePort)))
    .map((port) => {
      const protocol = protocolOf(port.protocol);
      const endpoints = endpointsOf(slices, port.name ?? "", protocol, place, localIps);
      const destinations = destinationsOf(spec, endpoints, outward, place.zone);
      return {
        namespace: service.metadata.namespace ?? "",
        service: service.metadata.name ?? "",
        portName: port.name ?? "",
        protocol,
        port: port.port,
        clusterIps: clusterIpsOf(spec),
        externalIps: (spec.externalIPs ?? []).filter(isIpv4),
        loadBalancerIps: loadBalancerIpsOf(service),
        loadBalancerSourceRanges: (spec.loadBalancerSourceRanges ?? [])
          .map((range) => range.trim())
          .filter((range) => rangeOfInterface(range) !== undefined),
        nodePort: port.nodePort === undefined || port.nodePort === 0 ? undefined : port.nodePort,
        affinitySeconds:
          spec.sessionAffinity === "ClientIP"
            ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds)
            : undefined,
        ...destinations,
        externalLocal: spec.externalTrafficPolicy === "Local",
      };
    });
}

interface NodeEndpoint extends EndpointTarget {
  readonly ready: boolean;
  readonly servingWhileTerminating: boolean;
  readonly local: boolean;
  readonly zones: readonly string[];
}

/** The endpoints of one port, once each, in the order of their addresses: equal input gives equal rules. */
function endpointsOf(
  slices: readonly EndpointSlice[],
  portName: string,
  protocol: TransportProtocol,
  place: NodePlace,
  localIps: ReadonlySet<string>,
): NodeEndpoint[] {
  const found = new Map<string, NodeEndpoint>();
  for (const slice of slices.filter(({ addressType }) => addressType === "IPv4")) {
    const port = (slice.ports ?? []).find((one) => (one.name ?? "") === portName && protocolOf(one.protocol) === protocol)?.port;
    if (port === undefined || !isPort(port)) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const ip = endpoint.addresses[0];
      if (ip === undefined || !isIpv4(ip)) continue;
      const key = `${ip}:${port}`;
      const one = nodeEndpoint(endpoint, ip, port, endpoint.nodeName === place.nodeName || localIps.has(ip));
      const known = found.get(key);
      if (known === undefined || (one.ready && !known.ready)) found.set(key, one);
    }
  }
  return [...found].sort(([a], [b]) => compare(a, b)).map(([, endpoint]) => endpoint);
}

/** Absent conditions as the API defines them: ready unknown counts as ready, serving unknown as ready, terminating unknown as false. */
function nodeEndpoint(endpoint: Endpoint, ip: string, port: number, local: boolean): NodeEndpoint {
  const { ready = true, serving = ready, terminating = false } = endpoint.conditions ?? {};
  return {
    ip,
    port,
    ready,
    servingWhileTerminating: serving && terminating,
    local,
    zones: (endpoint.hints?.forZones ?? []).map(({ name }) => name),
  };
}

/**
 * Which endpoints serve whom: `CategorizeEndpoints` of kube-proxy (`pkg/proxy/topology.go`). Ready endpoints; when there are none, those that
 * terminate but still serve (KEP-1669). With policy `Local` only this node's; none here though some elsewhere means silence, none at all a refusal.
 */
function destinationsOf(
  spec: ServiceSpec,
  endpoints: readonly NodeEndpoint[],
  outward: boolean,
  zone: string | undefined,
): { internal: Destination; external: Destination; externalFromNode: Destination } {
  const everywhere = usable(nearest(endpoints, zone));
  const here = usable(endpoints.filter(({ local }) => local));
  const anywhere = usable(endpoints).length > 0;
  const choose = (targets: readonly EndpointTarget[]): Destination => {
    if (targets.length > 0) return { kind: "endpoints", targets: targets.map(({ ip, port }) => ({ ip, port })) };
    return { kind: anywhere ? "drop" : "refuse" };
  };
  const internal = choose(spec.internalTrafficPolicy === "Local" ? here : everywhere);
  if (!outward) return { internal, external: { kind: "refuse" }, externalFromNode: { kind: "refuse" } };
  return {
    internal,
    external: choose(spec.externalTrafficPolicy === "Local" ? here : everywhere),
    externalFromNode: choose(everywhere),
  };
}

function usable(endpoints: readonly NodeEndpoint[]): readonly NodeEndpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  return ready.length > 0 ? ready : endpoints.filter((endpoint) => endpoint.servingWhileTerminating);
}

/** Topology hints hold only when every ready endpoint has one and one names this node's zone. */
function nearest(endpoints: readonly NodeEndpoint[], zone: string | undefined): readonly NodeEndpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  if (zone === undefined || ready.some(({ zones }) => zones.length === 0) || !ready.some(({ zones }) => zones.includes(zone)))
    return endpoints;
  return endpoints.filter(({ zones }) => zones.includes(zone));
}

function isOurs({ metadata }: { metadata: { labels?: Record<string, string> } }): boolean {
  return foreignLabels.every((label) => metadata.labels?.[label] === undefined);
}

function clusterIpsOf(spec: ServiceSpec | undefined): string[] {
  if (spec === undefined || spec.type === "ExternalName") return [];
  const all = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return all.filter(isIpv4);
}

/** `ipMode: Proxy` means that traffic must go through the balancer itself. */
function loadBalancerIpsOf(service: Service): string[] {
  if (service.spec?.type !== "LoadBalancer") return [];
  return (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) =>
    ip !== undefined && isIpv4(ip) && (ipMode ?? "VIP") === "VIP" ? [ip] : [],
  );
}

function protocolOf(protocol: "TCP" | "UDP" | "SCTP" | undefined): TransportProtocol {
  return protocol === "UDP" ? "udp" : protocol === "SCTP" ? "sctp" : "tcp";
}

/** What the API validated is checked again: one wrong value would make the kernel refuse the rules of every service. */
const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port < 65_536;
const isIpv4 = (address: string): boolean => parseIpv4(address) !== undefined;
const keyOfService = ({ metadata }: Service): string => `${metadata.namespace ?? ""}/${metadata.name ?? ""}`;
const keyOfSlice = ({ metadata }: EndpointSlice): string => `${metadata.namespace ?? ""}/${metadata.labels?.[serviceNameLabel] ?? ""}`;
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
