import { jsonSyntaxProblem } from "../../json-syntax.ts";
import { dnsSubdomainProblems, rangeProblems, searchDomainProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { ObjectMeta, PodDNSConfig, PodResourceClaim, PodSpec, PodTemplateSpec } from "../../types.ts";
import { duplicate, forbidden, invalid, required } from "../field-error.ts";
import { goStringList, jsonTypeOf } from "../go-text.ts";
import {
  checkDnsLabel,
  checkDnsSubdomain,
  checkIp,
  checkOneOf,
  checkQualifiedName,
  goLiteral,
  invalidEach,
  maximumInt32,
} from "./checks.ts";
import { checkContainers, checkEphemeralContainers, checkImageText, checkInitContainers } from "./containers.ts";
import { validateAnnotations, validateLabels } from "./object-meta.ts";
import { checkProfileAnnotations } from "./profiles.ts";
import { checkResourceRequirements } from "./resources.ts";
import { checkHostUsers, checkPodSecurityContext } from "./security-context.ts";
import { checkAffinity, checkTolerations, checkTopologySpread } from "./selectors.ts";
import { checkVolumes } from "./volumes.ts";
import { checkHostProcesses, checkOperatingSystem } from "./windows.ts";

const maximumNameservers = 3;
const maximumSearchPaths = 32;
const maximumSearchCharacters = 2048;

/** A pod's spec, of a pod (`meta` is given) or of a template (`ValidatePodSpec`). */
export function checkPodSpec(spec: PodSpec, meta: ObjectMeta | undefined, path: string): StatusCause[] {
  const at = (field: string) => `${path}.${field}`;
  const causes: StatusCause[] = spec.terminationGracePeriodSeconds === undefined ? [required(at("terminationGracePeriodSeconds"))] : [];
  const volumes = checkVolumes(spec.volumes ?? [], meta, at("volumes"));
  const context = { spec, volumes: volumes.known };
  causes.push(...volumes.causes);
  causes.push(...checkResourceClaims(spec.resourceClaims ?? [], at("resourceClaims")));
  causes.push(...checkContainers(context, at("containers")));
  if (spec.initContainers !== undefined) causes.push(...checkInitContainers(context, at("initContainers")));
  if (spec.ephemeralContainers !== undefined) causes.push(...checkEphemeralContainers(context, at("ephemeralContainers")));
  if (spec.hostNetwork === true) causes.push(...checkHostNetworkPorts(spec, meta !== undefined, at("containers")));
  causes.push(...checkOneOf(spec.restartPolicy, ["Always", "OnFailure", "Never"], at("restartPolicy")));
  causes.push(...checkOneOf(spec.dnsPolicy, ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], at("dnsPolicy")));
  causes.push(...validateLabels(spec.nodeSelector, at("nodeSelector")));
  causes.push(...checkPodSecurityContext(spec, spec.securityContext, at("securityContext")));
  if (spec.affinity !== undefined) causes.push(...checkAffinity(spec.affinity, at("affinity")));
  causes.push(...checkDnsConfig(spec.dnsConfig, spec.dnsPolicy, at("dnsConfig")));
  (spec.readinessGates ?? []).forEach(({ conditionType }, index) => {
    causes.push(...checkQualifiedName(conditionType, `${at("readinessGates")}[${index}].conditionType`));
  });
  causes.push(...checkSchedulingGates(spec, at("schedulingGates")));
  if (spec.topologySpreadConstraints !== undefined)
    causes.push(...checkTopologySpread(spec.topologySpreadConstraints, at("topologySpreadConstraints")));
  causes.push(...checkHostProcesses(spec, path), ...checkHostUsers(spec, path));
  return [...causes, ...checkScalars(spec, at), ...checkOperatingSystem(spec, path)];
}

