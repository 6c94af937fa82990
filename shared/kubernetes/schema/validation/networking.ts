import { isIP } from "node:net";
import { labelSelectorProblems } from "../../label-selector.ts";
import {
  dns1035LabelProblems,
  dnsLabelProblems,
  dnsSubdomainProblems,
  pathSegmentProblems,
  portNameProblems,
  portNumberProblems,
  wildcardDnsSubdomainProblems,
} from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from "../../types.ts";
import { forbidden, invalid, notSupported, required, tooLong } from "../field-error.ts";
import { goQuote } from "../go-text.ts";
import { checkCidr, checkDnsSubdomain, checkImmutable, checkIp, checkSupported, invalidEach, parseCidr } from "./checks.ts";

const forbiddenSequences = ["//", "/./", "/../", "%2f", "%2F"];
const forbiddenSuffixes = ["/..", "/."];
const classAnnotation = "kubernetes.io/ingress.class";

export function validateIngress(ingress: Ingress): StatusCause[] {
  const causes = validateIngressSpec(ingress);
  const annotation = ingress.metadata.annotations?.[classAnnotation];
  const name = ingress.spec?.ingressClassName;
  if (annotation !== undefined && name !== undefined && annotation !== name) {
    causes.push(invalid(`annotations.${classAnnotation}`, annotation, "must match `ingressClassName` when both are specified"));
  }
  return causes;
}

export function validateIngressSpec({ spec = {} }: Ingress): StatusCause[] {
  const { rules = [], defaultBackend, tls = [], ingressClassName } = spec;
  const causes: StatusCause[] = [];
  if (rules.length === 0 && defaultBackend === undefined) {
    causes.push(invalid("spec", { go: "[]networking.IngressRule(nil)" }, "either `defaultBackend` or `rules` must be specified"));
  }
  if (defaultBackend !== undefined) causes.push(...checkBackend(defaultBackend, "spec.defaultBackend"));
  rules.forEach(({ host = "", http }, index) => {
    const at = `spec.rules[${index}]`;
    if (host !== "") causes.push(...checkHost(host, `${at}.host`));
    if (http === undefined) return;
    const paths = http.paths ?? [];
    if (paths.length === 0) causes.push(required(`${at}.http.paths`));
    paths.forEach((path, number) => {
      causes.push(...checkPath(path, `${at}.http.paths[${number}]`));
    });
  });
  tls.forEach(({ hosts = [], secretName = "" }, index) => {
    const at = `spec.tls[${index}]`;
    hosts.forEach((host, number) => {
      causes.push(
        ...invalidEach(
          `${at}.hosts[${number}]`,
          host,
          host.includes("*") ? wildcardDnsSubdomainProblems(host) : dnsSubdomainProblems(host),
        ),
      );
    });
    if (secretName !== "") causes.push(...checkDnsSubdomain(secretName, `${at}.secretName`));
  });
  if (ingressClassName !== undefined) causes.push(...checkDnsSubdomain(ingressClassName, "spec.ingressClassName"));
  return causes;
}

function checkHost(host: string, path: string): StatusCause[] {
  const causes = isIP(host) === 0 ? [] : [invalid(path, host, "must be a DNS name, not an IP address")];
  return [...causes, ...invalidEach(path, host, host.includes("*") ? wildcardDnsSubdomainProblems(host) : dnsSubdomainProblems(host))];
}

function checkPath({ path = "", pathType, backend }: HTTPIngressPath, at: string): StatusCause[] {
  if ((pathType as string | undefined) === undefined) return [required(`${at}.pathType`, "pathType must be specified")];
  const causes: StatusCause[] = [];
  const refuse = (text: string) => causes.push(invalid(`${at}.path`, path, text));
  if (pathType === "Exact" || pathType === "Prefix") {
    if (!path.startsWith("/")) refuse("must be an absolute path");
    for (const sequence of forbiddenSequences) if (path.includes(sequence)) refuse(`must not contain '${sequence}'`);
    for (const suffix of forbiddenSuffixes) if (path.endsWith(suffix)) refuse(`cannot end with '${suffix}'`);
  } else if (pathType === "ImplementationSpecific") {
    if (path !== "" && !path.startsWith("/")) refuse("must be an absolute path");
  } else causes.push(notSupported(`${at}.pathType`, pathType, ["Exact", "ImplementationSpecific", "Prefix"]));
  return [...causes, ...checkBackend(backend, `${at}.backend`)];
}

