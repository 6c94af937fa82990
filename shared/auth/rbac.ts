import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "../kubernetes/known-resources.ts";
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from "../kubernetes/types.ts";
import type { StoredObject } from "../store/store.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import { type RequestAttributes, ruleAllows } from "./rbac-rules.ts";
import type { UserInfo } from "./user.ts";

export interface Decision {
  readonly allowed: boolean;
  /** Why it is allowed, or why a role could not be looked up; often empty. */
  readonly reason: string;
}

/** What a user may do in a namespace, as `SelfSubjectRulesReview.status` shows it. */
export interface GrantedRules {
  readonly resourceRules: readonly PolicyRule[];
  readonly nonResourceRules: readonly PolicyRule[];
  /** What could not be evaluated; empty when all could. */
  readonly evaluationError: string;
}

export interface RbacAuthorizer {
  authorize(user: UserInfo, request: RequestAttributes): Decision;
  /** With the empty namespace: what cluster role bindings grant. */
  rulesFor(user: UserInfo, namespace: string): GrantedRules;
  /** The rules of what a binding refers to; `undefined` when it is not there. */
  rulesOf(roleRef: RoleRef, namespace: string): readonly PolicyRule[] | undefined;
  /** Stops following the view. */
  close(): void;
}

interface Grant {
  readonly roleRef: RoleRef;
  readonly subject: Subject;
  /** `ClusterRoleBinding "x"` or `RoleBinding "x/ns"`. */
  readonly binding: string;
  /** Empty for a ClusterRoleBinding. */
  readonly namespace: string;
}

interface Resolved {
  readonly grant: Grant;
  readonly rules: readonly PolicyRule[] | undefined;
}

const superusers = "system:masters";
const everything: PolicyRule = { verbs: ["*"], apiGroups: ["*"], resources: ["*"] };
const everyPath: PolicyRule = { verbs: ["*"], nonResourceURLs: ["*"] };

/**
 * Decides by the Roles and bindings of one cluster, as kube-apiserver does with `--authorization-mode=RBAC`: members of `system:masters`
 * may do everything, others what a binding grants. Bindings are indexed by subject at the first question and kept up with the view, so
 * that a decision looks only at what is bound to the asking user.
 */
export function createRbacAuthorizer(view: ClusterView): RbacAuthorizer {
  let index: SubjectIndex | undefined;
  const stop = view.onChange((changes) => {
    if (!index) return;
    for (const change of changes) {
      const { group, resource } = change.key;
      if (group !== roleBindings.group || (resource !== roleBindings.resource && resource !== clusterRoleBindings.resource)) continue;
      index.remove(change.previous);
      if (change.type !== "DELETED") index.add(change);
    }
  });

  const rulesOf = (roleRef: RoleRef, namespace: string): readonly PolicyRule[] | undefined => {
    const clusterWide = roleRef.kind === "ClusterRole";
    const stored = view.get(clusterWide ? clusterRoles : roles, clusterWide ? "" : namespace, roleRef.name);
    return stored && (objectOf<ClusterRole | Role>(stored).rules ?? []);
  };

  function* resolved(user: UserInfo, namespace: string): Generator<Resolved> {
    if (!index) {
      index = new SubjectIndex();
      for (const stored of view.list(clusterRoleBindings)) index.add(stored);
      for (const stored of view.list(roleBindings)) index.add(stored);
    }
    const seen = new Set<string>();
    for (const scope of namespace === "" ? [""] : ["", namespace]) {
      for (const grant of index.of(user, scope)) {
        if (seen.has(grant.binding)) continue;
        seen.add(grant.binding);
        yield { grant, rules: rulesOf(grant.roleRef, grant.namespace) };
      }
    }
  }

  return {
    rulesOf,
    close: stop,
    authorize(user, request) {
      if (user.groups.includes(superusers)) return { allowed: true, reason: "" };
      const missing: string[] = [];
      for (const { grant, rules } of resolved(user, request.kind === "resource" ? request.namespace : "")) {
        if (!rules) missing.push(missingRole(grant));
        else if (rules.some((rule) => ruleAllows(rule, request))) return { allowed: true, reason: reasonOf(grant) };
      }
      return { allowed: false, reason: missing.length > 0 ? `RBAC: ${aggregate(missing)}` : "" };
    },
    rulesFor(user, namespace) {
      const resourceRules: PolicyRule[] = [];
      const nonResourceRules: PolicyRule[] = [];
      const missing: string[] = [];
      for (const { grant, rules } of resolved(user, namespace)) {
        if (!rules) missing.push(missingRole(grant));
        for (const rule of rules ?? []) {
          if (rule.resources?.length) resourceRules.push(resourceRule(rule));
          if (rule.nonResourceURLs?.length) nonResourceRules.push({ verbs: rule.verbs, nonResourceURLs: rule.nonResourceURLs });
        }
      }
      if (user.groups.includes(superusers)) {
        const all = ({ verbs, resources, nonResourceURLs }: PolicyRule): boolean =>
          verbs.includes("*") && (resources ?? nonResourceURLs)?.includes("*") === true;
        if (!resourceRules.some(all)) resourceRules.unshift(everything);
        if (!nonResourceRules.some(all)) nonResourceRules.unshift(everyPath);
      }
      return { resourceRules, nonResourceRules, evaluationError: aggregate(missing) };
    },
  };
}

