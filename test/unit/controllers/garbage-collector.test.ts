import { describe, expect, it } from "vitest";
import { createGarbageCollector } from "../../../shared/controllers/garbage-collector.ts";
import {
  configMaps,
  customResourceDefinitions,
  deployments,
  nodes,
  pods,
  replicaSets,
} from "../../../shared/kubernetes/known-resources.ts";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import type { ConfigMap, OwnerReference } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { deployment, node, pod, replicaSet } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

const ownerReference = (object: KubernetesObject | undefined, change: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: object?.apiVersion ?? "",
  kind: object?.kind ?? "",
  name: object?.metadata.name ?? "",
  uid: object?.metadata.uid ?? "",
  controller: true,
  blockOwnerDeletion: true,
  ...change,
});

const configMap = (name: string, owners: OwnerReference[] = [], namespace = "default"): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace, name, ...(owners.length > 0 && { ownerReferences: owners }) },
});

/** A deployment with a replica set with a pod. */
async function startFamily() {
  const cluster = createFakeCluster();
  await cluster.client.create(deployments, deployment(1));
  const set = replicaSet(1);
  set.metadata.ownerReferences = [ownerReference(cluster.get(deployments, "default", "web"))];
  await cluster.client.create(replicaSets, set);
  const child = pod("child");
  child.metadata.ownerReferences = [ownerReference(cluster.get(replicaSets, "default", "web"))];
  await cluster.client.create(pods, child);
  const controllers = await runControllers(cluster, createGarbageCollector());
  const counts = () => [deployments, replicaSets, pods].map((resource) => cluster.view.count(resource));
  return { cluster, controllers, counts };
}

async function start(...objects: ConfigMap[]) {
  const cluster = createFakeCluster();
  for (const object of objects) await cluster.client.create(configMaps, object);
  const controllers = await runControllers(cluster, createGarbageCollector());
  const get = (name: string) => cluster.get<ConfigMap>(configMaps, "default", name);
  return { cluster, controllers, get };
}

