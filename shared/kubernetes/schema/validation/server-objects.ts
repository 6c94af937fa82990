import { isIP } from "node:net";
import { labelSelectorProblems } from "../../label-selector.ts";
import { dns1035LabelProblems, dnsLabelProblems, dnsSubdomainProblems, pathSegmentProblems, portNumberProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  AdmissionregistrationV1WebhookClientConfig,
  APIService,
  CertificateSigningRequest,
  IPAddress,
  LabelSelector,
  MutatingWebhookConfiguration,
  RuleWithOperations,
  ServiceCIDR,
  ValidatingWebhookConfiguration,
} from "../../types.ts";
import { duplicate, invalid, required, tooLong } from "../field-error.ts";
import { goQuote, goStringList } from "../go-text.ts";
import { certificateRequestProblem } from "./certificate-request.ts";
import { checkCidr, checkDnsSubdomain, checkOneOf, checkSupported, invalidEach, parseCidr, sorted } from "./checks.ts";
import { immutableMessage } from "./object-meta.ts";
import { checkClientConfig } from "./webhook-client.ts";

/** An IPAddress is named after its address. */
export function ipAddressNameProblems(name: string): readonly string[] {
  if (isIP(name) === 0 && /^\d+\.\d+\.\d+\.\d+$/.test(name) && isIP(name.replace(/\b0+(?=\d)/g, "")) === 4)
    return ["must not have leading 0s"];
  if (isIP(name) === 0) return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"];
  return name === name.toLowerCase() ? [] : [`must be in canonical form (${goQuote(name.toLowerCase())})`];
}

export function validateIpAddress({ spec }: IPAddress): StatusCause[] {
  const reference = spec?.parentRef;
  const path = "spec.parentRef";
  if (reference === undefined) return [required(path)];
  const { group = "", namespace = "" } = reference;
  const needed = (field: "resource" | "name"): StatusCause[] => {
    const value = reference[field] ?? "";
    return value === "" ? [required(`${path}.${field}`)] : invalidEach(`${path}.${field}`, value, pathSegmentProblems(value));
  };
  return [
    ...(group === "" ? [] : checkDnsSubdomain(group, `${path}.group`)),
    ...needed("resource"),
    ...needed("name"),
    ...(namespace === "" ? [] : invalidEach(`${path}.namespace`, namespace, pathSegmentProblems(namespace))),
  ];
}

export function validateServiceCidr({ spec }: ServiceCIDR): StatusCause[] {
  const cidrs = spec?.cidrs ?? [];
  const path = "spec.cidrs";
  if (cidrs.length === 0) return [required(path, "at least one CIDR required")];
  if (cidrs.length > 2)
    return [invalid(path, { go: `networking.ServiceCIDRSpec{CIDRs:${goStringList(cidrs)}}` }, "may only hold up to 2 values")];
  const causes = cidrs.flatMap((cidr, index) => checkCidr(cidr, `${path}[${index}]`));
  const families = new Set(cidrs.map((cidr) => parseCidr(cidr)?.family));
  if (causes.length > 0 || cidrs.length < 2 || families.size === 2) return causes;
  const text = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
  return [invalid(path, { go: goStringList(cidrs) }, text)];
}

export function validateServiceCidrUpdate(next: ServiceCIDR, live: ServiceCIDR): StatusCause[] {
  const after = next.spec?.cidrs ?? [];
  const before = live.spec?.cidrs ?? [];
  const changed = before.flatMap((cidr, index) =>
    cidr === after[index] ? [] : [invalid(`spec.cidrs[${index}]`, after[index], immutableMessage)],
  );
  if (before.length === after.length) return changed;
  if (before.length === 1 && after.length === 2) return [...changed, ...validateServiceCidr(next)];
  return [invalid("spec.cidrs", { go: goStringList(after) }, immutableMessage)];
}

