import type {
  EndpointSlice,
  Endpoints,
  Ingress,
  IngressClass,
  IngressRule,
  IPAddress,
  NetworkPolicy,
  Service,
  ServiceCIDR,
  ServicePort,
} from "../types.ts";
import { age, firstFew, formatLabels, formatSelector, loadBalancerAddresses, type Printer } from "./format.ts";

const shown = 3;

export const serviceCells: Printer = (object, nowMs) => {
  const service = object as Service;
  const { spec } = service;
  return [
    service.metadata.name,
    spec?.type ?? "",
    spec?.clusterIPs?.[0] ?? "<none>",
    externalAddresses(service),
    (spec?.ports ?? []).map(portText).join(",") || "<none>",
    age(service, nowMs),
    formatLabels(spec?.selector),
  ];
};

function externalAddresses({ spec, status }: Service): string {
  const given = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case "ClusterIP":
    case "NodePort":
      return given.join(",") || "<none>";
    case "LoadBalancer":
      return [...loadBalancerAddresses(status?.loadBalancer?.ingress), ...given].join(",") || "<pending>";
    case "ExternalName":
      return spec.externalName ?? "";
    default:
      return "<unknown>";
  }
}

function portText({ port, nodePort, protocol }: ServicePort): string {
  return nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`;
}

export const endpointsCells: Printer = (object, nowMs) => {
  const endpoints = object as Endpoints;
  const subsets = endpoints.subsets ?? [];
  const addresses = subsets.flatMap(({ addresses: ready, ports }) => {
    const ips = (ready ?? []).map(({ ip }) => ip);
    return ports && ports.length > 0 ? ports.flatMap(({ port }) => ips.map((ip) => hostPort(ip, port))) : ips;
  });
  return [endpoints.metadata.name, subsets.length === 0 ? "<none>" : firstFew(addresses, shown), age(endpoints, nowMs)];
};

function hostPort(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

export const endpointSliceCells: Printer = (object, nowMs) => {
  const slice = object as EndpointSlice;
  const ports = (slice.ports ?? []).map(({ port, name }) => String(port ?? name ?? "*"));
  const addresses = (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? []);
  return [
    slice.metadata.name,
    slice.addressType,
    firstFew(ports, shown) || "<unset>",
    firstFew(addresses, shown) || "<unset>",
    age(slice, nowMs),
  ];
};

export const ingressCells: Printer = (object, nowMs) => {
  const ingress = object as Ingress;
  const { spec, status } = ingress;
  return [
    ingress.metadata.name,
    spec?.ingressClassName ?? "<none>",
    hosts(spec?.rules ?? []),
    loadBalancerAddresses(status?.loadBalancer?.ingress).join(","),
    (spec?.tls ?? []).length > 0 ? "80, 443" : "80",
    age(ingress, nowMs),
  ];
};

/** "more" counts from the rules, and only when a rule follows the third host: `formatHosts` in Kubernetes' printers. */
function hosts(rules: readonly IngressRule[]): string {
  const named: string[] = [];
  for (const { host } of rules) {
    if (named.length === shown) return `${named.join(",")} + ${rules.length - shown} more...`;
    if (host) named.push(host);
  }
  return named.join(",") || "*";
}

export const ingressClassCells: Printer = (object, nowMs) => {
  const ingressClass = object as IngressClass;
  const parameters = ingressClass.spec?.parameters;
  const kind = parameters?.apiGroup ? `${parameters.kind}.${parameters.apiGroup}` : parameters?.kind;
  return [
    ingressClass.metadata.name,
    ingressClass.spec?.controller ?? "",
    parameters ? `${kind}/${parameters.name}` : "<none>",
    age(ingressClass, nowMs),
  ];
};

export const networkPolicyCells: Printer = (object, nowMs) => {
  const policy = object as NetworkPolicy;
  return [policy.metadata.name, formatSelector(policy.spec?.podSelector), age(policy, nowMs)];
};

/** One cell more than there are columns: kube-apiserver 1.33 names no column for the age. */
export const ipAddressCells: Printer = (object, nowMs) => {
  const address = object as IPAddress;
  const parent = address.spec?.parentRef;
  if (!parent) return [address.metadata.name, "<none>", age(address, nowMs)];
  const resource = (parent.group ? `${parent.resource}.${parent.group}` : parent.resource).toLowerCase();
  const path = [resource, ...(parent.namespace ? [parent.namespace] : []), parent.name].join("/");
  return [address.metadata.name, path, age(address, nowMs)];
};

export const serviceCidrCells: Printer = (object, nowMs) => {
  const range = object as ServiceCIDR;
  return [range.metadata.name, (range.spec?.cidrs ?? []).join(","), age(range, nowMs)];
};
