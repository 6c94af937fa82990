import { cloneJson } from "../../kubernetes/clone.ts";
import { deepEqual } from "../../kubernetes/deep-equal.ts";
import { canonicalText } from "../../kubernetes/hash.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import type { ControllerRevision, PodTemplateSpec } from "../../kubernetes/types.ts";
import { byCreation } from "../by-creation.ts";

export type RevisionData = NonNullable<ControllerRevision["data"]>;

/** Longest beginning of a revision's name, in characters (`history.ControllerRevisionName`). */
const longestPrefix = 223;

/**
 * What a revision keeps of its owner: a strategic merge patch that puts the pod template back (`getPatch` of StatefulSets and DaemonSets).
 * Its keys are sorted, because kubectl and others compare it byte by byte with what Go encodes.
 */
export function revisionData(template: PodTemplateSpec): RevisionData {
  return JSON.parse(canonicalText({ spec: { template: { ...template, $patch: "replace" } } })) as RevisionData;
}

/** The template that the revision keeps (`ApplyRevision`); undefined when it keeps none. */
export function templateOf({ data }: ControllerRevision): PodTemplateSpec | undefined {
  const { spec } = (data ?? {}) as { spec?: { template?: PodTemplateSpec & { $patch?: string } } };
  if (!spec?.template) return undefined;
  const { $patch: _, ...template } = spec.template;
  return cloneJson(template);
}

export function keeps(revision: ControllerRevision, data: RevisionData): boolean {
  return deepEqual(revision.data, data);
}

export function revisionName(owner: KubernetesObject, hash: string): string {
  return `${(owner.metadata.name ?? "").slice(0, longestPrefix)}-${hash}`;
}

/** Ascending by revision, then creation, then name. */
export function byRevision(a: ControllerRevision, b: ControllerRevision): number {
  return a.revision - b.revision || byCreation(a, b);
}

/** The number after the highest. */
export function nextRevision(revisions: readonly ControllerRevision[]): number {
  return revisions.reduce((most, { revision }) => Math.max(most, revision), 0) + 1;
}
