import { namespaces } from "../../kubernetes/known-resources.ts";
import { type LabelRequirement, matchesLabels, requirementsOf } from "../../kubernetes/label-selector.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { oncePer } from "../../kubernetes/once-per.ts";
import { builtinResources, type ResourceDefinition } from "../../kubernetes/resources.ts";
import type { LabelSelector, NamedRuleWithOperations } from "../../kubernetes/types.ts";
import type { ApiCluster } from "../api-cluster.ts";
import { notFound } from "../response.ts";
import type { AdmissionAttributes } from "./attributes.ts";

/** Which requests a webhook or a policy is about. */
export interface MatchRules {
  /** Absent: whatever the selectors leave. */
  readonly rules?: readonly NamedRuleWithOperations[];
  readonly exclude?: readonly NamedRuleWithOperations[];
  readonly matchPolicy?: "Equivalent" | "Exact";
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
}

/** The resource as which a request matched: with `Equivalent` another version of it than the one that was asked for. */
export interface Matched {
  readonly resource: ResourceDefinition;
}

const exempt: ReadonlySet<string> = new Set([
  "mutatingwebhookconfigurations",
  "validatingwebhookconfigurations",
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
  "mutatingadmissionpolicies",
  "mutatingadmissionpolicybindings",
]);

/** Nobody can lock himself out: what configures admission is never intercepted by it. */
export const isExempt = ({ definition }: AdmissionAttributes): boolean =>
  definition.group === "admissionregistration.k8s.io" && exempt.has(definition.resource);

/** `attr.GetNamespace()` of a request about a Namespace is its own name. */
export const requestNamespace = ({ definition, namespace, name }: AdmissionAttributes): string =>
  isNamespace(definition) ? name : namespace;

/**
 * Whether a request is one of those: by the labels of its namespace and its object, and by the first rule that names it, or with the
 * policy `Equivalent` an equivalent of it (k8s.io/apiserver `ShouldCallHook`, `policy/matching`).
 * @throws StatusError `NotFound` where a selector asks for the labels of a namespace that is not there
 */
export function matchRequest(cluster: ApiCluster, match: MatchRules, attributes: AdmissionAttributes): Matched | undefined {
  const { served, subresource } = attributes;
  if (!matchesObjects(match.objectSelector, attributes)) return undefined;
  const excluded = match.exclude ?? [];
  if (excluded.some((rule) => matchesRule(rule, served, attributes))) return undefined;
  const others = match.matchPolicy === "Exact" ? [] : equivalentsOf(cluster, served, subresource);
  if (excluded.length > 0 && others.some((other) => excluded.some((rule) => matchesRule(rule, other, attributes)))) return undefined;
  const { rules } = match;
  const resource =
    rules === undefined || rules.some((rule) => matchesRule(rule, served, attributes))
      ? served
      : rules.flatMap((rule) => others.find((other) => matchesRule(rule, other, attributes)) ?? [])[0];
  if (!resource || !matchesNamespace(cluster, match.namespaceSelector, attributes)) return undefined;
  return { resource };
}

function matchesRule(rule: NamedRuleWithOperations, resource: ResourceDefinition, attributes: AdmissionAttributes): boolean {
  const { operation, subresource, name } = attributes;
  const namespaced = !isNamespace(resource) && attributes.namespace !== "";
  if (rule.scope === "Namespaced" && !namespaced) return false;
  if (rule.scope === "Cluster" && namespaced) return false;
  if (!includes(rule.operations, operation) || !includes(rule.apiGroups, resource.group) || !includes(rule.apiVersions, resource.version))
    return false;
  const named = rule.resourceNames ?? [];
  if (named.length > 0 && !named.includes(name)) return false;
  return (rule.resources ?? []).some((pattern) => {
    const slash = pattern.indexOf("/");
    const [main, sub] = slash < 0 ? [pattern, ""] : [pattern.slice(0, slash), pattern.slice(slash + 1)];
    return (main === "*" || main === resource.resource) && (sub === "*" || sub === subresource);
  });
}

const includes = (items: readonly string[] | undefined, wanted: string): boolean =>
  items?.some((item) => item === "*" || item === wanted) ?? false;

const isNamespace = ({ group, resource }: ResourceDefinition): boolean => group === "" && resource === "namespaces";

/** Other served versions of a resource, and what is stored with it under another name. */
function equivalentsOf({ resources }: ApiCluster, served: ResourceDefinition, subresource: string): ResourceDefinition[] {
  return (served.custom ? resources.custom : builtinResources()).filter(
    (other) =>
      other.collection === served.collection &&
      (other.version !== served.version || other.group !== served.group) &&
      (subresource === "" || other.subresources.some(({ name }) => name === subresource)),
  );
}

function matchesNamespace({ mirror }: ApiCluster, selector: LabelSelector | undefined, attributes: AdmissionAttributes): boolean {
  const requirements = compiled(selector);
  if (requirements.length === 0) return true;
  const { definition, operation, subresource } = attributes;
  const name = requestNamespace(attributes);
  if (name === "") return true;
  if (isNamespace(definition) && subresource === "" && operation !== "DELETE")
    return matchesLabels(requirements, attributes.object.metadata.labels);
  const found = mirror.get(namespaces, "", name);
  if (!found) throw notFound("", "namespaces", name);
  return matchesLabels(requirements, found.object.metadata.labels);
}

function matchesObjects(selector: LabelSelector | undefined, { object, oldObject }: AdmissionAttributes): boolean {
  const requirements = compiled(selector);
  if (requirements.length === 0) return true;
  const holds = (candidate: KubernetesObject | undefined): boolean =>
    candidate !== undefined && matchesLabels(requirements, candidate.metadata.labels);
  return holds(object) || holds(oldObject);
}

const compiledSelector = oncePer((selector: LabelSelector): LabelRequirement[] => requirementsOf(selector));
const compiled = (selector: LabelSelector | undefined): LabelRequirement[] => (selector ? compiledSelector(selector) : []);
