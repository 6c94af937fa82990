import { deepEqual } from "../../kubernetes/deep-equal.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { Deployment, PodTemplateSpec, ReplicaSet } from "../../kubernetes/types.ts";
import { byCreation } from "../by-creation.ts";

export const revisionAnnotation = "deployment.kubernetes.io/revision";
const revisionHistoryAnnotation = "deployment.kubernetes.io/revision-history";
export const desiredReplicasAnnotation = "deployment.kubernetes.io/desired-replicas";
export const maxReplicasAnnotation = "deployment.kubernetes.io/max-replicas";
export const templateHashLabel = "pod-template-hash";

/** Longest revision history, in characters (`maxRevHistoryLengthInChars`). */
const longestHistory = 2000;

const notCopied: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  "deprecated.deployment.rollback.to",
]);

/** The annotation as a whole number, undefined when it is absent or none. */
export function intAnnotation({ metadata }: KubernetesObject, name: string): number | undefined {
  const text = metadata.annotations?.[name];
  return text !== undefined && /^[+-]?[0-9]+$/.test(text) ? Number(text) : undefined;
}

/** Revisions are 64-bit whole numbers, which clients may set as they like. 0: absent or none. */
function revisionOf({ metadata }: KubernetesObject): bigint {
  const text = metadata.annotations?.[revisionAnnotation];
  return text !== undefined && /^-?[0-9]{1,19}$/.test(text) ? BigInt(text) : 0n;
}

export function maxRevision(replicaSets: readonly ReplicaSet[]): bigint {
  let most = 0n;
  for (const revision of replicaSets.map(revisionOf)) if (revision > most) most = revision;
  return most;
}

export function byRevision(a: ReplicaSet, b: ReplicaSet): number {
  const [left, right] = [revisionOf(a), revisionOf(b)];
  return left === right ? byCreation(a, b) : left < right ? -1 : 1;
}

/** The oldest replica set whose template is the deployment's, its hash label aside (`FindNewReplicaSet`). */
export function newReplicaSetOf({ spec }: Deployment, replicaSets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = withoutHash(spec?.template);
  return [...replicaSets].sort(byCreation).find((each) => deepEqual(withoutHash(each.spec?.template), wanted));
}

function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec | undefined {
  const labels = template?.metadata?.labels;
  if (!labels || !(templateHashLabel in labels)) return template;
  const { [templateHashLabel]: _, ...others } = labels;
  return { ...template, metadata: { ...template.metadata, labels: others } };
}

/**
 * The annotations of the new replica set: those of the deployment, its revision, and the revisions it had before when it is taken up
 * again, as a roll-back does (`SetNewReplicaSetAnnotations`).
 */
export function revisedAnnotations(deployment: Deployment, replicaSet: ReplicaSet, revision: bigint): Record<string, string> {
  const annotations = { ...replicaSet.metadata.annotations };
  for (const [name, value] of Object.entries(deployment.metadata.annotations ?? {})) if (!notCopied.has(name)) annotations[name] = value;
  const before = annotations[revisionAnnotation];
  const known = intAnnotation(replicaSet, revisionAnnotation);
  if (before !== undefined && before !== "" && known === undefined) return annotations;
  if (revisionOf(replicaSet) >= revision) return annotations;
  annotations[revisionAnnotation] = String(revision);
  if (before !== undefined) {
    const history = extendedHistory(annotations[revisionHistoryAnnotation] ?? "", before);
    if (history !== undefined) annotations[revisionHistoryAnnotation] = history;
  }
  return annotations;
}

/** The oldest revisions go when the text would grow too long; undefined when even that does not help. */
function extendedHistory(history: string, revision: string): string | undefined {
  if (history === "") return revision;
  const revisions = [...history.split(","), revision];
  while (revisions.length > 1 && revisions.join(",").length > longestHistory) revisions.shift();
  return revisions.join(",").length <= longestHistory ? revisions.join(",") : undefined;
}

/** What tells a later scaling in which proportion the replica set stood. */
export function sizeAnnotations(desired: number, surge: number): Record<string, string> {
  return { [desiredReplicasAnnotation]: String(desired), [maxReplicasAnnotation]: String(desired + surge) };
}
