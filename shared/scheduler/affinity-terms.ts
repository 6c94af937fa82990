import { type LabelRequirement, matchesLabels, requirementsOf } from "../kubernetes/label-selector.ts";
import type { LabelSelector, Pod, PodAffinityTerm } from "../kubernetes/types.ts";

type Labels = Readonly<Record<string, string>>;

/** Which pods a term or a constraint speaks of. Two selectors with the same key select the same pods. */
export interface PodSelector {
  readonly key: string;
  readonly namespaces: ReadonlySet<string>;
  /** Namespaces by their labels, beside the named ones; undefined: none. */
  readonly namespaceRequirements: readonly LabelRequirement[] | undefined;
  /** Undefined: no pod at all, as an absent label selector has it. */
  readonly requirements: readonly LabelRequirement[] | undefined;
}

export interface AffinityTerm {
  readonly topologyKey: string;
  /** 0 for required terms. */
  readonly weight: number;
  readonly selector: PodSelector;
}

/** The inter-pod affinity of a pod (framework.PodInfo). */
export interface PodTerms {
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
}

export function matchesPod(selector: PodSelector, namespace: string, labels: Labels, namespaceLabels: Labels): boolean {
  const { requirements, namespaceRequirements } = selector;
  if (requirements === undefined) return false;
  if (!selector.namespaces.has(namespace)) {
    if (namespaceRequirements === undefined || !matchesLabels(namespaceRequirements, namespaceLabels)) return false;
  }
  return matchesLabels(requirements, labels);
}

/** Pods of one namespace. */
export function selectPods(namespace: string, requirements: readonly LabelRequirement[] | undefined): PodSelector {
  return newSelector(new Set([namespace]), undefined, requirements);
}

/**
 * The requirements of a label selector, and what `matchLabelKeys` and `mismatchLabelKeys` add to it from the pod's own labels (KEP-3243,
 * KEP-3633; repeated when the API server has merged them already, which changes nothing). Undefined: the selector is absent.
 */
export function selectorWithLabelKeys(
  labelSelector: LabelSelector | undefined,
  labels: Labels,
  matchLabelKeys: readonly string[] = [],
  mismatchLabelKeys: readonly string[] = [],
): LabelRequirement[] | undefined {
  if (labelSelector === undefined) return undefined;
  const matchExpressions = [...(labelSelector.matchExpressions ?? [])];
  const addKeys = (keys: readonly string[], operator: "In" | "NotIn"): void => {
    for (const key of keys) {
      const value = labels[key];
      if (value !== undefined) matchExpressions.push({ key, operator, values: [value] });
    }
  };
  addKeys(matchLabelKeys, "In");
  addKeys(mismatchLabelKeys, "NotIn");
  return requirementsOf({ ...labelSelector, matchExpressions });
}

/** Undefined when the pod has neither pod affinity nor anti-affinity. */
export function podTerms({ metadata, spec }: Pod): PodTerms | undefined {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  if (!podAffinity && !podAntiAffinity) return undefined;
  const { namespace = "", labels = {} } = metadata;
  const required = (terms: readonly PodAffinityTerm[] | undefined): AffinityTerm[] =>
    (terms ?? []).map((term) => newTerm(term, 0, namespace, labels));
  const preferred = (terms: readonly { podAffinityTerm: PodAffinityTerm; weight: number }[] | undefined): AffinityTerm[] =>
    (terms ?? []).map(({ podAffinityTerm, weight }) => newTerm(podAffinityTerm, weight, namespace, labels));
  return {
    requiredAffinity: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAntiAffinity: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: preferred(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAntiAffinity: preferred(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
  };
}

function newTerm(term: PodAffinityTerm, weight: number, home: string, labels: Labels): AffinityTerm {
  const { namespaces = [], namespaceSelector, labelSelector, matchLabelKeys, mismatchLabelKeys, topologyKey } = term;
  const isAtHome = namespaces.length === 0 && namespaceSelector === undefined;
  const selector = newSelector(
    new Set(isAtHome ? [home] : namespaces),
    namespaceSelector && requirementsOf(namespaceSelector),
    selectorWithLabelKeys(labelSelector, labels, matchLabelKeys, mismatchLabelKeys),
  );
  return { topologyKey, weight, selector };
}

function newSelector(
  namespaces: ReadonlySet<string>,
  namespaceRequirements: readonly LabelRequirement[] | undefined,
  requirements: readonly LabelRequirement[] | undefined,
): PodSelector {
  const key = JSON.stringify([[...namespaces].sort(), namespaceRequirements ?? 0, requirements ?? 0]);
  return { key, namespaces, namespaceRequirements, requirements };
}
