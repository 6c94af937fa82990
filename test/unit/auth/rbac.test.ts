import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { checkEscalation } from "../../../shared/auth/escalation.ts";
import { forbidden } from "../../../shared/auth/forbidden.ts";
import { createRbacAuthorizer, type RbacAuthorizer } from "../../../shared/auth/rbac.ts";
import { type RequestAttributes, ruleAllows, uncoveredRules } from "../../../shared/auth/rbac-rules.ts";
import { anonymous, type UserInfo } from "../../../shared/auth/user.ts";
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "../../../shared/kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import type { PolicyRule, Subject } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster, type FakeCluster } from "../controllers/fake-cluster.ts";

const jane: UserInfo = { username: "jane", groups: ["dev", "system:authenticated"] };
const bot: UserInfo = {
  username: "system:serviceaccount:shop:bot",
  groups: ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
};
const request = (verb: string, resource: string, namespace = "shop", name = "", group = ""): RequestAttributes => {
  const [main = "", subresource = ""] = resource.split("/");
  return { kind: "resource", verb, group, resource: main, subresource, namespace, name };
};
const user = (name: string): Subject => ({ kind: "User", apiGroup: "rbac.authorization.k8s.io", name });
const readPods: PolicyRule = { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] };

describe("a policy rule", () => {
  const allows = (rule: Partial<PolicyRule>, wanted: RequestAttributes) => ruleAllows({ verbs: ["get"], apiGroups: [""], ...rule }, wanted);

  it.each<[string, Partial<PolicyRule>, RequestAttributes, boolean]>([
    ["a resource of its group", { resources: ["pods"] }, request("get", "pods"), true],
    ["no other verb", { resources: ["pods"] }, request("list", "pods"), false],
    ["no other group", { resources: ["pods"] }, request("get", "pods", "shop", "", "metrics.k8s.io"), false],
    ["every verb by *", { verbs: ["*"], resources: ["pods"] }, request("delete", "pods"), true],
    ["every group by *", { apiGroups: ["*"], resources: ["deployments"] }, request("get", "deployments", "shop", "", "apps"), true],
    ["no subresource by the resource", { resources: ["pods"] }, request("get", "pods/log"), false],
    ["a subresource by name", { resources: ["pods/log"] }, request("get", "pods/log"), true],
    ["a subresource of every resource", { resources: ["*/log"] }, request("get", "pods/log"), true],
    ["every subresource by *", { resources: ["*"] }, request("get", "pods/log"), true],
    ["a named object", { resources: ["pods"], resourceNames: ["a"] }, request("get", "pods", "shop", "a"), true],
    ["no other object", { resources: ["pods"], resourceNames: ["a"] }, request("get", "pods", "shop", "b"), false],
    ["no collection when names are given", { resources: ["pods"], resourceNames: ["a"] }, request("get", "pods"), false],
    ["a path", { nonResourceURLs: ["/healthz"] }, { kind: "nonResource", verb: "get", path: "/healthz" }, true],
    ["paths below a *", { nonResourceURLs: ["/api/*"] }, { kind: "nonResource", verb: "get", path: "/api/v1" }, true],
    ["not the path before /*", { nonResourceURLs: ["/api/*"] }, { kind: "nonResource", verb: "get", path: "/api" }, false],
    ["no path by resources", { resources: ["*"] }, { kind: "nonResource", verb: "get", path: "/api" }, false],
  ])("allows %s", (_, rule, wanted, expected) => {
    expect(allows(rule, wanted)).toBe(expected);
  });

  it("is covered only by whoever holds each verb, resource and name of it", () => {
    const wanted: PolicyRule[] = [{ apiGroups: [""], resources: ["pods", "secrets"], verbs: ["get", "delete"] }];
    expect(uncoveredRules([readPods, { apiGroups: ["*"], resources: ["secrets"], verbs: ["*"] }], wanted)).toEqual([
      { apiGroups: [""], resources: ["pods"], verbs: ["delete"] },
    ]);
    expect(uncoveredRules([{ ...readPods, resourceNames: ["a"] }], [readPods])).toHaveLength(2);
    expect(uncoveredRules([readPods], [{ ...readPods, resourceNames: ["a"] }])).toEqual([]);
    expect(uncoveredRules([{ nonResourceURLs: ["/api/*"], verbs: ["get"] }], [{ nonResourceURLs: ["/api/v1"], verbs: ["get"] }])).toEqual(
      [],
    );
  });
});