function checkBackend({ service, resource }: IngressBackend, path: string): StatusCause[] {
  if (service !== undefined && resource !== undefined) return [invalid(path, "", "cannot set both resource and service backends")];
  if (resource !== undefined) return checkReference(resource, `${path}.resource`);
  if (service === undefined) return [invalid(path, "", "resource or service backend is required")];
  const causes: StatusCause[] =
    service.name === ""
      ? [required(`${path}.service.name`)]
      : invalidEach(`${path}.service.name`, service.name, dns1035LabelProblems(service.name));
  const { name = "", number = 0 } = service.port ?? {};
  if (name !== "" && number !== 0) causes.push(invalid(path, "", "cannot set both port name & port number"));
  else if (name !== "") causes.push(...invalidEach(`${path}.service.port.name`, name, portNameProblems(name)));
  else if (number !== 0) causes.push(...invalidEach(`${path}.service.port.number`, number, portNumberProblems(number)));
  else causes.push(required(path, "port name or number is required"));
  return causes;
}

interface Reference {
  readonly apiGroup?: string;
  readonly kind: string;
  readonly name: string;
}

function checkReference({ apiGroup, kind, name }: Reference, path: string): StatusCause[] {
  return [
    ...(apiGroup === undefined ? [] : checkDnsSubdomain(apiGroup, `${path}.apiGroup`)),
    ...(kind === "" ? [required(`${path}.kind`, "kind is required")] : invalidEach(`${path}.kind`, kind, pathSegmentProblems(kind))),
    ...(name === "" ? [required(`${path}.name`, "name is required")] : invalidEach(`${path}.name`, name, pathSegmentProblems(name))),
  ];
}

export function validateIngressStatus({ status }: Ingress): StatusCause[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip = "", hostname = "" }, index) => {
    const at = `status.loadBalancer.ingress[${index}]`;
    const name = hostname === "" ? [] : checkDnsSubdomain(hostname, `${at}.hostname`);
    if (isIP(hostname) !== 0) name.push(invalid(`${at}.hostname`, hostname, "must be a DNS name, not an IP address"));
    return [...(ip === "" ? [] : checkIp(ip, `${at}.ip`)), ...name];
  });
}

const maximumController = 250;

