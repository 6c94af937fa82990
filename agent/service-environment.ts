import type { EndpointSlice, Service } from "../shared/kubernetes/types.ts";

export interface ServiceAddress {
  readonly host: string;
  readonly port: number;
}

/** Where a service's port is reached from a pod of this node; `undefined` leaves the service out. */
export type ServiceAddressOf = (service: Service, port: { readonly name?: string; readonly port: number }) => ServiceAddress | undefined;

/** On a node that routes: the cluster address. */
export const clusterAddressOf: ServiceAddressOf = (service, { port }) => {
  const host = service.spec?.clusterIP;
  return host === undefined || host === "" || host === "None" ? undefined : { host, port };
};

/** On a node without service routing: the first ready endpoint, whose address is its node's. */
export function endpointAddressOf(slices: readonly EndpointSlice[]): ServiceAddressOf {
  return (service, wanted) => {
    if (clusterAddressOf(service, wanted) === undefined) return undefined;
    for (const slice of slices) {
      if (slice.metadata.namespace !== service.metadata.namespace) continue;
      if (slice.metadata.labels?.["kubernetes.io/service-name"] !== service.metadata.name) continue;
      const port = slice.ports?.find(({ name }) => (name ?? "") === (wanted.name ?? ""))?.port;
      const host = slice.endpoints?.find(({ conditions }) => conditions?.ready !== false)?.addresses[0];
      if (port !== undefined && host !== undefined) return { host, port };
    }
    return undefined;
  };
}

export interface ServiceEnvironmentInput {
  readonly namespace: string;
  readonly services: readonly Service[];
  readonly addressOf: ServiceAddressOf;
  /** `spec.enableServiceLinks`: without it only the API server's own variables are there. */
  readonly links: boolean;
  /** Where the API server is reached, when not through the `kubernetes` service. */
  readonly apiServer: ServiceAddress | undefined;
}

/** The variables for services that a container starts with, as kubelet's `envvars.FromServices` makes them. */
export function serviceEnvironment(input: ServiceEnvironmentInput): Map<string, string> {
  const result = new Map<string, string>();
  const own = input.links ? input.services.filter(({ metadata }) => metadata.namespace === input.namespace) : [];
  const master = input.services.find(({ metadata }) => metadata.namespace === "default" && metadata.name === "kubernetes");
  for (const service of master === undefined ? own : [master, ...own]) {
    const ports = service.spec?.ports ?? [];
    const addressed = ports.flatMap((port) => {
      const address = service === master && input.apiServer !== undefined ? input.apiServer : input.addressOf(service, port);
      return address === undefined ? [] : [{ port, address }];
    });
    const first = addressed[0];
    if (first === undefined) continue;
    const prefix = (service.metadata.name ?? "").toUpperCase().replaceAll("-", "_");
    result.set(`${prefix}_SERVICE_HOST`, first.address.host);
    result.set(`${prefix}_SERVICE_PORT`, String(first.address.port));
    for (const { port, address } of addressed) {
      if (port.name) result.set(`${prefix}_SERVICE_PORT_${port.name.toUpperCase().replaceAll("-", "_")}`, String(address.port));
    }
    for (const [index, { port, address }] of addressed.entries()) {
      const protocol = port.protocol ?? "TCP";
      const host = address.host.includes(":") ? `[${address.host}]` : address.host;
      const url = `${protocol.toLowerCase()}://${host}:${address.port}`;
      const link = `${prefix}_PORT_${port.port}_${protocol}`;
      if (index === 0) result.set(`${prefix}_PORT`, url);
      result.set(link, url);
      result.set(`${link}_PROTO`, protocol.toLowerCase());
      result.set(`${link}_PORT`, String(address.port));
      result.set(`${link}_ADDR`, address.host);
    }
  }
  if (master === undefined && input.apiServer !== undefined) {
    result.set("KUBERNETES_SERVICE_HOST", input.apiServer.host);
    result.set("KUBERNETES_SERVICE_PORT", String(input.apiServer.port));
    result.set("KUBERNETES_SERVICE_PORT_HTTPS", String(input.apiServer.port));
  }
  return result;
}
