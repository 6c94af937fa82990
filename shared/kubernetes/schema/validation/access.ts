import { labelSelectorProblems } from "../../label-selector.ts";
import { dnsSubdomainProblems, pathSegmentProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from "../../types.ts";
import { invalid, notSupported, required } from "../field-error.ts";
import { goQuote, goStringList } from "../go-text.ts";
import { invalidEach } from "./checks.ts";

const group = "rbac.authorization.k8s.io";

export function validateRole({ rules }: Role): StatusCause[] {
  return (rules ?? []).flatMap((rule, index) => checkPolicyRule(rule, true, `rules[${index}]`));
}

export function validateClusterRole({ rules, aggregationRule }: ClusterRole): StatusCause[] {
  const causes = (rules ?? []).flatMap((rule, index) => checkPolicyRule(rule, false, `rules[${index}]`));
  if (aggregationRule === undefined) return causes;
  const path = "aggregationRule.clusterRoleSelectors";
  const selectors = aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) causes.push(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"));
  selectors.forEach((selector, index) => {
    const problems = labelSelectorProblems(selector, `${path}[${index}]`);
    causes.push(...problems);
    if (problems.length > 0) causes.push(invalid(`${path}[${index}]`, undefined, "invalid label selector."));
  });
  return causes;
}

function checkPolicyRule(rule: PolicyRule, namespaced: boolean, path: string): StatusCause[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const causes = (verbs ?? []).length === 0 ? [required(`${path}.verbs`, "verbs must contain at least one value")] : [];
  if (nonResourceURLs.length > 0) {
    const value = { go: goStringList(nonResourceURLs) };
    const at = `${path}.nonResourceURLs`;
    if (namespaced) causes.push(invalid(at, value, "namespaced rules cannot apply to non-resource URLs"));
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      causes.push(invalid(at, value, "rules cannot apply to both regular resources and non-resource URLs"));
    }
    return causes;
  }
  if (apiGroups.length === 0) causes.push(required(`${path}.apiGroups`, "resource rules must supply at least one api group"));
  if (resources.length === 0) causes.push(required(`${path}.resources`, "resource rules must supply at least one resource"));
  return causes;
}

export function validateRoleBinding(binding: RoleBinding): StatusCause[] {
  return checkBinding(binding, ["Role", "ClusterRole"], true);
}

export function validateClusterRoleBinding(binding: ClusterRoleBinding): StatusCause[] {
  return checkBinding(binding, ["ClusterRole"], false);
}

export function validateRoleBindingUpdate(next: RoleBinding, live: RoleBinding): StatusCause[] {
  return [...validateRoleBinding(next), ...checkRoleRefKept(next.roleRef, live.roleRef)];
}

export function validateClusterRoleBindingUpdate(next: ClusterRoleBinding, live: ClusterRoleBinding): StatusCause[] {
  return [...validateClusterRoleBinding(next), ...checkRoleRefKept(next.roleRef, live.roleRef)];
}

function checkRoleRefKept(next: RoleRef, live: RoleRef): StatusCause[] {
  if (next.apiGroup === live.apiGroup && next.kind === live.kind && next.name === live.name) return [];
  const printed = `rbac.RoleRef{APIGroup:${goQuote(next.apiGroup)}, Kind:${goQuote(next.kind)}, Name:${goQuote(next.name)}}`;
  return [invalid("roleRef", { go: printed }, "cannot change roleRef")];
}

function checkBinding(
  { roleRef, subjects }: RoleBinding | ClusterRoleBinding,
  kinds: readonly string[],
  namespaced: boolean,
): StatusCause[] {
  const { apiGroup = "", kind = "", name = "" } = roleRef ?? {};
  const causes: StatusCause[] = [];
  if (apiGroup !== group) causes.push(notSupported("roleRef.apiGroup", apiGroup, [group]));
  if (!kinds.includes(kind)) causes.push(notSupported("roleRef.kind", kind, kinds));
  if (name === "") causes.push(required("roleRef.name"));
  else causes.push(...invalidEach("roleRef.name", name, pathSegmentProblems(name)));
  return [...causes, ...(subjects ?? []).flatMap((subject, index) => checkSubject(subject, namespaced, `subjects[${index}]`))];
}

function checkSubject({ kind, name, apiGroup = "", namespace = "" }: Subject, namespaced: boolean, path: string): StatusCause[] {
  const causes: StatusCause[] = name === "" ? [required(`${path}.name`)] : [];
  if (kind === "ServiceAccount") {
    if (name !== "") causes.push(...invalidEach(`${path}.name`, name, dnsSubdomainProblems(name)));
    if (apiGroup !== "") causes.push(notSupported(`${path}.apiGroup`, apiGroup, [""]));
    if (!namespaced && namespace === "") causes.push(required(`${path}.namespace`));
  } else if (kind === "User" || kind === "Group") {
    if (apiGroup !== group) causes.push(notSupported(`${path}.apiGroup`, apiGroup, [group]));
  } else causes.push(notSupported(`${path}.kind`, kind, ["ServiceAccount", "User", "Group"]));
  return causes;
}