export function validateIngressClass({ spec }: IngressClass): StatusCause[] {
  const controller = spec?.controller ?? "";
  const causes: StatusCause[] = [];
  const slash = controller.indexOf("/");
  if (controller.length > maximumController) causes.push(tooLong("spec.controller", maximumController));
  if (controller === "") causes.push(required("spec.controller"));
  else if (slash <= 0 || slash === controller.length - 1)
    causes.push(invalid("spec.controller", controller, 'must be a domain-prefixed path (such as "acme.io/foo")'));
  else causes.push(...checkDnsSubdomain(controller.slice(0, slash), "spec.controller"));
  const parameters = spec?.parameters;
  if (parameters === undefined) return causes;
  const at = "spec.parameters";
  causes.push(...checkReference(parameters, at), ...checkSupported(parameters.scope, ["Cluster", "Namespace"], `${at}.scope`));
  const { namespace } = parameters;
  if (parameters.scope === "Namespace")
    causes.push(
      ...(namespace === undefined
        ? [required(`${at}.namespace`, "`parameters.scope` is set to 'Namespace'")]
        : invalidEach(`${at}.namespace`, namespace, dnsLabelProblems(namespace))),
    );
  if (parameters.scope === "Cluster" && namespace !== undefined)
    causes.push(forbidden(`${at}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  return causes;
}

export function validateIngressClassUpdate(next: IngressClass, live: IngressClass): StatusCause[] {
  return [...checkImmutable(next.spec?.controller, live.spec?.controller, "spec.controller"), ...validateIngressClass(next)];
}

export function validateNetworkPolicy({ spec }: NetworkPolicy): StatusCause[] {
  return spec === undefined ? [] : checkPolicySpec(spec, "spec");
}

function checkPolicySpec(spec: NetworkPolicySpec, path: string): StatusCause[] {
  const { ingress = [], egress = [], policyTypes = [] } = spec;
  const causes = labelSelectorProblems(spec.podSelector, `${path}.podSelector`);
  const check = (
    direction: string,
    peers: string,
    rules: readonly { ports?: NetworkPolicyPort[]; peers: readonly NetworkPolicyPeer[] }[],
  ) => {
    rules.forEach((rule, index) => {
      const at = `${path}.${direction}[${index}]`;
      (rule.ports ?? []).forEach((port, number) => {
        causes.push(...checkPolicyPort(port, `${at}.ports[${number}]`));
      });
      rule.peers.forEach((peer, number) => {
        causes.push(...checkPeer(peer, `${at}.${peers}[${number}]`));
      });
    });
  };
  check(
    "ingress",
    "from",
    ingress.map(({ ports, from }) => ({ ...(ports !== undefined && { ports }), peers: from ?? [] })),
  );
  check(
    "egress",
    "to",
    egress.map(({ ports, to }) => ({ ...(ports !== undefined && { ports }), peers: to ?? [] })),
  );
  if (policyTypes.length > 2)
    return [
      ...causes,
      invalid(
        `${path}.policyTypes`,
        { go: `[]networking.PolicyType{${policyTypes.map(goQuote).join(", ")}}` },
        "may not specify more than two policyTypes",
      ),
    ];
  return [...causes, ...policyTypes.flatMap((type, index) => checkSupported(type, ["Ingress", "Egress"], `${path}.policyTypes[${index}]`))];
}

function checkPolicyPort({ protocol, port, endPort }: NetworkPolicyPort, path: string): StatusCause[] {
  const causes = checkSupported(protocol, ["TCP", "UDP", "SCTP"], `${path}.protocol`);
  if (port === undefined) {
    return endPort === undefined
      ? causes
      : [...causes, invalid(`${path}.endPort`, endPort, "may not be specified when `port` is not specified")];
  }
  if (typeof port === "string") {
    if (endPort !== undefined) causes.push(invalid(`${path}.endPort`, endPort, "may not be specified when `port` is non-numeric"));
    return [...causes, ...invalidEach(`${path}.port`, port, portNameProblems(port))];
  }
  causes.push(...invalidEach(`${path}.port`, port, portNumberProblems(port)));
  if (endPort === undefined) return causes;
  if (endPort < port) causes.push(invalid(`${path}.endPort`, port, "must be greater than or equal to `port`"));
  return [...causes, ...invalidEach(`${path}.endPort`, endPort, portNumberProblems(endPort))];
}

function checkPeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: string): StatusCause[] {
  const causes = [
    ...labelSelectorProblems(podSelector, `${path}.podSelector`),
    ...labelSelectorProblems(namespaceSelector, `${path}.namespaceSelector`),
  ];
  if (ipBlock !== undefined) causes.push(...checkIpBlock(ipBlock, `${path}.ipBlock`));
  const selectors = podSelector !== undefined || namespaceSelector !== undefined;
  if (!selectors && ipBlock === undefined) causes.push(required(path, "must specify a peer"));
  if (selectors && ipBlock !== undefined) causes.push(forbidden(path, "may not specify both ipBlock and another peer"));
  return causes;
}

function checkIpBlock({ cidr, except = [] }: IPBlock, path: string): StatusCause[] {
  if (cidr === "") return [required(`${path}.cidr`)];
  const causes = checkCidr(cidr, `${path}.cidr`);
  if (causes.length > 0) return causes;
  except.forEach((inner, index) => {
    const at = `${path}.except[${index}]`;
    const problems = checkCidr(inner, at);
    causes.push(...problems);
    if (problems.length === 0 && !isStrictSubset(inner, cidr)) causes.push(invalid(at, inner, "must be a strict subset of `cidr`"));
  });
  return causes;
}

function isStrictSubset(inner: string, outer: string): boolean {
  const a = parseCidr(inner);
  const b = parseCidr(outer);
  if (a === undefined || b === undefined || a.family !== b.family || a.prefix <= b.prefix) return false;
  const bits = a.family === 4 ? 32 : 128;
  const shift = BigInt(bits - b.prefix);
  return addressBits(a.address) >> shift === addressBits(b.address) >> shift;
}

/** An address as a number. IPv6 in all its spellings but the one with an embedded IPv4 address, which is taken apart first. */
function addressBits(address: string): bigint {
  if (!address.includes(":")) return address.split(".").reduce((bits, part) => (bits << 8n) | BigInt(Number(part)), 0n);
  const embedded = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const hex = (high = "0", low = "0") => ((Number(high) << 8) | Number(low)).toString(16);
  const text =
    embedded === null ? address : address.replace(embedded[0], `${hex(embedded[1], embedded[2])}:${hex(embedded[3], embedded[4])}`);
  const [head = "", tail] = text.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = tail === undefined ? first : [...first, ...new Array<string>(8 - first.length - last.length).fill("0"), ...last];
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(Number.parseInt(group, 16)), 0n);
}
