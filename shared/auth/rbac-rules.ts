import type { PolicyRule } from "../kubernetes/types.ts";

/** What a request wants to do, as `authorization.k8s.io` describes it. */
export type RequestAttributes =
  | {
      readonly kind: "resource";
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      readonly subresource: string;
      /** Empty: at the cluster scope, or over all namespaces. */
      readonly namespace: string;
      /** Empty: a collection, or a create. */
      readonly name: string;
      /** Of a list or watch, as it was asked for. */
      readonly fieldSelector?: string;
    }
  | { readonly kind: "nonResource"; readonly verb: string; readonly path: string };

const has = (values: readonly string[] | undefined, wanted: string): boolean => values?.includes(wanted) ?? false;
const hasOrAll = (values: readonly string[] | undefined, wanted: string): boolean => has(values, "*") || has(values, wanted);

/** kubernetes/plugin/pkg/auth/authorizer/rbac `RuleAllows` with the matchers of pkg/apis/rbac/v1 `evaluation_helpers.go`. */
export function ruleAllows(rule: PolicyRule, request: RequestAttributes): boolean {
  if (!hasOrAll(rule.verbs, request.verb)) return false;
  if (request.kind === "nonResource") return (rule.nonResourceURLs ?? []).some((pattern) => pathMatches(pattern, request.path));
  return (
    hasOrAll(rule.apiGroups, request.group) &&
    resourceMatches(rule.resources, request.resource, request.subresource) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(request.name))
  );
}

function resourceMatches(patterns: readonly string[] | undefined, resource: string, subresource: string): boolean {
  if (subresource === "") return hasOrAll(patterns, resource);
  return hasOrAll(patterns, `${resource}/${subresource}`) || has(patterns, `*/${subresource}`);
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern === "*" || pattern === path || (pattern.endsWith("*") && path.startsWith(pattern.replace(/\*+$/, "")));
}

/**
 * The parts of `wanted` that `owned` does not grant: whoever writes a Role or binds one must hold all it grants
 * (k8s.io/component-helpers/auth/rbac/validation `Covers`). Each answer is a rule with one verb on one thing.
 */
export function uncoveredRules(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(breakDown).filter((part) => !owned.some((rule) => covers(rule, part)));
}

function breakDown(rule: PolicyRule): PolicyRule[] {
  const parts: PolicyRule[] = [];
  for (const verb of rule.verbs) {
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const part = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (!rule.resourceNames?.length) parts.push(part);
        for (const name of rule.resourceNames ?? []) parts.push({ ...part, resourceNames: [name] });
      }
    }
    for (const url of rule.nonResourceURLs ?? []) parts.push({ verbs: [verb], nonResourceURLs: [url] });
  }
  return parts;
}

function covers(owner: PolicyRule, part: PolicyRule): boolean {
  const hasAll = (values: readonly string[] | undefined, wanted: readonly string[] = []) =>
    has(values, "*") || wanted.every((value) => has(values, value));
  if (!hasAll(owner.verbs, part.verbs)) return false;
  if (part.nonResourceURLs) return part.nonResourceURLs.every((url) => owner.nonResourceURLs?.some((pattern) => pathMatches(pattern, url)));
  const coversResource = (resource: string) => {
    const subresource = resource.split("/")[1];
    return hasOrAll(owner.resources, resource) || (subresource !== undefined && has(owner.resources, `*/${subresource}`));
  };
  return (
    hasAll(owner.apiGroups, part.apiGroups) &&
    (part.resources ?? []).every(coversResource) &&
    (!owner.resourceNames?.length || (part.resourceNames?.every((name) => has(owner.resourceNames, name)) ?? false))
  );
}