describe("garbage collector", () => {
  it("leaves alone what has a living owner", async () => {
    const { counts } = await startFamily();
    expect(counts()).toEqual([1, 1, 1]);
  });

  it("deletes dependents after their owner, generation by generation", async () => {
    const { cluster, controllers, counts } = await startFamily();
    await cluster.client.delete(deployments, "default", "web", { propagationPolicy: "Background" });
    expect(counts()).toEqual([0, 1, 1]);
    await controllers.settle();
    expect(counts()).toEqual([0, 0, 0]);
  });

  it("deletes dependents before their owner in the foreground", async () => {
    const { cluster, controllers, counts } = await startFamily();
    cluster.edit(pods, "default", "child", (child) => ({ ...child, spec: { containers: [], nodeName: "node-a" } }));
    await cluster.client.delete(deployments, "default", "web", { propagationPolicy: "Foreground" });
    await controllers.settle();
    expect(counts()).toEqual([1, 1, 1]);
    expect(cluster.get(replicaSets, "default", "web")?.metadata.finalizers).toEqual(["foregroundDeletion"]);
    expect(cluster.get(pods, "default", "child")?.metadata.deletionTimestamp).toBeDefined();
    cluster.kill("default", "child");
    await controllers.settle();
    expect(counts()).toEqual([0, 0, 0]);
  });

  it("does not make an owner wait for dependents that do not block it", async () => {
    const { cluster, controllers, get } = await start(configMap("owner"));
    const child = configMap("child", [ownerReference(get("owner"), { blockOwnerDeletion: false })]);
    child.metadata.finalizers = ["example.com/wait"];
    await cluster.client.create(configMaps, child);
    await cluster.client.delete(configMaps, "default", "owner", { propagationPolicy: "Foreground" });
    await controllers.settle();
    expect(get("owner")).toBeUndefined();
    expect(get("child")?.metadata.deletionTimestamp).toBeDefined();
  });

  it("lets an owner go once the last dependent stops blocking it", async () => {
    const { cluster, controllers, get } = await start(configMap("owner"));
    const child = configMap("child", [ownerReference(get("owner"))]);
    child.metadata.finalizers = ["example.com/wait"];
    await cluster.client.create(configMaps, child);
    await cluster.client.delete(configMaps, "default", "owner", { propagationPolicy: "Foreground" });
    await controllers.settle();
    expect(get("owner")).toBeDefined();
    const body = { metadata: { ownerReferences: [ownerReference(get("owner"), { blockOwnerDeletion: false })] } };
    await cluster.client.patch(configMaps, "default", "child", { type: "merge", body });
    await controllers.settle();
    expect(get("owner")).toBeUndefined();
  });

  it("orphans dependents when asked to", async () => {
    const { cluster, controllers, counts } = await startFamily();
    await cluster.client.delete(deployments, "default", "web", { propagationPolicy: "Orphan" });
    await controllers.settle();
    expect(counts()).toEqual([0, 1, 1]);
    expect(cluster.get(replicaSets, "default", "web")?.metadata.ownerReferences).toBeUndefined();
    expect(cluster.get(pods, "default", "child")?.metadata.ownerReferences).toHaveLength(1);
  });

  it("keeps what has another living owner and drops the reference to the one that is gone", async () => {
    const { cluster, controllers, get } = await start(configMap("first"), configMap("second"));
    const owners = [ownerReference(get("first")), ownerReference(get("second"), { controller: false })];
    await cluster.client.create(configMaps, configMap("child", owners));
    await cluster.client.delete(configMaps, "default", "first");
    await controllers.settle();
    expect(get("child")?.metadata.ownerReferences).toEqual([owners[1]]);
    await cluster.client.delete(configMaps, "default", "second");
    await controllers.settle();
    expect(get("child")).toBeUndefined();
  });

  it("tells a new object of the same name from the owner", async () => {
    const { cluster, controllers, get } = await start(configMap("owner"));
    await cluster.client.create(configMaps, configMap("child", [ownerReference(get("owner"), { uid: "another" })]));
    await controllers.settle();
    expect(get("child")).toBeUndefined();
    expect(get("owner")).toBeDefined();
  });

  it("ends a circle of owners that wait for each other", async () => {
    const { cluster, controllers, get } = await start(configMap("a"), configMap("b"));
    for (const [child, owner] of [
      ["a", "b"],
      ["b", "a"],
    ] as const) {
      const body = { metadata: { ownerReferences: [ownerReference(get(owner))] } };
      await cluster.client.patch(configMaps, "default", child, { type: "merge", body });
    }
    await cluster.client.delete(configMaps, "default", "a", { propagationPolicy: "Foreground" });
    await controllers.settle();
    expect([get("a"), get("b")]).toEqual([undefined, undefined]);
  });

  it("does not delete when it cannot tell: an unknown kind, a namespaced owner of a cluster-scoped object", async () => {
    const unknown: OwnerReference = { apiVersion: "example.com/v1", kind: "Widget", name: "w", uid: "w" };
    const { cluster, controllers, get } = await start(configMap("child", [unknown]));
    const namespaced: OwnerReference = { apiVersion: "v1", kind: "ConfigMap", name: "none", uid: "none" };
    await cluster.client.create(nodes, node("n", { metadata: { name: "n", ownerReferences: [namespaced] } }));
    await controllers.settle();
    expect(get("child")).toBeDefined();
    expect(cluster.get(nodes, "", "n")).toBeDefined();
    const spec = { group: "example.com", scope: "Namespaced", names: { kind: "Widget", plural: "widgets" }, versions: [{ name: "v1" }] };
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "widgets.example.com" },
      spec,
    };
    await cluster.client.create(customResourceDefinitions, definition);
    await controllers.settle();
    expect(get("child")).toBeUndefined();
  });

  it("does not take an object of another namespace for the owner", async () => {
    const { cluster, controllers, get } = await start(configMap("owner"));
    await cluster.client.create(configMaps, configMap("child", [ownerReference(get("owner"))], "other"));
    await controllers.settle();
    expect(cluster.get(configMaps, "other", "child")).toBeUndefined();
  });
});
