import { addressWarnings } from "../../ip-text.ts";
import { dnsLabelProblems } from "../../names.ts";
import type { Affinity, Container, ContainerPort, EphemeralContainer, ObjectMeta, Pod, PodSpec, PodTemplateSpec } from "../../types.ts";
import { goQuote } from "../go-text.ts";
import { appArmorPrefix } from "../validation/profiles.ts";
import { visitContainers } from "../validation/visit-containers.ts";
import { deprecatedLabelText, selectorTermWarnings } from "./node-labels.ts";
import { fractionWarnings, volumeWarnings } from "./pod-volumes.ts";

const deprecatedAnnotations: readonly (readonly [string, string])[] = [
  ["scheduler.alpha.kubernetes.io/critical-pod", 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ["security.alpha.kubernetes.io/sysctls", 'non-functional in v1.11+; use the "sysctls" field instead'],
  ["security.alpha.kubernetes.io/unsafe-sysctls", 'non-functional in v1.11+; use the "sysctls" field instead'],
];
const seccompText = 'non-functional in v1.27+; use the "seccompProfile" field instead';
const seccompPod = "seccomp.security.alpha.kubernetes.io/pod";
const seccompContainer = "container.seccomp.security.alpha.kubernetes.io/";
const noSelector = "a null labelSelector results in matching no pod";

/** Warnings about a new pod (pkg/registry/core/pod `WarningsOnCreate`); updates give none. */
export function podWarnings(pod: Pod): string[] {
  const warnings: string[] = [];
  const name = pod.metadata.name ?? "";
  const problems = dnsLabelProblems(name);
  if (problems.length > 0) {
    const surprise = "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended";
    warnings.push(`metadata.name: ${surprise}: [${problems.join(" ")}]`);
  }
  return pod.spec === undefined ? warnings : [...warnings, ...specWarnings(pod.spec, pod.metadata, "", false)];
}

/** Warnings about a pod template at `path` (`GetWarningsForPodTemplate`). */
export function podTemplateWarnings(template: PodTemplateSpec | undefined, path: string): string[] {
  return template?.spec === undefined ? [] : specWarnings(template.spec, template.metadata ?? {}, `${path}.`, true);
}

/** Names of workloads become those of pods. */
export function workloadNameWarnings(metadata: ObjectMeta): string[] {
  const problems = dnsLabelProblems(metadata.name ?? "");
  const surprise = "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended";
  return problems.length === 0 ? [] : [`metadata.name: ${surprise}: [${problems.join(" ")}]`];
}

function specWarnings(spec: PodSpec, meta: ObjectMeta, prefix: string, isTemplate: boolean): string[] {
  const path = `${prefix}spec`;
  const warnings: string[] = [];
  for (const label in spec.nodeSelector) {
    const text = deprecatedLabelText(label);
    if (text !== undefined) warnings.push(`${path}.nodeSelector[${label}]: ${text}`);
  }
  if (spec.affinity?.nodeAffinity !== undefined) warnings.push(...nodeAffinityWarnings(spec.affinity, path));
  spec.topologySpreadConstraints?.forEach(({ topologyKey, labelSelector }, index) => {
    const at = `${path}.topologySpreadConstraints[${index}]`;
    const text = deprecatedLabelText(topologyKey);
    if (text !== undefined) warnings.push(`${at}.topologyKey: ${topologyKey} is ${text}`);
    if (labelSelector === undefined) warnings.push(`${at}.labelSelector: ${noSelector}`);
  });
  if (meta.annotations !== undefined) {
    for (const [key, text] of deprecatedAnnotations)
      if (meta.annotations[key] !== undefined) warnings.push(`${prefix}metadata.annotations[${key}]: ${text}`);
  }
  if (spec.volumes !== undefined) warnings.push(...volumeWarnings(spec.volumes, `${path}.volumes`));
  warnings.push(...listWarnings(spec, path), ...containerWarnings(spec, meta, prefix, isTemplate), ...portWarnings(spec, path));
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    warnings.push(`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`);
  if (spec.affinity !== undefined) warnings.push(...podAffinityWarnings(spec.affinity, `${path}.affinity`));
  spec.dnsConfig?.nameservers?.forEach((server, index) => {
    warnings.push(...addressWarnings(`${path}.dnsConfig.nameservers[${index}]`, server));
  });
  spec.hostAliases?.forEach(({ ip }, index) => {
    warnings.push(...addressWarnings(`${path}.hostAliases[${index}].ip`, ip));
  });
  return warnings;
}

function nodeAffinityWarnings({ nodeAffinity }: Affinity, path: string): string[] {
  const at = `${path}.affinity.nodeAffinity`;
  const hard = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const soft = nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return [
    ...hard.flatMap((term, index) =>
      selectorTermWarnings(term, false, `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${index}]`),
    ),
    ...soft.flatMap(({ preference }, index) =>
      selectorTermWarnings(preference, true, `${at}.preferredDuringSchedulingIgnoredDuringExecution[${index}].preference`),
    ),
  ];
}

function podAffinityWarnings(affinity: Affinity, path: string): string[] {
  return (["podAffinity", "podAntiAffinity"] as const).flatMap((name) => {
    const hard = affinity[name]?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    const soft = affinity[name]?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const unset = [
      ...hard.map((term, index) => [term, `requiredDuringSchedulingIgnoredDuringExecution[${index}]`] as const),
      ...soft.map(
        ({ podAffinityTerm }, index) =>
          [podAffinityTerm, `preferredDuringSchedulingIgnoredDuringExecution[${index}].podAffinityTerm`] as const,
      ),
    ].filter(([term]) => term?.labelSelector === undefined);
    return unset.map(([, at]) => `${path}.${name}.${at}.labelSelector: ${noSelector}`);
  });
}

function listWarnings(spec: PodSpec, path: string): string[] {
  const warnings: string[] = [];
  const repeated = (values: readonly string[], field: string, what: "ip" | "name"): void => {
    const seen = new Set<string>();
    values.forEach((value, index) => {
      if (seen.has(value)) warnings.push(`${path}.${field}[${index}].${what}: duplicate ${what} ${goQuote(value)}`);
      seen.add(value);
    });
  };
  if (spec.hostAliases !== undefined)
    repeated(
      spec.hostAliases.map(({ ip }) => ip),
      "hostAliases",
      "ip",
    );
  if (spec.imagePullSecrets !== undefined) {
    const names = spec.imagePullSecrets.map(({ name }) => name ?? "");
    repeated(names, "imagePullSecrets", "name");
    names.forEach((name, index) => {
      if (name === "") warnings.push(`${path}.imagePullSecrets[${index}].name: invalid empty name ""`);
    });
  }
  for (const name of ["memory", "ephemeral-storage"])
    warnings.push(...fractionWarnings(spec.overhead?.[name], `${path}.overhead[${name}]`));
  return warnings;
}

function containerWarnings(spec: PodSpec, meta: ObjectMeta, prefix: string, isTemplate: boolean): string[] {
  const { annotations } = meta;
  const warnings: string[] = [];
  if (annotations?.[seccompPod] !== undefined && spec.securityContext?.seccompProfile === undefined)
    warnings.push(`${prefix}metadata.annotations[${seccompPod}]: ${seccompText}`);
  for (const [container, at] of visitContainers(spec, `${prefix}spec`)) {
    if (annotations !== undefined) warnings.push(...profileWarnings(container, spec, annotations, prefix, isTemplate));
    if (container.resources !== undefined) warnings.push(...amountWarnings(container, at));
    if ((container.env?.length ?? 0) > 1) warnings.push(...hiddenVariableWarnings(container, at));
  }
  return warnings;
}

function profileWarnings(
  { name, securityContext }: Container | EphemeralContainer,
  spec: PodSpec,
  annotations: Readonly<Record<string, string>>,
  prefix: string,
  isTemplate: boolean,
): string[] {
  const warnings: string[] = [];
  const seccomp = `${seccompContainer}${name}`;
  if (annotations[seccomp] !== undefined && securityContext?.seccompProfile === undefined)
    warnings.push(`${prefix}metadata.annotations[${seccomp}]: ${seccompText}`);
  const key = `${appArmorPrefix}${name}`;
  const field = spec.securityContext?.appArmorProfile ?? securityContext?.appArmorProfile;
  // Of a pod the annotation becomes the field, and the strategy warns.
  if (isTemplate && annotations[key] !== undefined && field === undefined)
    warnings.push(`${prefix}metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
  return warnings;
}

function amountWarnings({ resources }: Container | EphemeralContainer, at: string): string[] {
  return ["memory", "ephemeral-storage"].flatMap((name) =>
    (["limits", "requests"] as const).flatMap((field) => fractionWarnings(resources?.[field]?.[name], `${at}.resources.${field}[${name}]`)),
  );
}

function hiddenVariableWarnings({ env = [] }: Container | EphemeralContainer, at: string): string[] {
  const seen = new Set<string>();
  return env.flatMap(({ name, value = "", valueFrom }, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    const reference = `$(${name})`;
    const hides = valueFrom !== undefined || value === reference || !value.includes(reference);
    return hides ? [`${at}.env[${index}]: hides previous definition of ${goQuote(name)}, which may be dropped when using apply`] : [];
  });
}

function portWarnings(spec: PodSpec, path: string): string[] {
  const warnings: string[] = [];
  const numbered = new Map<string, (readonly [ContainerPort, string])[]>();
  const named = new Map<string, string>();
  const nameWarnings: string[] = [];
  for (const [container, at] of visitContainers(spec, path)) {
    container.ports?.forEach((port, index) => {
      const field = `${at}.ports[${index}]`;
      const { containerPort, hostPort = 0, hostIP = "", name = "", protocol = "" } = port;
      if (hostIP !== "" && hostPort === 0) {
        const shown = `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;
        warnings.push(`${field}: hostIP set without hostPort: ${shown}`);
      }
      const key = `${containerPort}/${protocol}`;
      const others = numbered.get(key) ?? [];
      for (const [other, where] of others) {
        const kind = conflictOf(port, other);
        if (kind !== undefined) warnings.push(`${field}: ${kind} port definition with ${where}`);
      }
      numbered.set(key, [...others, [port, field]]);
      if (name === "") return;
      const first = named.get(name);
      if (first === undefined) named.set(name, field);
      else
        nameWarnings.push(
          `${field}: duplicate port name ${goQuote(name)} with ${first}, services and probes that select ports by name will use ${first}`,
        );
    });
  }
  return [...warnings, ...nameWarnings];
}

function conflictOf(a: ContainerPort, b: ContainerPort): "duplicate" | "overlapping" | "dangerously ambiguous" | undefined {
  const [hostA, hostB] = [a.hostPort ?? 0, b.hostPort ?? 0];
  const [ipA, ipB] = [a.hostIP ?? "", b.hostIP ?? ""];
  if (ipA === ipB && hostA === hostB) return "duplicate";
  if (hostA === 0 || hostB === 0) return "overlapping";
  return hostA === hostB && (ipA === "") !== (ipB === "") ? "dangerously ambiguous" : undefined;
}
