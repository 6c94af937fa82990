import { deepEqual } from "../kubernetes/deep-equal.ts";
import type { GroupResource, KubernetesObject } from "../kubernetes/object.ts";
import { StatusError } from "../kubernetes/status-error.ts";
import type { ClusterRole, PolicyRule, Role, RoleBinding } from "../kubernetes/types.ts";
import type { RbacAuthorizer } from "./rbac.ts";
import { uncoveredRules } from "./rbac-rules.ts";
import type { UserInfo } from "./user.ts";

const rbacGroup = "rbac.authorization.k8s.io";
const everything: readonly PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
];

/**
 * Nobody grants what he does not hold: who writes a Role must hold its rules or may `escalate`, who writes a binding must hold those of
 * the role or may `bind` it (kubernetes/pkg/registry/rbac `policybased`). Called before a write with the next state and the live one.
 * @throws StatusError `Forbidden`, or `NotFound` when the role of a binding is not there
 */
export function checkEscalation(
  authorizer: RbacAuthorizer,
  user: UserInfo,
  resource: GroupResource,
  next: KubernetesObject,
  live: KubernetesObject | undefined,
): void {
  if (resource.group !== rbacGroup || user.groups.includes("system:masters") || (live && changesOnlyForCollection(next, live))) return;
  const { name = "", namespace = "" } = next.metadata;
  const may = (verb: string, target: string, targetName: string) =>
    authorizer.authorize(user, {
      ...{ kind: "resource", verb, group: rbacGroup, resource: target, subresource: "", namespace, name: targetName },
    }).allowed;
  const refuse = (why: string) =>
    new StatusError("Forbidden", `${resource.resource}.${rbacGroup} ${JSON.stringify(name)} is forbidden: ${why}`, {
      ...{ name, group: rbacGroup, kind: resource.resource },
    });

  if (resource.resource === "roles" || resource.resource === "clusterroles") {
    const role = next as Role | ClusterRole;
    if (may("escalate", resource.resource, name)) return;
    const problem = grantProblem(authorizer, user, namespace, role.rules ?? []);
    if (problem !== undefined) throw refuse(problem);
    if ("aggregationRule" in role && role.aggregationRule && grantProblem(authorizer, user, "", everything) !== undefined) {
      throw refuse("must have cluster-admin privileges to use the aggregationRule");
    }
    return;
  }
  const { roleRef } = next as RoleBinding;
  const target = roleRef.kind === "ClusterRole" ? "clusterroles" : "roles";
  if (may("bind", target, roleRef.name)) return;
  const rules = authorizer.rulesOf(roleRef, namespace);
  if (!rules) {
    // The registry of bindings takes it for one of its own objects.
    throw new StatusError("NotFound", `${resource.resource}.${rbacGroup} ${JSON.stringify(roleRef.name)} not found`, {
      ...{ name: roleRef.name, group: rbacGroup, kind: resource.resource },
    });
  }
  const problem = grantProblem(authorizer, user, namespace, rules);
  if (problem !== undefined) throw refuse(problem);
}

function grantProblem(authorizer: RbacAuthorizer, user: UserInfo, namespace: string, rules: readonly PolicyRule[]): string | undefined {
  const { resourceRules, nonResourceRules, evaluationError } = authorizer.rulesFor(user, namespace);
  const missing = uncoveredRules([...resourceRules, ...nonResourceRules], rules);
  if (missing.length === 0) return undefined;
  const described = [...new Set(compact(missing).map(describe))].sort();
  const who = `user ${JSON.stringify(user.username)} (groups=${quoted(user.groups)})`;
  const errors = evaluationError === "" ? "" : `; resolution errors: [${evaluationError}]`;
  return `${who} is attempting to grant RBAC permissions not currently held:\n${described.join("\n")}${errors}`;
}

/** One rule for all verbs on the same thing (component-helpers `CompactRules`). */
function compact(rules: readonly PolicyRule[]): PolicyRule[] {
  const byTarget = Map.groupBy(rules, ({ verbs: _, ...target }) => JSON.stringify(target));
  return [...byTarget.values()].flatMap((same) => {
    const [first] = same;
    return first?.resources ? [{ ...first, verbs: [...new Set(same.flatMap(({ verbs }) => verbs))] }] : same;
  });
}

/** As `CompactString` of kubernetes/pkg/apis/rbac/v1 prints a rule. */
function describe({ apiGroups, resources, nonResourceURLs, resourceNames, verbs }: PolicyRule): string {
  const parts = Object.entries({
    APIGroups: apiGroups,
    Resources: resources,
    NonResourceURLs: nonResourceURLs,
    ResourceNames: resourceNames,
    Verbs: verbs,
  });
  return `{${parts.flatMap(([title, values]) => (values?.length ? [`${title}:${quoted(values)}`] : [])).join(", ")}}`;
}

const quoted = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(" ")}]`;

/** The garbage collector must be able to let go of an object whose rules its user does not hold. */
function changesOnlyForCollection(next: KubernetesObject, live: KubernetesObject): boolean {
  const bare = ({ metadata, ...rest }: KubernetesObject) => {
    const { ownerReferences: _, finalizers: __, managedFields: ___, resourceVersion: ____, ...kept } = metadata;
    return { ...rest, metadata: kept };
  };
  return deepEqual(bare(next), bare(live));
}