function checkScalars(spec: PodSpec, at: (field: string) => string): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const field of ["serviceAccountName", "nodeName"] as const) {
    const value = spec[field] ?? "";
    if (value !== "") causes.push(...checkDnsSubdomain(value, at(field)));
  }
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined) causes.push(...invalidEach(at("activeDeadlineSeconds"), deadline, rangeProblems(deadline, 1, maximumInt32)));
  for (const field of ["hostname", "subdomain"] as const) {
    const value = spec[field] ?? "";
    if (value !== "") causes.push(...checkDnsLabel(value, at(field)));
  }
  if (spec.tolerations !== undefined) causes.push(...checkTolerations(spec.tolerations, at("tolerations")));
  (spec.hostAliases ?? []).forEach(({ ip, hostnames }, index) => {
    const alias = `${at("hostAliases")}[${index}]`;
    causes.push(...checkIp(ip, `${alias}.ip`));
    (hostnames ?? []).forEach((hostname, number) => {
      causes.push(...checkDnsSubdomain(hostname, `${alias}.hostnames[${number}]`));
    });
  });
  for (const field of ["priorityClassName", "runtimeClassName"] as const) {
    const value = spec[field] ?? "";
    if (value !== "") causes.push(...checkDnsSubdomain(value, at(field)));
  }
  if (spec.preemptionPolicy !== undefined) {
    causes.push(...checkOneOf(spec.preemptionPolicy, ["PreemptLowerPriority", "Never"], at("preemptionPolicy")));
  }
  if (spec.overhead !== undefined) causes.push(...checkResourceRequirements({ limits: spec.overhead }, at("overhead")));
  return causes;
}

/** A pod template: its labels, annotations and spec (`ValidatePodTemplateSpec`). */
export function checkPodTemplate(template: PodTemplateSpec, path: string): StatusCause[] {
  const causes = [
    ...validateLabels(template.metadata?.labels, `${path}.labels`),
    ...validateAnnotations(template.metadata?.annotations, `${path}.annotations`),
    ...checkPodAnnotations(template.metadata, template.spec, `${path}.annotations`),
    ...checkPodSpec(template.spec ?? { containers: [] }, undefined, `${path}.spec`),
  ];
  if ((template.spec?.ephemeralContainers?.length ?? 0) > 0) {
    causes.push(forbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"));
  }
  return causes;
}

/** Annotations that mean something for a pod (`ValidatePodSpecificAnnotations`). */
export function checkPodAnnotations(meta: ObjectMeta | undefined, spec: PodSpec | undefined, path: string): StatusCause[] {
  const annotations = meta?.annotations;
  if (annotations === undefined) return [];
  const causes: StatusCause[] = [];
  const mirror = annotations["kubernetes.io/config.mirror"];
  if (mirror !== undefined && (spec?.nodeName ?? "") === "") {
    causes.push(invalid(`${path}[kubernetes.io/config.mirror]`, mirror, "must set spec.nodeName if mirror pod annotation is set"));
  }
  causes.push(...checkTolerationsAnnotation(annotations["scheduler.alpha.kubernetes.io/tolerations"] ?? "", path));
  const cost = annotations["controller.kubernetes.io/pod-deletion-cost"];
  if (cost !== undefined && (!/^(?:0|-?[1-9]\d{0,9})$/.test(cost) || Math.abs(Number(cost)) > maximumInt32)) {
    causes.push(invalid(`${path}[controller.kubernetes.io/pod-deletion-cost]`, cost, "must be a 32bit integer"));
  }
  return meta === undefined ? causes : [...causes, ...checkProfileAnnotations(meta, spec, path)];
}

/** Tolerations as they were said before there was a field. */
function checkTolerationsAnnotation(text: string, path: string): StatusCause[] {
  if (text === "") return [];
  const key = "scheduler.alpha.kubernetes.io/tolerations";
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return checkTolerations(value, `${path}.${key}`);
    if (value === null) return [];
    return [invalid(path, key, `json: cannot unmarshal ${jsonTypeOf(value)} into Go value of type []core.Toleration`)];
  } catch {
    return [invalid(path, key, jsonSyntaxProblem(text))];
  }
}