describe("the RBAC authorizer", () => {
  let cluster: FakeCluster;
  let rbac: RbacAuthorizer;
  const role = (name: string, rules: PolicyRule[], namespace = "shop") =>
    cluster.client.create(roles, { metadata: { name, namespace }, rules } as KubernetesObject);
  const clusterRole = (name: string, rules: PolicyRule[]) =>
    cluster.client.create(clusterRoles, { metadata: { name }, rules } as KubernetesObject);
  const bind = (name: string, kind: "Role" | "ClusterRole", roleName: string, subjects: Subject[], namespace = "shop") =>
    cluster.client.create(roleBindings, {
      metadata: { name, namespace },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: roleName },
      subjects,
    } as KubernetesObject);
  const bindAll = (name: string, roleName: string, subjects: Subject[]) =>
    cluster.client.create(clusterRoleBindings, {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: roleName },
      subjects,
    } as KubernetesObject);

  beforeEach(() => {
    cluster = createFakeCluster();
    rbac = createRbacAuthorizer(cluster.view);
  });

  it("allows members of system:masters everything, without a reason", () => {
    expect(rbac.authorize({ username: "x", groups: ["system:masters"] }, request("delete", "nodes", ""))).toEqual({
      allowed: true,
      reason: "",
    });
  });

  it("allows what a RoleBinding grants, in its namespace only, and says why in Kubernetes' words", async () => {
    await role("r", [readPods]);
    await bind("rb", "Role", "r", [user("jane")]);
    expect(rbac.authorize(jane, request("get", "pods"))).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "rb/shop" of Role "r" to User "jane"',
    });
    expect(rbac.authorize(jane, request("get", "pods", "other"))).toEqual({ allowed: false, reason: "" });
    expect(rbac.authorize(jane, request("get", "pods", ""))).toEqual({ allowed: false, reason: "" });
  });

  it("lets a RoleBinding lend a ClusterRole to one namespace", async () => {
    await clusterRole("view", [readPods]);
    await bind("rb", "ClusterRole", "view", [{ kind: "Group", name: "dev" }]);
    expect(rbac.authorize(jane, request("list", "pods")).reason).toBe(
      'RBAC: allowed by RoleBinding "rb/shop" of ClusterRole "view" to Group "dev"',
    );
    expect(rbac.authorize(jane, request("list", "pods", "")).allowed).toBe(false);
  });

  it("takes a ServiceAccount subject without a namespace for one of the binding's", async () => {
    await role("r", [readPods]);
    await bind("rb", "Role", "r", [{ kind: "ServiceAccount", name: "bot" }]);
    expect(rbac.authorize(bot, request("get", "pods")).reason).toBe(
      'RBAC: allowed by RoleBinding "rb/shop" of Role "r" to ServiceAccount "bot/shop"',
    );
  });

  it("grants paths by cluster role bindings", async () => {
    await clusterRole("discovery", [{ verbs: ["get"], nonResourceURLs: ["/version"] }]);
    await bindAll("d", "discovery", [{ kind: "Group", name: "system:unauthenticated" }]);
    expect(rbac.authorize(anonymous, { kind: "nonResource", verb: "get", path: "/version" }).allowed).toBe(true);
    expect(rbac.authorize(anonymous, { kind: "nonResource", verb: "get", path: "/metrics" }).allowed).toBe(false);
  });

  it("follows bindings and roles as they change", async () => {
    await role("r", [readPods]);
    expect(rbac.authorize(jane, request("get", "pods")).allowed).toBe(false);
    await bind("rb", "Role", "r", [user("jane")]);
    expect(rbac.authorize(jane, request("get", "pods")).allowed).toBe(true);
    await cluster.client.patch(roleBindings, "shop", "rb", { type: "merge", body: { subjects: [user("joe")] } });
    expect(rbac.authorize(jane, request("get", "pods")).allowed).toBe(false);
    expect(rbac.authorize({ username: "joe", groups: [] }, request("get", "pods")).allowed).toBe(true);
    await cluster.client.patch(roles, "shop", "r", { type: "merge", body: { rules: [] } });
    expect(rbac.authorize({ username: "joe", groups: [] }, request("get", "pods")).allowed).toBe(false);
  });

  it("no longer grants by a deleted binding", async () => {
    await role("r", [readPods]);
    await bind("rb", "Role", "r", [user("jane")]);
    expect(rbac.authorize(jane, request("get", "pods")).allowed).toBe(true);
    await cluster.client.delete(roleBindings, "shop", "rb");
    expect(rbac.authorize(jane, request("get", "pods")).allowed).toBe(false);
  });

  it("names a role that a binding refers to and that is not there", async () => {
    await bind("rb", "Role", "gone", [user("jane")]);
    expect(rbac.authorize(jane, request("get", "pods"))).toEqual({
      allowed: false,
      reason: 'RBAC: role.rbac.authorization.k8s.io "gone" not found',
    });
  });

  it("lists the rules of a user once a binding, of the cluster and of one namespace", async () => {
    await role("r", [readPods]);
    await clusterRole("d", [{ verbs: ["get"], nonResourceURLs: ["/version"] }]);
    await bind("rb", "Role", "r", [user("jane"), { kind: "Group", name: "dev" }]);
    await bindAll("d", "d", [{ kind: "Group", name: "system:authenticated" }]);
    expect(rbac.rulesFor(jane, "shop")).toEqual({
      resourceRules: [readPods],
      nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/version"] }],
      evaluationError: "",
    });
    expect(rbac.rulesFor(jane, "other").resourceRules).toEqual([]);
  });
});