class SubjectIndex {
  /** Namespace (empty: cluster role bindings), then subject, then binding. */
  readonly #byScope = new Map<string, Map<string, Map<string, Grant>>>();

  add(stored: StoredObject): void {
    const { namespace, name } = stored.key;
    const { roleRef, subjects = [] } = objectOf<RoleBinding | ClusterRoleBinding>(stored);
    const binding = namespace === "" ? `ClusterRoleBinding "${name}"` : `RoleBinding "${name}/${namespace}"`;
    const bySubject = this.#byScope.get(namespace) ?? new Map<string, Map<string, Grant>>();
    this.#byScope.set(namespace, bySubject);
    for (const subject of subjects) {
      const key = subjectKey(subject, namespace);
      if (key === undefined) continue;
      const grants = bySubject.get(key) ?? new Map<string, Grant>();
      bySubject.set(key, grants);
      if (!grants.has(name)) grants.set(name, { roleRef, subject, binding, namespace });
    }
  }

  remove(stored: StoredObject | undefined): void {
    const { namespace = "", name = "" } = stored?.key ?? {};
    const bySubject = this.#byScope.get(namespace);
    if (!stored || !bySubject) return;
    for (const subject of objectOf<RoleBinding | ClusterRoleBinding>(stored).subjects ?? []) {
      const key = subjectKey(subject, namespace);
      const grants = key === undefined ? undefined : bySubject.get(key);
      if (key === undefined || !grants) continue;
      grants.delete(name);
      if (grants.size === 0) bySubject.delete(key);
    }
    if (bySubject.size === 0) this.#byScope.delete(namespace);
  }

  *of(user: UserInfo, scope: string): Generator<Grant> {
    const bySubject = this.#byScope.get(scope);
    if (!bySubject) return;
    yield* bySubject.get(`User ${user.username}`)?.values() ?? [];
    for (const group of user.groups) yield* bySubject.get(`Group ${group}`)?.values() ?? [];
  }
}

/** A ServiceAccount subject is the user it logs in as; without a namespace it is that of the binding. */
function subjectKey(subject: Subject, bindingNamespace: string): string | undefined {
  if (subject.kind !== "ServiceAccount") return `${subject.kind} ${subject.name}`;
  const namespace = subject.namespace || bindingNamespace;
  return namespace === "" ? undefined : `User system:serviceaccount:${namespace}:${subject.name}`;
}

function reasonOf({ binding, roleRef, subject, namespace }: Grant): string {
  const who = subject.kind === "ServiceAccount" ? `${subject.name}/${subject.namespace || namespace}` : subject.name;
  return `RBAC: allowed by ${binding} of ${roleRef.kind} "${roleRef.name}" to ${subject.kind} "${who}"`;
}

function missingRole({ roleRef }: Grant): string {
  return `${roleRef.kind.toLowerCase()}.rbac.authorization.k8s.io "${roleRef.name}" not found`;
}

/** As apimachinery's `Aggregate.Error` joins them: each text once. */
function aggregate(messages: readonly string[]): string {
  const unique = [...new Set(messages)];
  return unique.length > 1 ? `[${unique.join(", ")}]` : (unique[0] ?? "");
}

function resourceRule(rule: PolicyRule): PolicyRule {
  const { verbs, apiGroups, resources, resourceNames } = rule;
  return { verbs, ...(apiGroups && { apiGroups }), ...(resources && { resources }), ...(resourceNames && { resourceNames }) };
}
