import { parseAddress } from "../../ip-text.ts";
import { dnsLabelProblems, dnsSubdomainProblems, labelValueProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  DiscoveryV1EndpointPort,
  Endpoint,
  EndpointAddress,
  EndpointHints,
  EndpointPort,
  EndpointSlice,
  Endpoints,
} from "../../types.ts";
import { duplicate, invalid, required, tooMany } from "../field-error.ts";
import {
  checkDnsLabel,
  checkDnsSubdomain,
  checkImmutable,
  checkIp,
  checkOneOf,
  checkPortNumber,
  checkQualifiedName,
  checkStandardIp,
  checkSupported,
  invalidEach,
} from "./checks.ts";
import { same, validateLabels } from "./object-meta.ts";

const protocols = ["SCTP", "TCP", "UDP"];
const maximumEndpoints = 1000;
const maximumAddresses = 100;
const maximumPorts = 20_000;
const maximumTopologyLabels = 16;
const maximumHints = 8;

/** `IsFullyQualifiedDomainName`: at least two labels. */
function checkFullyQualifiedName(name: string, path: string): StatusCause[] {
  if (name === "") return [required(path)];
  const plain = name.replace(/\.$/, "");
  const problems = dnsSubdomainProblems(plain);
  if (problems.length > 0) return [invalid(path, plain, problems.join(","))];
  const labels = plain.split(".");
  if (labels.length < 2) return [invalid(path, plain, "should be a domain with at least two segments separated by dots")];
  return labels.flatMap((label) => invalidEach(path, label, dnsLabelProblems(label)));
}

