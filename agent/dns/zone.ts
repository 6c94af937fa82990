import type { Endpoint, EndpointSlice, Service } from "../../shared/kubernetes/types.ts";

export interface ZoneInput {
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  /** `cluster.local`, in lower case. */
  readonly domain: string;
  /**
   * `clusterIp` where the node's rules lead from there to the endpoints; `endpoints` where nothing does (process nodes): then a service's name leads
   * to its endpoints as if it were headless.
   */
  readonly serviceAddresses: "clusterIp" | "endpoints";
}

export type ZoneRecord =
  | { readonly type: "A" | "AAAA" | "PTR"; readonly data: string }
  | { readonly type: "TXT"; readonly data: string }
  | {
      readonly type: "SRV";
      readonly data: { readonly priority: number; readonly weight: number; readonly port: number; readonly target: string };
    };

/** `unknown`: not of this zone, someone else may know. A name that exists may have no record of a type. */
type ZoneAnswer =
  | { readonly kind: "records"; readonly records: readonly ZoneRecord[] }
  | { readonly kind: "alias"; readonly target: string }
  | { readonly kind: "missing" }
  | { readonly kind: "unknown" };

/** The names of one cluster by the Kubernetes DNS-Based Service Discovery specification 1.1.0. */
export interface Zone {
  readonly domain: string;
  /** `name` in lower case, without the final dot. One look-up, whatever the size of the cluster. */
  find(name: string): ZoneAnswer;
}

const specificationVersion = "1.1.0";
const serviceNameLabel = "kubernetes.io/service-name";
/** What the reference implementation puts into every SRV record. */
const srvPriority = 0;

export function createZone({ services, endpointSlices, domain, serviceAddresses }: ZoneInput): Zone {
  const names = new Map<string, ZoneRecord[]>();
  const aliases = new Map<string, string>();
  const reverse = new Map<string, ZoneRecord[]>();
  const slicesOf = Map.groupBy(
    endpointSlices,
    ({ metadata }) => `${metadata.namespace ?? ""}/${metadata.labels?.[serviceNameLabel] ?? ""}`,
  );

  /** Adds a record, and the names above it: they exist, if only without records (RFC 8020). */
  const add = (name: string, ...records: ZoneRecord[]): void => {
    const known = names.get(name);
    if (known !== undefined) {
      known.push(...records);
      return;
    }
    names.set(name, records);
    if (name !== domain) add(name.slice(name.indexOf(".") + 1));
  };
  const addReverse = (address: string, target: string): void => {
    const name = reverseNameOf(address);
    const known = reverse.get(name) ?? [];
    reverse.set(name, [...known, { type: "PTR", data: target }]);
  };

  add(domain);
  add(`dns-version.${domain}`, { type: "TXT", data: specificationVersion });
  add(`svc.${domain}`);
  add(`pod.${domain}`);
  for (const { metadata, spec = {} } of services) {
    const name = `${metadata.name ?? ""}.${metadata.namespace ?? ""}.svc.${domain}`.toLowerCase();
    if (spec.type === "ExternalName") {
      add(name);
      if (spec.externalName !== undefined) aliases.set(name, spec.externalName.replace(/\.$/, ""));
      continue;
    }
    const clusterIps = (spec.clusterIPs ?? [spec.clusterIP ?? ""]).filter((ip) => ip !== "" && ip !== "None");
    add(name);
    for (const ip of clusterIps) addReverse(ip, name);
    if (clusterIps.length > 0 && serviceAddresses === "clusterIp") {
      for (const ip of clusterIps) add(name, addressRecord(ip));
      for (const port of spec.ports ?? []) {
        if (port.name === undefined || port.name === "") continue;
        add(srvName(port.name, port.protocol, name), srvRecord(port.port, name, 100));
      }
      continue;
    }
    const slices = slicesOf.get(`${metadata.namespace ?? ""}/${metadata.name ?? ""}`) ?? [];
    const headless = clusterIps.length === 0;
    const seen = new Set<string>();
    const addOnce = (owner: string, address: string): void => {
      const key = `${owner} ${address}`;
      if (!seen.has(key)) add(owner, addressRecord(address));
      seen.add(key);
    };
    for (const { address, ports, hostname } of endpointsOf(slices, spec.publishNotReadyAddresses === true)) {
      const own = `${hostname}.${name}`;
      addOnce(name, address);
      addOnce(own, address);
      if (headless) addReverse(address, own);
      for (const port of ports) {
        if (port.name === undefined || port.name === "" || port.port === undefined) continue;
        add(srvName(port.name, port.protocol, name), srvRecord(port.port, own, 100));
      }
    }
  }

  return {
    domain,
    find(name) {
      const pointers = reverse.get(name);
      if (pointers !== undefined) return { kind: "records", records: pointers };
      if (name !== domain && !name.endsWith(`.${domain}`)) return { kind: "unknown" };
      const alias = aliases.get(name);
      if (alias !== undefined) return { kind: "alias", target: alias };
      const records = names.get(name);
      if (records !== undefined) return { kind: "records", records };
      return podAnswer(name.slice(0, -domain.length - 1));
    },
  };
}

/** `1-2-3-4.namespace.pod` says its own answer; the namespace exists for want of evidence to the contrary. */
function podAnswer(relativeName: string): ZoneAnswer {
  const labels = relativeName.split(".");
  if (labels.at(-1) !== "pod" || labels.length > 3) return { kind: "missing" };
  if (labels.length === 2) return { kind: "records", records: [] };
  const dashed = labels[0] ?? "";
  const address = /^\d{1,3}(-\d{1,3}){3}$/.test(dashed) ? dashed.replaceAll("-", ".") : dashed.replaceAll("-", ":");
  const isAddress = address.includes(".") ? address.split(".").every((octet) => Number(octet) <= 255) : isIpv6(address);
  return isAddress ? { kind: "records", records: [addressRecord(address)] } : { kind: "missing" };
}

const isIpv6 = (address: string): boolean => URL.canParse(`http://[${address}]/`) && address.includes(":");

interface NamedEndpoint {
  readonly address: string;
  readonly hostname: string;
  readonly ports: NonNullable<EndpointSlice["ports"]>;
}

function* endpointsOf(slices: readonly EndpointSlice[], publishNotReady: boolean): Generator<NamedEndpoint> {
  for (const { addressType, endpoints, ports = [] } of slices) {
    if (addressType === "FQDN") continue;
    for (const endpoint of endpoints.filter((one) => publishNotReady || isReady(one))) {
      for (const address of endpoint.addresses) {
        yield { address, ports, hostname: (endpoint.hostname ?? address.replaceAll(/[.:]+/g, "-")).toLowerCase() };
      }
    }
  }
}

const isReady = (endpoint: Endpoint): boolean => endpoint.conditions?.ready ?? true;

function addressRecord(address: string): ZoneRecord {
  return { type: address.includes(":") ? "AAAA" : "A", data: address };
}

function srvName(port: string, protocol: string | undefined, service: string): string {
  return `_${port}._${protocol ?? "TCP"}.${service}`.toLowerCase();
}

function srvRecord(port: number, target: string, weight: number): ZoneRecord {
  return { type: "SRV", data: { priority: srvPriority, weight, port, target } };
}

/** RFC 1035 §3.5 and RFC 3596 §2.5. */
export function reverseNameOf(address: string): string {
  if (!address.includes(":")) return `${address.split(".").toReversed().join(".")}.in-addr.arpa`;
  const [head = "", tail] = address.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => "0");
  const digits = [...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join("");
  return `${[...digits].toReversed().join(".")}.ip6.arpa`;
}