export function validateApiService({ metadata, spec }: APIService): StatusCause[] {
  const {
    group = "",
    version = "",
    groupPriorityMinimum = 0,
    versionPriority = 0,
    service,
    caBundle = "",
    insecureSkipTLSVerify,
  } = spec ?? {};
  const name = metadata.name ?? "";
  const expected = `${version}.${group}`;
  const causes: StatusCause[] = [];
  if (name !== expected && pathSegmentProblems(name).length === 0) {
    causes.push(invalid("metadata.name", name, `must be \`spec.version+"."+spec.group\`: ${goQuote(expected)}`));
  }
  if (group === "" && version !== "v1") causes.push(required("spec.group", "only v1 may have an empty group and it better be legacy kube"));
  if (group !== "") causes.push(...checkDnsSubdomain(group, "spec.group"));
  causes.push(...invalidEach("spec.version", version, dns1035LabelProblems(version)));
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > 20_000) {
    causes.push(invalid("spec.groupPriorityMinimum", groupPriorityMinimum, "must be positive and less than 20000"));
  }
  if (versionPriority <= 0 || versionPriority > 1000)
    causes.push(invalid("spec.versionPriority", versionPriority, "must be positive and less than 1000"));
  if (service === undefined) {
    if (caBundle !== "")
      causes.push(invalid("spec.caBundle", `${Buffer.from(caBundle, "base64").length} bytes`, "local APIServices may not have a caBundle"));
    if (insecureSkipTLSVerify === true)
      causes.push(invalid("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify"));
    return causes;
  }
  for (const field of ["namespace", "name"] as const) if ((service[field] ?? "") === "") causes.push(required(`spec.service.${field}`));
  const problems = portNumberProblems(service.port ?? 0);
  if (problems.length > 0) causes.push(invalid("spec.service.port", service.port ?? 0, `port is not valid: ${problems.join(", ")}`));
  if (insecureSkipTLSVerify === true && caBundle !== "")
    causes.push(invalid("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present"));
  return causes;
}

const usages = sorted([
  "signing",
  "digital signature",
  "content commitment",
  "key encipherment",
  "key agreement",
  "data encipherment",
  "cert sign",
  "crl sign",
  "encipher only",
  "decipher only",
  "any",
  "server auth",
  "client auth",
  "code signing",
  "email protection",
  "s/mime",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "timestamping",
  "ocsp signing",
  "microsoft sgc",
  "netscape sgc",
]);
const minimumCertificateSeconds = 600;

/** `validateCertificateSigningRequest`. */
export function validateSigningRequest({ spec }: CertificateSigningRequest): StatusCause[] {
  const causes: StatusCause[] = [];
  const pem = Buffer.from(spec.request ?? "", "base64").toString("latin1");
  const problem = certificateRequestProblem(pem);
  if (problem !== undefined) causes.push(invalid("spec.request", { go: goBytes(spec.request) }, problem));
  const listed = spec.usages ?? [];
  if (listed.length === 0) causes.push(required("spec.usages"));
  listed.forEach((usage, index) => {
    causes.push(...checkSupported(usage, usages, `spec.usages[${index}]`));
  });
  listed.forEach((usage, index) => {
    if (listed.indexOf(usage) < index) causes.push(duplicate(`spec.usages[${index}]`, usage));
  });
  if (spec.signerName === "kubernetes.io/legacy-unknown")
    causes.push(invalid("spec.signerName", spec.signerName, "the legacy signerName is not allowed via this API version"));
  else causes.push(...checkSignerName(spec.signerName, "spec.signerName"));
  const seconds = spec.expirationSeconds;
  if (seconds === undefined || seconds >= minimumCertificateSeconds) return causes;
  return [...causes, invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)")];
}

function goBytes(base64: string | undefined): string {
  if (base64 === undefined) return "[]byte(nil)";
  const bytes = [...Buffer.from(base64, "base64")].map((byte) => `0x${byte.toString(16)}`);
  return `[]byte{${bytes.join(", ")}}`;
}

const maximumDomain = 253;
/** A domain, and a path of a label and a subdomain. */
const maximumSigner = 571;

function checkSignerName(name: string, path: string): StatusCause[] {
  if (name === "") return [required(path)];
  const [domain = "", segment = "", ...rest] = name.split("/");
  if (!name.includes("/") || rest.length > 0)
    return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")];
  const wrongLabel = (text: string, problems: (label: string) => readonly string[]): StatusCause[] => {
    const label = text.split(".").find((part) => problems(part).length > 0);
    return label === undefined
      ? []
      : problems(label).map((problem) => invalid(path, text, `validating label ${goQuote(label)}: ${problem}`));
  };
  const causes = domain.length > maximumDomain ? [tooLong(path, maximumDomain)] : [];
  causes.push(...wrongLabel(domain, dnsLabelProblems));
  if (!domain.includes(".")) causes.push(invalid(path, domain, "should be a domain with at least two segments separated by dots"));
  causes.push(...wrongLabel(segment, dnsSubdomainProblems));
  return name.length > maximumSigner ? [...causes, tooLong(path, maximumSigner)] : causes;
}

interface Webhook {
  readonly name: string;
  readonly rules?: readonly RuleWithOperations[];
  readonly failurePolicy?: string;
  readonly matchPolicy?: string;
  readonly sideEffects: string;
  readonly timeoutSeconds?: number;
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
  readonly admissionReviewVersions: readonly string[] | null;
  readonly reinvocationPolicy?: string;
  readonly clientConfig: AdmissionregistrationV1WebhookClientConfig;
}

