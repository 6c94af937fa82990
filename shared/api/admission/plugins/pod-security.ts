import { namespaces, pods } from "../../../kubernetes/known-resources.ts";
import { describeFindings, evaluatePod } from "../../../kubernetes/pod-security/evaluate.ts";
import {
  describeLevel,
  type LevelVersion,
  type PodSecurityPolicy,
  policyOf,
  sameLevel,
  strictness,
} from "../../../kubernetes/pod-security/policy.ts";
import { invalidStatus } from "../../../kubernetes/schema/invalid.ts";
import type { CronJob, Deployment, ObjectMeta, Pod, PodSpec, PodTemplate } from "../../../kubernetes/types.ts";
import type { ApiCluster } from "../../api-cluster.ts";
import { type AdmissionAttributes, type AdmissionPlugin, denied } from "../attributes.ts";

/** PodSecurity of pods: the namespace's enforced level is kept, what its warning level has against them is said. */
export const podSecurity: AdmissionPlugin = {
  validate(cluster, attributes) {
    if (attributes.operation === "DELETE" || ignoredSubresources.has(attributes.subresource)) return;
    const policy = policyOfNamespace(cluster, attributes.namespace);
    if (isOpen(policy.enforce) && isOpen(policy.warn)) return;
    const pod = attributes.object as Pod;
    if (attributes.operation === "UPDATE" && !isSignificant(pod, attributes.oldObject as Pod)) return;
    if (!pod.spec) return;
    const violation = violationOf(policy.enforce, pod.metadata, pod.spec);
    if (violation !== undefined) throw denied(attributes, `violates PodSecurity ${violation}`);
    warn(attributes, policy, pod.metadata, pod.spec);
  },
};

/** PodSecurity of what makes pods: warned of in time, since refused would be only their pods. */
export const podTemplateSecurity: AdmissionPlugin = {
  validate(cluster, attributes) {
    if (attributes.operation === "DELETE" || attributes.subresource !== "") return;
    const policy = policyOfNamespace(cluster, attributes.namespace);
    if (isOpen(policy.warn)) return;
    const template = templateOf(attributes);
    if (template?.spec) warn(attributes, policy, template.metadata ?? {}, template.spec);
  },
};

/** PodSecurity of namespaces: the labels can be read, and what runs already and would not be allowed any more is said. */
export const namespaceSecurity: AdmissionPlugin = {
  validate(cluster, attributes) {
    const { operation, subresource, object, oldObject, definition, name } = attributes;
    if (operation === "DELETE" || subresource !== "") return;
    const { policy, errors } = policyOf(object.metadata.labels);
    const before = oldObject && policyOf(oldObject.metadata.labels);
    if (errors.length > 0 && JSON.stringify(errors) !== JSON.stringify(before?.errors)) {
      const causes = errors.map(({ label, value, message }) => ({
        reason: "FieldValueInvalid",
        field: `metadata.labels[${label}]`,
        message: `Invalid value: ${JSON.stringify(value)}: ${message}`,
      }));
      throw invalidStatus(definition.kind, definition.group, name, causes);
    }
    if (!before || sameLevel(policy.enforce, before.policy.enforce) || isOpen(policy.enforce)) return;
    const relaxed = strictness(policy.enforce.level) <= strictness(before.policy.enforce.level);
    if (policy.enforce.minor === before.policy.enforce.minor && relaxed) return;
    for (const text of warningsOfPods(cluster, name, policy.enforce)) attributes.context.warn(text);
  },
};

const ignoredSubresources: ReadonlySet<string> = new Set([
  "exec",
  "attach",
  "binding",
  "eviction",
  "log",
  "portforward",
  "proxy",
  "status",
]);
const mostPods = 3000;

const isOpen = ({ level }: LevelVersion): boolean => level === "privileged";
const policyOfNamespace = ({ mirror }: ApiCluster, name: string): PodSecurityPolicy =>
  policyOf(mirror.get(namespaces, "", name)?.object.metadata.labels).policy;

function violationOf(level: LevelVersion, metadata: ObjectMeta, spec: PodSpec): string | undefined {
  const findings = evaluatePod(level, metadata, spec);
  return findings.length === 0 ? undefined : `${JSON.stringify(describeLevel(level))}: ${describeFindings(findings)}`;
}

function warn({ context }: AdmissionAttributes, policy: PodSecurityPolicy, metadata: ObjectMeta, spec: PodSpec): void {
  const violation = violationOf(policy.warn, metadata, spec);
  if (violation !== undefined) context.warn(`would violate PodSecurity ${violation}`);
}

function templateOf({ definition, object }: AdmissionAttributes): { metadata?: ObjectMeta; spec?: PodSpec } | undefined {
  if (definition.kind === "PodTemplate") return (object as PodTemplate).template;
  if (definition.kind === "CronJob") return (object as CronJob).spec?.jobTemplate.spec?.template;
  return (object as Deployment).spec?.template;
}

/** Another image or another container: nothing else of a pod that matters here can change. */
function isSignificant({ spec }: Pod, { spec: before }: Pod): boolean {
  for (const kind of ["containers", "initContainers"] as const) {
    const [now, then] = [spec?.[kind] ?? [], before?.[kind] ?? []];
    if (now.length !== then.length || now.some(({ image }, index) => image !== then[index]?.image)) return true;
  }
  return (spec?.ephemeralContainers ?? []).some(
    ({ name, image }) => before?.ephemeralContainers?.find((old) => old.name === name)?.image !== image,
  );
}

/** Like pods are counted together, one of each owner first where there are too many to look at. */
function warningsOfPods({ mirror }: ApiCluster, namespace: string, level: LevelVersion): string[] {
  const stored = mirror.list(pods, namespace);
  const owners = new Set<string>();
  const [first, replicated]: [Pod[], Pod[]] = [[], []];
  for (const { object } of stored) {
    const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;
    if (owner !== undefined && owners.has(owner)) replicated.push(object as Pod);
    else first.push(object as Pod);
    if (owner !== undefined) owners.add(owner);
  }
  const checked = [...first, ...replicated].slice(0, mostPods);
  const counts = new Map<string, { name: string; count: number }>();
  for (const { metadata, spec } of checked) {
    const reasons = evaluatePod(level, metadata, spec ?? { containers: [] }).map(({ reason }) => reason);
    if (reasons.length === 0) continue;
    const text = reasons.join(", ");
    const [name, seen] = [metadata.name ?? "", counts.get(text)];
    counts.set(text, { name: seen && seen.name < name ? seen.name : name, count: (seen?.count ?? 0) + 1 });
  }
  const lines = [...counts].map(([text, { name, count }]) => {
    const others = count === 1 ? "" : count === 2 ? " (and 1 other pod)" : ` (and ${count - 1} other pods)`;
    return `${name}${others}: ${text}`;
  });
  return [
    ...(checked.length < stored.length
      ? [`new PodSecurity enforce level only checked against the first ${checked.length} of ${stored.length} existing pods`]
      : []),
    ...(lines.length > 0
      ? [
          `existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${JSON.stringify(describeLevel(level))}`,
        ]
      : []),
    ...lines.sort(),
  ];
}
