import { describe, expect, it } from "vitest";
import { createClusterRoleAggregationController } from "../../../shared/controllers/cluster-role-aggregation.ts";
import { bootstrapObjects } from "../../../shared/kubernetes/bootstrap.ts";
import { clusterRoles } from "../../../shared/kubernetes/known-resources.ts";
import type { ClusterRole, PolicyRule } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { runControllers } from "./run-controllers.ts";

const rule = (resource: string): PolicyRule => ({ verbs: ["get"], apiGroups: [""], resources: [resource] });
const role = (name: string, label: string, ...resources: string[]): ClusterRole => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name, labels: { [label]: "true" } },
  rules: resources.map(rule),
});
const sum = (name: string, labels: readonly string[], own = "none"): ClusterRole => ({
  ...role(name, own),
  aggregationRule: { clusterRoleSelectors: labels.map((label) => ({ matchLabels: { [label]: "true" } })) },
});
const setUp = async () => {
  const cluster = createFakeCluster();
  const rulesOf = (name: string) => cluster.get<ClusterRole>(clusterRoles, "", name)?.rules?.map(({ resources }) => resources?.[0]);
  const controllers = await runControllers(cluster, createClusterRoleAggregationController());
  const create = (given: ClusterRole) => cluster.client.create(clusterRoles, given);
  return { cluster, controllers, rulesOf, create };
};

describe("an aggregated ClusterRole", () => {
  it("holds the rules of what it selects: selector by selector, by name, each once, and not what was written into it", async () => {
    const { controllers, rulesOf, create } = await setUp();
    await create(role("b", "x", "pods", "nodes"));
    await create(role("a", "x", "secrets", "pods"));
    await create(role("0", "y", "events", "nodes"));
    await create({ ...sum("sum", ["x", "y"]), rules: [rule("leases")] });
    await controllers.settle();
    expect(rulesOf("sum")).toEqual(["secrets", "pods", "nodes", "events"]);
  });

  it("follows the roles it selects, through other aggregated ones too", async () => {
    const { cluster, controllers, rulesOf, create } = await setUp();
    await create(sum("outer", ["inner"]));
    await create(sum("middle", ["x"], "inner"));
    await create(role("a", "x", "pods"));
    await controllers.settle();
    expect(rulesOf("outer")).toEqual(["pods"]);
    await cluster.client.patch(clusterRoles, "", "a", { type: "merge", body: { rules: [rule("nodes")] } });
    await controllers.settle();
    expect([rulesOf("middle"), rulesOf("outer")]).toEqual([["nodes"], ["nodes"]]);
    await cluster.client.delete(clusterRoles, "", "a");
    await controllers.settle();
    expect([rulesOf("middle"), rulesOf("outer")]).toEqual([[], []]);
  });

  it("does not select itself, and is written only when its rules change", async () => {
    const { cluster, controllers, create } = await setUp();
    await create({ ...sum("self", ["x"], "x"), rules: [] });
    await create(role("a", "y", "pods"));
    await controllers.settle();
    expect(cluster.writes.filter((write) => write.startsWith("update"))).toEqual([]);
  });

  it("is born with the rules that the controller would give it", async () => {
    const cluster = createFakeCluster();
    const born = bootstrapObjects({ serviceCidr: "10.96.0.0/12", apiServerAddress: "10.96.0.1" }).filter(
      ({ key }) => key.resource === "clusterroles",
    );
    for (const { object } of born) await cluster.client.create(clusterRoles, object);
    expect(born.length).toBeGreaterThan(50);
    await runControllers(cluster, createClusterRoleAggregationController());
    expect(cluster.writes.filter((write) => write.startsWith("update"))).toEqual([]);
  });
});