describe("whoever writes roles and bindings", () => {
  const cluster = createFakeCluster();
  const rbac = createRbacAuthorizer(cluster.view);
  const ref = (kind: string, name: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name });
  const roleOf = (rules: PolicyRule[], labels: Record<string, string> = {}) =>
    ({ metadata: { name: "r", namespace: "shop", labels }, rules }) as KubernetesObject;
  const bindingOf = (kind: string, name: string) =>
    ({ metadata: { name: "rb", namespace: "shop" }, roleRef: ref(kind, name), subjects: [user("joe")] }) as KubernetesObject;
  const check = (who: UserInfo, resource: typeof roles, next: KubernetesObject, live?: KubernetesObject) => () =>
    checkEscalation(rbac, who, resource, next, live);

  beforeAll(async () => {
    const grant = async (name: string, rules: PolicyRule[], who: string) => {
      await cluster.client.create(clusterRoles, { metadata: { name }, rules } as KubernetesObject);
      await cluster.client.create(clusterRoleBindings, {
        metadata: { name },
        roleRef: ref("ClusterRole", name),
        subjects: [user(who)],
      } as KubernetesObject);
    };
    await grant("reader", [readPods], "jane");
    await grant("admin", [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }], "root");
    const resources = ["roles", "clusterroles"];
    await grant("granter", [{ verbs: ["escalate", "bind"], apiGroups: ["rbac.authorization.k8s.io"], resources }], "granter");
  });

  it("may grant what he holds and no more, in Kubernetes' words", () => {
    expect(check(jane, roles, roleOf([readPods]))).not.toThrow();
    expect(check(jane, roles, roleOf([{ apiGroups: [""], resources: ["pods", "secrets"], verbs: ["get", "list", "delete"] }]))).toThrow(
      'roles.rbac.authorization.k8s.io "r" is forbidden: user "jane" (groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "delete"]}',
    );
    expect(
      check({ username: "x", groups: ["system:masters"] }, roles, roleOf([{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }])),
    ).not.toThrow();
  });

  it("may bind only a role whose rules he holds", () => {
    expect(check(jane, roleBindings, bindingOf("ClusterRole", "reader"))).not.toThrow();
    expect(check(jane, roleBindings, bindingOf("ClusterRole", "admin"))).toThrow("not currently held");
    expect(check(jane, roleBindings, bindingOf("Role", "none"))).toThrow('rolebindings.rbac.authorization.k8s.io "none" not found');
  });

  it("may do both when he may escalate and bind", () => {
    const granter: UserInfo = { username: "granter", groups: [] };
    expect(check(granter, roles, roleOf([{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }]))).not.toThrow();
    expect(check(granter, roleBindings, bindingOf("ClusterRole", "admin"))).not.toThrow();
  });

  it("lets an aggregation rule be set only by who may do everything", () => {
    const role = { metadata: { name: "sum" }, aggregationRule: { clusterRoleSelectors: [{}] } } as KubernetesObject;
    expect(check(jane, clusterRoles, role)).toThrow("must have cluster-admin privileges to use the aggregationRule");
  });

  it("may let go of owners and finalizers of what grants more than he holds, but not change it", () => {
    const rules = [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }];
    const live = roleOf(rules);
    live.metadata.finalizers = ["a/b"];
    expect(check(jane, roles, roleOf(rules), live)).not.toThrow();
    expect(check(jane, roles, roleOf(rules, { a: "b" }), live)).toThrow("not currently held");
  });
});

describe("a refusal", () => {
  it("reads as kube-apiserver's", () => {
    const message = (wanted: RequestAttributes, reason = "") => forbidden(jane, wanted, reason).message;
    expect(forbidden(anonymous, request("list", "configmaps"), "")).toMatchObject({
      code: 403,
      message: 'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "shop"',
      details: { kind: "configmaps" },
    });
    expect(message(request("get", "pods/log", "shop", "a"))).toBe(
      'pods "a" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in the namespace "shop"',
    );
    expect(message(request("list", "deployments", "", "", "apps"), "why")).toBe(
      'deployments.apps is forbidden: User "jane" cannot list resource "deployments" in API group "apps" at the cluster scope: why',
    );
    expect(message({ kind: "nonResource", verb: "get", path: "/metrics" })).toBe('forbidden: User "jane" cannot get path "/metrics"');
  });
});
