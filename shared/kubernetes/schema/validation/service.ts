import { isIP } from "node:net";
import { parseAddress } from "../../ip-text.ts";
import type { StatusCause } from "../../status-error.ts";
import type { Service, ServicePort, ServiceSpec } from "../../types.ts";
import { duplicate, forbidden, invalid, notSupported, required } from "../field-error.ts";
import { goQuote, goStringList } from "../go-text.ts";
import {
  checkCidr,
  checkDnsLabel,
  checkDnsSubdomain,
  checkIp,
  checkOneOf,
  checkPortNumber,
  checkPortNumberOrName,
  checkQualifiedName,
  checkSupported,
} from "./checks.ts";
import { checkEndpointIp } from "./endpoints.ts";
import { same, validateLabels } from "./object-meta.ts";

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const maximumAffinitySeconds = 86_400;
const sourceRangesAnnotation = "service.beta.kubernetes.io/load-balancer-source-ranges";

/** `ValidateService`, but for the metadata. */
export function validateService(service: Service, live?: ServiceSpec): StatusCause[] {
  const spec = service.spec ?? {};
  const ports = spec.ports ?? [];
  const headless = isHeadless(spec);
  const causes = checkAnnotations(service);
  if (ports.length === 0 && !headless && spec.type !== "ExternalName") causes.push(required("spec.ports"));
  causes.push(...checkType(spec, headless));
  const names = new Set<string>();
  ports.forEach((port, index) => {
    causes.push(...checkPort(port, ports.length > 1, names, `spec.ports[${index}]`));
  });
  causes.push(...validateLabels(spec.selector, "spec.selector"), ...checkAffinity(spec));
  if (spec.type !== "ExternalName") causes.push(...checkClusterIps(spec, live?.clusterIPs));
  (spec.externalIPs ?? []).forEach((ip, index) => {
    const at = `spec.externalIPs[${index}]`;
    const problems = checkIp(ip, at);
    causes.push(...(problems.length > 0 ? problems : checkEndpointIp(ip, at)));
  });
  causes.push(...checkOneOf(spec.type, types, "spec.type"), ...checkPortsTogether(spec), ...checkSourceRanges(service));
  if (spec.allocateLoadBalancerNodePorts !== undefined && spec.type !== "LoadBalancer") {
    causes.push(forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'"));
  }
  if (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts === undefined)
    causes.push(required("allocateLoadBalancerNodePorts"));
  return [...causes, ...checkLoadBalancerClass(spec), ...checkTrafficPolicies(spec)];
}

/** `ValidateServiceUpdate`, but for the metadata. */
export function validateServiceUpdate(next: Service, live: Service): StatusCause[] {
  const after = next.spec ?? {};
  const before = live.spec ?? {};
  const causes: StatusCause[] = [];
  if (after.type !== "ExternalName" && before.type !== "ExternalName") {
    causes.push(...checkIpsKept(after, before), ...checkFamiliesKept(after, before));
  }
  if (after.type === "LoadBalancer" && before.type === "LoadBalancer" && !same(after.loadBalancerClass, before.loadBalancerClass)) {
    causes.push(invalid("spec.loadBalancerClass", after.loadBalancerClass, "may not change once set"));
  }
  if (needsHealthCheck(after) && needsHealthCheck(before) && after.healthCheckNodePort !== before.healthCheckNodePort) {
    causes.push(forbidden("spec.healthCheckNodePort", "field is immutable"));
  }
  return [...causes, ...validateService(next, before)];
}

function isHeadless({ clusterIP, clusterIPs }: ServiceSpec): boolean {
  return clusterIPs === undefined ? clusterIP === "None" : clusterIPs.length === 1 && clusterIPs[0] === "None";
}

function checkAnnotations({ metadata }: Service): StatusCause[] {
  const hints = metadata.annotations?.["service.kubernetes.io/topology-aware-hints"];
  const mode = metadata.annotations?.["service.kubernetes.io/topology-mode"];
  if (hints === undefined || mode === undefined || hints === mode) return [];
  const at = "metadata.annotations[service.kubernetes.io/topology-mode]";
  return [invalid(at, mode, "must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified")];
}

function checkType(spec: ServiceSpec, headless: boolean): StatusCause[] {
  if ((spec.type === "LoadBalancer" || spec.type === "NodePort") && headless) {
    return [invalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${spec.type} services`)];
  }
  if (spec.type !== "ExternalName") return [];
  const causes: StatusCause[] = [];
  for (const field of ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] as const) {
    if (spec[field] !== undefined && !(Array.isArray(spec[field]) && spec[field].length === 0))
      causes.push(forbidden(`spec.${field}`, "may not be set for ExternalName services"));
  }
  const name = (spec.externalName ?? "").replace(/\.$/, "");
  return [...causes, ...(name === "" ? [required("spec.externalName")] : checkDnsSubdomain(name, "spec.externalName"))];
}

function checkPort(port: ServicePort, requireName: boolean, names: Set<string>, path: string): StatusCause[] {
  const { name = "" } = port;
  const causes: StatusCause[] = [];
  if (requireName && name === "") causes.push(required(`${path}.name`));
  else if (name !== "") {
    causes.push(...checkDnsLabel(name, `${path}.name`));
    if (names.has(name)) causes.push(duplicate(`${path}.name`, name));
    names.add(name);
  }
  causes.push(...checkPortNumber(port.port, `${path}.port`), ...checkOneOf(port.protocol, ["SCTP", "TCP", "UDP"], `${path}.protocol`));
  causes.push(...checkPortNumberOrName(port.targetPort, `${path}.targetPort`));
  return port.appProtocol === undefined ? causes : [...causes, ...checkQualifiedName(port.appProtocol, `${path}.appProtocol`)];
}

function checkAffinity({ sessionAffinity, sessionAffinityConfig: config }: ServiceSpec): StatusCause[] {
  const causes = checkOneOf(sessionAffinity, ["ClientIP", "None"], "spec.sessionAffinity");
  const at = "spec.sessionAffinityConfig";
  if (sessionAffinity === "None" && config !== undefined) causes.push(forbidden(at, "must not be set when session affinity is None"));
  if (sessionAffinity !== "ClientIP") return causes;
  const detail = "when session affinity type is ClientIP";
  if (config === undefined) return [...causes, required(at, detail)];
  const seconds = config.clientIP?.timeoutSeconds;
  if (config.clientIP === undefined) return [...causes, required(`${at}.clientIP`, detail)];
  if (seconds === undefined) return [...causes, required(`${at}.clientIP.timeoutSeconds`, detail)];
  if (seconds > 0 && seconds <= maximumAffinitySeconds) return causes;
  return [...causes, invalid(`${at}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${maximumAffinitySeconds}`)];
}

/** `ValidateServiceClusterIPsRelatedFields`. Addresses that the Service has already (`existing`) are not judged again. */
export function checkClusterIps(spec: ServiceSpec, existing: readonly string[] = []): StatusCause[] {
  const { clusterIP = "", clusterIPs = [], ipFamilies = [] } = spec;
  const listed = { go: goStringList(spec.clusterIPs) };
  const causes: StatusCause[] = [];
  if (clusterIP !== "") {
    if (clusterIPs.length === 0) causes.push(required("spec.clusterIPs"));
    else if (clusterIPs[0] !== clusterIP) causes.push(invalid("spec.clusterIPs", listed, "first value must match `clusterIP`"));
  } else if (clusterIPs.length > 0) causes.push(invalid("spec.clusterIPs", listed, "must be empty when `clusterIP` is not specified"));
  ipFamilies.forEach((family, index) => {
    const at = `spec.ipFamilies[${index}]`;
    if (family !== "IPv4" && family !== "IPv6") causes.push(notSupported(at, family, ["IPv4", "IPv6"]));
    if (ipFamilies.indexOf(family) < index) causes.push(duplicate(at, family));
  });
  causes.push(...checkSupported(spec.ipFamilyPolicy, ["PreferDualStack", "RequireDualStack", "SingleStack"], "spec.ipFamilyPolicy"));
  const problems = clusterIPs.flatMap((ip, index) => {
    if (index > 0 || ip !== "None") return existing.includes(ip) ? [] : checkIp(ip, `spec.clusterIPs[${index}]`);
    return clusterIPs.length > 1 ? [invalid("spec.clusterIPs", listed, "'None' must be the first and only value")] : [];
  });
  causes.push(...problems);
  if (clusterIPs.length > 2) causes.push(invalid("spec.clusterIPs", listed, "may only hold up to 2 values"));
  if (problems.length > 0) return causes;
  const families = clusterIPs.map((ip) => parseAddress(ip)?.family);
  if (families.length > 1 && new Set(families).size < 2)
    causes.push(invalid("spec.clusterIPs", listed, "may specify no more than one IP for each IP family"));
  if (isHeadless(spec)) return causes;
  clusterIPs.forEach((ip, index) => {
    const family = ipFamilies[index];
    if ((family === "IPv4" && families[index] === 6) || (family === "IPv6" && families[index] === 4)) {
      causes.push(invalid(`spec.clusterIPs[${index}]`, ip, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``));
    }
  });
  return causes;
}

function checkPortsTogether({ type, ports = [] }: ServiceSpec): StatusCause[] {
  const causes: StatusCause[] = [];
  const nodePorts = new Set<string>();
  const numbers = new Set<string>();
  if (type === "ClusterIP") {
    ports.forEach(({ nodePort }, index) => {
      if (nodePort !== undefined) causes.push(forbidden(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'"));
    });
  }
  ports.forEach(({ protocol, nodePort }, index) => {
    if (nodePort === undefined) return;
    if (nodePorts.has(`${protocol}/${nodePort}`)) causes.push(duplicate(`spec.ports[${index}].nodePort`, nodePort));
    nodePorts.add(`${protocol}/${nodePort}`);
  });
  ports.forEach(({ protocol = "", port }, index) => {
    if (numbers.has(`${protocol}/${port}`)) causes.push(duplicate(`spec.ports[${index}]`, { go: goServicePort(protocol, port) }));
    numbers.add(`${protocol}/${port}`);
  });
  return causes;
}

function goServicePort(protocol: string, port: number): string {
  const target = 'TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:""}';
  return `core.ServicePort{Name:"", Protocol:${goQuote(protocol)}, AppProtocol:(*string)(nil), Port:${port}, ${target}, NodePort:0}`;
}

function checkSourceRanges({ metadata, spec }: Service): StatusCause[] {
  const ranges = spec?.loadBalancerSourceRanges ?? [];
  const annotation = metadata.annotations?.[sourceRangesAnnotation];
  const wrongType = spec?.type !== "LoadBalancer";
  const text = "may only be used when `type` is 'LoadBalancer'";
  if (ranges.length > 0) {
    const at = "spec.LoadBalancerSourceRanges";
    return [...(wrongType ? [forbidden(at, text)] : []), ...ranges.flatMap((range, index) => checkCidr(range.trim(), `${at}[${index}]`))];
  }
  if (annotation === undefined) return [];
  const at = `metadata.annotations[${sourceRangesAnnotation}]`;
  const listed = annotation.trim() === "" ? [] : annotation.split(",");
  return [...(wrongType ? [forbidden(at, text)] : []), ...listed.flatMap((range) => checkCidr(range.trim(), at))];
}

function checkLoadBalancerClass({ type, loadBalancerClass: name }: ServiceSpec): StatusCause[] {
  if (name === undefined) return [];
  if (type === "LoadBalancer") return checkQualifiedName(name, "spec.loadBalancerClass");
  return [forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'")];
}

function isExposed({ type, externalIPs }: ServiceSpec): boolean {
  return type === "LoadBalancer" || type === "NodePort" || (type === "ClusterIP" && (externalIPs?.length ?? 0) > 0);
}

function needsHealthCheck({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === "LoadBalancer" && externalTrafficPolicy === "Local";
}

function checkTrafficPolicies(spec: ServiceSpec): StatusCause[] {
  const { externalTrafficPolicy: external, internalTrafficPolicy: internal, healthCheckNodePort: port } = spec;
  const causes: StatusCause[] = [];
  const policies = ["Cluster", "Local"];
  if (isExposed(spec)) causes.push(...checkOneOf(external, policies, "spec.externalTrafficPolicy"));
  else if (external !== undefined)
    causes.push(invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services"));
  if (needsHealthCheck(spec)) {
    if (port !== undefined) causes.push(...checkPortNumber(port, "spec.healthCheckNodePort"));
  } else if (port !== undefined) {
    causes.push(
      invalid("spec.healthCheckNodePort", port, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"),
    );
  }
  const needsInternal = spec.type === "NodePort" || spec.type === "LoadBalancer" || spec.type === "ClusterIP";
  if (internal === undefined && needsInternal) causes.push(required("spec.internalTrafficPolicy"));
  causes.push(...checkSupported(internal, policies, "spec.internalTrafficPolicy"));
  return [...causes, ...checkSupported(spec.trafficDistribution, ["PreferClose"], "spec.trafficDistribution")];
}

function checkIpsKept(next: ServiceSpec, live: ServiceSpec): StatusCause[] {
  if (isHeadless(next) && isHeadless(live)) return [];
  const after = next.clusterIPs ?? [];
  const before = live.clusterIPs ?? [];
  const value = { go: goStringList(next.clusterIPs) };
  const changed = (index: number) => invalid(`spec.clusterIPs[${index}]`, value, "may not change once set");
  if (before.length === after.length) return before.flatMap((ip, index) => (ip === after[index] ? [] : [changed(index)]));
  const causes: StatusCause[] = [];
  if (before.length > after.length && after.length === 0)
    causes.push(invalid("spec.clusterIPs[0]", value, "primary clusterIP can not be unset"));
  if (before.length > 0 && after.length > 0 && after[0] !== before[0]) causes.push(changed(0));
  if (before.length > after.length && after.length === 1 && next.ipFamilyPolicy !== "SingleStack") {
    causes.push(invalid("spec.ipFamilyPolicy", next.ipFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary clusterIP"));
  }
  return causes;
}

function checkFamiliesKept(next: ServiceSpec, live: ServiceSpec): StatusCause[] {
  if (isHeadless(next) || isHeadless(live)) return [];
  const after = next.ipFamilies ?? [];
  const before = live.ipFamilies ?? [];
  const value = { go: `[]core.IPFamily{${after.map(goQuote).join(", ")}}` };
  const at = "spec.ipFamilies[0]";
  if (before.length === after.length) {
    return before.flatMap((family, index) => (family === after[index] ? [] : [invalid(at, value, "may not change once set")]));
  }
  if (before.length > 0 && after.length > 0 && after[0] !== before[0]) {
    return [invalid(at, { go: goStringList(next.clusterIPs) }, "may not change once set")];
  }
  if (before.length < after.length) return [];
  if (after.length === 0 && (next.clusterIPs ?? []).length === 0) return [invalid(at, value, "primary ipFamily can not be unset")];
  if (after.length !== 1 || next.ipFamilyPolicy === "SingleStack") return [];
  return [invalid("spec.ipFamilyPolicy", next.ipFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary ipFamily")];
}

/** `ValidateLoadBalancerStatus`: where traffic from outside comes in. */
export function validateServiceStatus({ spec, status }: Service): StatusCause[] {
  const ingress = status?.loadBalancer?.ingress ?? [];
  const path = "status.loadBalancer.ingress";
  if (spec?.type !== "LoadBalancer" && ingress.length > 0) return [forbidden(path, "may only be used when `spec.type` is LoadBalancer")];
  return ingress.flatMap(({ ip = "", hostname = "", ipMode }, index) => {
    const at = `${path}[${index}]`;
    const causes = ip === "" ? [] : checkIp(ip, `${at}.ip`);
    if (ip === "" && ipMode !== undefined) causes.push(forbidden(`${at}.ipMode`, "may not be specified when `ip` is not set"));
    if (ipMode !== undefined && ipMode !== "VIP" && ipMode !== "Proxy") causes.push(notSupported(`${at}.ipMode`, ipMode, ["Proxy", "VIP"]));
    if (hostname === "") return causes;
    causes.push(...checkDnsSubdomain(hostname, `${at}.hostname`));
    if (isIP(hostname) !== 0) causes.push(invalid(`${at}.hostname`, hostname, "must be a DNS name, not an IP address"));
    return causes;
  });
}