/** `validateValidatingWebhookConfiguration` and its sibling, without the compilation of match conditions. */
export function validateWebhooks({ webhooks = [] }: ValidatingWebhookConfiguration | MutatingWebhookConfiguration): StatusCause[] {
  const names = new Set<string>();
  return (webhooks as readonly Webhook[]).flatMap((webhook, index) => {
    const at = `webhooks[${index}]`;
    const causes = checkWebhook(webhook, at);
    if (webhook.name !== "" && names.has(webhook.name)) causes.push(duplicate(`${at}.name`, webhook.name));
    names.add(webhook.name);
    return causes;
  });
}

function checkWebhook(webhook: Webhook, path: string): StatusCause[] {
  const { name, clientConfig, timeoutSeconds } = webhook;
  const causes: StatusCause[] = [];
  if (name === "") causes.push(required(`${path}.name`));
  else {
    causes.push(...invalidEach(`${path}.name`, name, dnsSubdomainProblems(name)));
    if (name.split(".").length < 3)
      causes.push(invalid(`${path}.name`, name, "should be a domain with at least three segments separated by dots"));
  }
  (webhook.rules ?? []).forEach((rule, index) => {
    causes.push(...checkRule(rule, `${path}.rules[${index}]`));
  });
  causes.push(...checkSupported(webhook.failurePolicy, ["Fail", "Ignore"], `${path}.failurePolicy`));
  causes.push(...checkSupported(webhook.matchPolicy, ["Equivalent", "Exact"], `${path}.matchPolicy`));
  const effects = (webhook.sideEffects as string | undefined) ?? "";
  if (effects === "") causes.push(required(`${path}.sideEffects`, "must specify one of None, NoneOnDryRun"));
  else causes.push(...checkOneOf(effects, ["None", "NoneOnDryRun"], `${path}.sideEffects`));
  if (timeoutSeconds !== undefined && (timeoutSeconds > 30 || timeoutSeconds < 1)) {
    causes.push(invalid(`${path}.timeoutSeconds`, timeoutSeconds, "the timeout value must be between 1 and 30 seconds"));
  }
  causes.push(...labelSelectorProblems(webhook.namespaceSelector, `${path}.namespaceSelector`));
  causes.push(...labelSelectorProblems(webhook.objectSelector, `${path}.objectSelector`));
  causes.push(...checkSupported(webhook.reinvocationPolicy, ["IfNeeded", "Never"], `${path}.reinvocationPolicy`));
  causes.push(...checkClientConfig(clientConfig, `${path}.clientConfig`));
  return [...causes, ...checkReviewVersions(webhook.admissionReviewVersions ?? [], `${path}.admissionReviewVersions`)];
}

function checkReviewVersions(versions: readonly string[], path: string): StatusCause[] {
  if (versions.length === 0) return [required(path, "must specify one of v1, v1beta1")];
  const causes = versions.flatMap((version, index) => {
    const at = `${path}[${index}]`;
    if (versions.indexOf(version) < index) return [invalid(at, version, "duplicate version")];
    return invalidEach(at, version, dns1035LabelProblems(version));
  });
  if (versions.includes("v1") || versions.includes("v1beta1")) return causes;
  return [...causes, invalid(path, { go: goStringList(versions) }, "must include at least one of v1, v1beta1")];
}

/** `validateRuleWithOperations` */
export function checkRule(rule: RuleWithOperations, path: string): StatusCause[] {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  const causes: StatusCause[] = [];
  const some = (field: string, list: readonly string[], named: string) => {
    if (list.length === 0) causes.push(required(`${path}.${field}`));
    if (list.length > 1 && list.includes("*"))
      causes.push(invalid(`${path}.${field}`, { go: goStringList(list) }, `if '*' is present, must not specify other ${named}`));
  };
  some("operations", operations, "operations");
  operations.forEach((operation, index) => {
    causes.push(...checkSupported(operation, ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"], `${path}.operations[${index}]`));
  });
  some("apiGroups", apiGroups, "API groups");
  some("apiVersions", apiVersions, "API versions");
  if (resources.length === 0) causes.push(required(`${path}.resources`));
  const value = { go: goStringList(resources) };
  if (resources.length > 1 && resources.includes("*/*"))
    causes.push(invalid(`${path}.resources`, value, "if '*/*' is present, must not specify other resources"));
  if (resources.includes("*") && resources.some((resource) => resource !== "*" && !resource.includes("/"))) {
    causes.push(invalid(`${path}.resources`, value, "if '*' is present, must not specify other resources without subresources"));
  }
  return [...causes, ...checkSupported(scope, ["*", "Cluster", "Namespaced"], `${path}.scope`)];
}