/** An address that traffic can be sent to from elsewhere (`ValidateEndpointIP`). The text must be an address. */
export function checkEndpointIp(ip: string, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const text = parseAddress(ip)?.canonical ?? ip.toLowerCase();
  const first = Number.parseInt(text.split(":")[0] ?? "", 16);
  const v6 = text.includes(":");
  if (text === "0.0.0.0" || /^[0:]+$/.test(text)) causes.push(invalid(path, ip, `may not be unspecified (${ip})`));
  if (text.startsWith("127.") || /^[0:]+:0*1$/.test(text))
    causes.push(invalid(path, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)"));
  if (text.startsWith("169.254.") || (v6 && (first & 0xffc0) === 0xfe80)) {
    causes.push(invalid(path, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
  }
  if (text.startsWith("224.0.0.") || (v6 && (first & 0xff0f) === 0xff02)) {
    causes.push(invalid(path, ip, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"));
  }
  return causes;
}

export function validateEndpoints({ subsets = [] }: Endpoints): StatusCause[] {
  return subsets.flatMap((subset, index) => {
    const path = `subsets[${index}]`;
    const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
    return [
      ...(addresses.length + notReadyAddresses.length === 0 ? [required(path, "must specify `addresses` or `notReadyAddresses`")] : []),
      ...addresses.flatMap((address, number) => checkAddress(address, `${path}.addresses[${number}]`)),
      ...notReadyAddresses.flatMap((address, number) => checkAddress(address, `${path}.notReadyAddresses[${number}]`)),
      ...ports.flatMap((port, number) => checkPort(port, ports.length > 1, `${path}.ports[${number}]`)),
    ];
  });
}

export function validateEndpointsUpdate(next: Endpoints, live: Endpoints): StatusCause[] {
  return same(next.subsets, live.subsets) ? [] : validateEndpoints(next);
}

function checkAddress({ ip, hostname = "", nodeName }: EndpointAddress, path: string): StatusCause[] {
  const causes = checkIp(ip, `${path}.ip`);
  const readable = causes.length === 0;
  if (hostname !== "") causes.push(...checkDnsLabel(hostname, `${path}.hostname`));
  if (nodeName !== undefined) causes.push(...checkDnsSubdomain(nodeName, `${path}.nodeName`));
  const reachable = readable ? checkEndpointIp(ip, `${path}.ip`) : [invalid(`${path}.ip`, ip, "must be a valid IP address")];
  return [...causes, ...reachable];
}

function checkPort({ name = "", port, protocol, appProtocol }: EndpointPort, requireName: boolean, path: string): StatusCause[] {
  return [
    ...(name === "" ? (requireName ? [required(`${path}.name`)] : []) : checkDnsLabel(name, `${path}.name`)),
    ...checkPortNumber(port, `${path}.port`),
    ...checkOneOf(protocol, protocols, `${path}.protocol`),
    ...(appProtocol === undefined ? [] : checkQualifiedName(appProtocol, `${path}.appProtocol`)),
  ];
}

export function validateEndpointSlice(slice: EndpointSlice): StatusCause[] {
  return [...checkSlice(slice), ...checkSliceEndpoints(slice)];
}

export function validateEndpointSliceUpdate(next: EndpointSlice, live: EndpointSlice): StatusCause[] {
  return [
    ...checkSlice(next),
    ...(same(next.endpoints, live.endpoints) ? [] : checkSliceEndpoints(next)),
    ...checkImmutable(next.addressType, live.addressType, "addressType"),
  ];
}

function checkSlice({ addressType, ports }: EndpointSlice): StatusCause[] {
  return [...checkOneOf(addressType, ["FQDN", "IPv4", "IPv6"], "addressType"), ...checkSlicePorts(ports ?? [], "ports")];
}

function checkSlicePorts(ports: readonly DiscoveryV1EndpointPort[], path: string): StatusCause[] {
  if (ports.length > maximumPorts) return [tooMany(path, ports.length, maximumPorts)];
  const names = new Set<string>();
  return ports.flatMap(({ name = "", protocol, appProtocol }, index) => {
    const at = `${path}[${index}]`;
    const causes = name === "" ? [] : checkDnsLabel(name, `${at}.name`);
    if (names.has(name)) causes.push(duplicate(`${at}.name`, name));
    names.add(name);
    causes.push(...(protocol === undefined ? [required(`${at}.protocol`)] : checkSupported(protocol, protocols, `${at}.protocol`)));
    return appProtocol === undefined ? causes : [...causes, ...checkQualifiedName(appProtocol, `${at}.appProtocol`)];
  });
}

function checkSliceEndpoints({ addressType, endpoints }: EndpointSlice): StatusCause[] {
  const list = endpoints ?? [];
  if (list.length > maximumEndpoints) return [tooMany("endpoints", list.length, maximumEndpoints)];
  return list.flatMap((endpoint, index) => checkEndpoint(endpoint, addressType, `endpoints[${index}]`));
}

function checkEndpoint(endpoint: Endpoint, addressType: string, path: string): StatusCause[] {
  const addresses = endpoint.addresses ?? [];
  const at = `${path}.addresses`;
  const causes: StatusCause[] = [];
  if (addresses.length === 0) causes.push(required(at, "must contain at least 1 address"));
  if (addresses.length > maximumAddresses) causes.push(tooMany(at, addresses.length, maximumAddresses));
  addresses.forEach((address, index) => {
    causes.push(...checkTypedAddress(address, addressType, `${at}[${index}]`, at));
  });
  const { nodeName, hostname, deprecatedTopology, hints } = endpoint;
  if (nodeName !== undefined) causes.push(...checkDnsSubdomain(nodeName, `${path}.nodeName`));
  const labels = Object.keys(deprecatedTopology ?? {}).length;
  if (labels > maximumTopologyLabels) causes.push(tooMany(`${path}.deprecatedTopology`, labels, maximumTopologyLabels));
  causes.push(...validateLabels(deprecatedTopology, `${path}.deprecatedTopology`));
  if (hostname !== undefined) causes.push(...checkDnsLabel(hostname, `${path}.hostname`));
  return hints === undefined ? causes : [...causes, ...checkHints(hints, `${path}.hints`)];
}

function checkTypedAddress(address: string, type: string, path: string, listPath: string): StatusCause[] {
  if (type === "FQDN") return checkFullyQualifiedName(address, path);
  if (type !== "IPv4" && type !== "IPv6") return [];
  const problems = type === "IPv4" ? checkIp(address, path) : checkStandardIp(address, path);
  if (problems.length > 0) return problems;
  const wrong = parseAddress(address)?.family !== (type === "IPv4" ? 4 : 6);
  return [...(wrong ? [invalid(listPath, address, `must be an ${type} address`)] : []), ...checkEndpointIp(address, path)];
}

function checkHints(hints: EndpointHints, path: string): StatusCause[] {
  const { forZones = [], forNodes = [] } = hints;
  if (forZones.length > maximumHints) return [tooMany(`${path}.forZones`, forZones.length, maximumHints)];
  const causes = checkHintNames(forZones, labelValueProblems, `${path}.forZones`);
  if (forNodes.length > maximumHints) return [...causes, tooMany(`${path}.forNodes`, forNodes.length, maximumHints)];
  return [...causes, ...checkHintNames(forNodes, dnsSubdomainProblems, `${path}.forNodes`)];
}

function checkHintNames(hints: readonly { name: string }[], problems: (name: string) => readonly string[], path: string): StatusCause[] {
  return hints.flatMap(({ name }, index) => {
    const at = `${path}[${index}].name`;
    const repeated = hints.findIndex((hint) => hint.name === name) < index;
    return [...(repeated ? [duplicate(at, name)] : []), ...invalidEach(at, name, problems(name))];
  });
}