/** Rules for the containers of pods that templates need not follow. */
export function checkOnlyForPods(spec: PodSpec, path: string): StatusCause[] {
  return (["containers", "initContainers"] as const).flatMap((field) =>
    (spec[field] ?? []).flatMap((container, index) => checkImageText(container, `${path}.${field}[${index}]`)),
  );
}

function checkHostNetworkPorts(spec: PodSpec, isPod: boolean, path: string): StatusCause[] {
  return (spec.containers ?? []).flatMap((container, index) =>
    (container.ports ?? []).flatMap(({ hostPort = 0, containerPort }, number) =>
      (isPod || hostPort !== 0) && hostPort !== containerPort
        ? [invalid(`${path}[${index}].ports[${number}].hostPort`, hostPort, "must match `containerPort` when `hostNetwork` is true")]
        : [],
    ),
  );
}

function checkSchedulingGates(spec: PodSpec, path: string): StatusCause[] {
  const seen = new Set<string>();
  return (spec.schedulingGates ?? []).flatMap(({ name }, index) => {
    const causes = checkQualifiedName(name, `${path}[${index}]`);
    if (seen.has(name)) causes.push(duplicate(`${path}[${index}]`, name));
    seen.add(name);
    return causes;
  });
}

function checkResourceClaims(claims: readonly PodResourceClaim[], path: string): StatusCause[] {
  const seen = new Set<string>();
  return claims.flatMap((claim, index) => {
    const at = `${path}[${index}]`;
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    const causes =
      name === "" ? [required(`${at}.name`)] : seen.has(name) ? [duplicate(`${at}.name`, name)] : checkDnsLabel(name, `${at}.name`);
    seen.add(name);
    const value = { go: goLiteral(claim) };
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      causes.push(invalid(at, value, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"));
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      causes.push(invalid(at, value, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"));
    }
    for (const field of ["resourceClaimName", "resourceClaimTemplateName"] as const) {
      const reference = claim[field];
      if (reference !== undefined) causes.push(...invalidEach(`${at}.${field}`, reference, dnsSubdomainProblems(reference)));
    }
    return causes;
  });
}

function checkDnsConfig(config: PodDNSConfig | undefined, policy: string | undefined, path: string): StatusCause[] {
  if (policy === "None") {
    if (config === undefined) return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")];
    if ((config.nameservers?.length ?? 0) === 0) {
      return [required(`${path}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None")];
    }
  }
  if (config === undefined) return [];
  const { nameservers = [], searches = [], options = [] } = config;
  const causes: StatusCause[] = [];
  if (nameservers.length > maximumNameservers) {
    causes.push(
      invalid(`${path}.nameservers`, { go: goStringList(nameservers) }, `must not have more than ${maximumNameservers} nameservers`),
    );
  }
  nameservers.forEach((server, index) => {
    causes.push(...checkIp(server, `${path}.nameservers[${index}]`));
  });
  const list = { go: goStringList(searches) };
  if (searches.length > maximumSearchPaths)
    causes.push(invalid(`${path}.searches`, list, `must not have more than ${maximumSearchPaths} search paths`));
  if (searches.join(" ").length > maximumSearchCharacters) {
    causes.push(
      invalid(
        `${path}.searches`,
        list,
        `must not have more than ${maximumSearchCharacters} characters (including spaces) in the search list`,
      ),
    );
  }
  searches.forEach((search, index) => {
    const name = search.replace(/\.$/, "");
    if (search !== ".") causes.push(...invalidEach(`${path}.searches[${index}]`, name, searchDomainProblems(name)));
  });
  options.forEach(({ name = "" }, index) => {
    if (name === "") causes.push(required(`${path}.options[${index}]`, "must not be empty"));
  });
  return causes;
}
