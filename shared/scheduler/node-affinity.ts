import type { NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from "../kubernetes/types.ts";

/** What of a node its selectors see. */
export interface LabelledNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** `spec.nodeSelector` and the required node affinity; both must match. */
export function matchesNodeAffinity({ nodeSelector, affinity }: Pick<PodSpec, "nodeSelector" | "affinity">, node: LabelledNode): boolean {
  for (const key in nodeSelector) if (node.labels[key] !== nodeSelector[key]) return false;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || matchesAnyTerm(required.nodeSelectorTerms, node);
}

/** Terms are alternatives; none at all match no node (k8s.io/component-helpers nodeaffinity). */
export function matchesAnyTerm(terms: readonly NodeSelectorTerm[] | undefined, node: LabelledNode): boolean {
  return terms?.some((term) => matchesTerm(term, node)) ?? false;
}

/** The sum of the weights of the preferred terms that match; empty terms count nothing. */
export function preferredNodeWeight({ affinity }: Pick<PodSpec, "affinity">, node: LabelledNode): number {
  let weight = 0;
  for (const { preference, weight: own } of affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
    if (matchesTerm(preference, node)) weight += own;
  }
  return weight;
}

/**
 * The nodes that `metadata.name in (…)` of every required term confines the pod to; undefined when some term leaves it open. An empty set
 * means that the terms contradict themselves.
 */
export function namedNodes({ affinity }: Pick<PodSpec, "affinity">): ReadonlySet<string> | undefined {
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!terms || terms.length === 0) return undefined;
  let named = new Set<string>();
  for (const { matchFields = [] } of terms) {
    let ofTerm: Set<string> | undefined;
    for (const { key, operator, values = [] } of matchFields) {
      if (key !== "metadata.name" || operator !== "In") continue;
      ofTerm = ofTerm ? ofTerm.intersection(new Set(values)) : new Set(values);
    }
    if (!ofTerm) return undefined;
    named = named.union(ofTerm);
  }
  return named;
}

function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: LabelledNode): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => matchesRequirement(requirement, node.labels[requirement.key])) &&
    matchFields.every((requirement) => matchesRequirement(requirement, requirement.key === "metadata.name" ? node.name : undefined))
  );
}

function matchesRequirement({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
    case "Lt": {
      const [actual, bound] = [integer(value), integer(values[0])];
      if (actual === undefined || bound === undefined || values.length !== 1) return false;
      return operator === "Gt" ? actual > bound : actual < bound;
    }
    default:
      return operator satisfies never;
  }
}

function integer(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[+-]?[0-9]{1,19}$/.test(text) ? BigInt(text.replace(/^\+/, "")) : undefined;
}
