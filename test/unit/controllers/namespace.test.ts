import { describe, expect, it } from "vitest";
import { createNamespaceController } from "../../../shared/controllers/namespace.ts";
import { configMaps, namespaces, pods } from "../../../shared/kubernetes/known-resources.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import type { ConfigMap, Namespace } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { pod } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

const configMap = (name: string): ConfigMap => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "team", name } });

async function start(...objects: ConfigMap[]) {
  const cluster = createFakeCluster();
  const namespace: Namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" }, spec: { finalizers: ["kubernetes"] } };
  await cluster.client.create(namespaces, namespace);
  for (const object of objects) await cluster.client.create(configMaps, object);
  const controllers = await runControllers(cluster, createNamespaceController());
  const get = () => cluster.get<Namespace>(namespaces, "", "team");
  const conditions = () =>
    Object.fromEntries((get()?.status?.conditions ?? []).map(({ type, status, message }) => [type, `${status} ${message}`]));
  return { cluster, controllers, get, conditions };
}

describe("namespace", () => {
  it("stays while nobody deletes it", async () => {
    const { get } = await start(configMap("a"));
    expect(get()).toBeDefined();
  });

  it("goes with everything in it", async () => {
    const { cluster, controllers, get } = await start(configMap("a"), configMap("b"));
    await cluster.client.delete(namespaces, "", "team");
    await controllers.settle();
    expect(cluster.all(configMaps)).toEqual([]);
    expect(get()).toBeUndefined();
  });

  it("lets pods end before it deletes what they may use", async () => {
    const { cluster, controllers, get, conditions } = await start(configMap("a"));
    const running = pod("p", { spec: { containers: [], nodeName: "node-a" } });
    running.metadata.namespace = "team";
    await cluster.client.create(pods, running);
    await cluster.client.delete(namespaces, "", "team");
    await controllers.settle();
    expect(cluster.all(configMaps)).toHaveLength(1);
    expect(get()?.status?.phase).toBe("Terminating");
    expect(conditions()).toEqual({
      NamespaceDeletionDiscoveryFailure: "False All resources successfully discovered",
      NamespaceDeletionGroupVersionParsingFailure: "False All legacy kube types successfully parsed",
      NamespaceDeletionContentFailure: "False All content successfully deleted, may be waiting on finalization",
      NamespaceContentRemaining: "True Some resources are remaining: pods. has 1 resource instances",
      NamespaceFinalizersRemaining: "False All content-preserving finalizers finished",
    });
    cluster.kill("team", "p");
    await controllers.settle();
    expect(get()).toBeUndefined();
  });

  it("tells which finalizers it waits for", async () => {
    const held = configMap("held");
    held.metadata.finalizers = ["example.com/wait"];
    const { cluster, controllers, get, conditions } = await start(held);
    await cluster.client.delete(namespaces, "", "team");
    await controllers.settle();
    expect(conditions()).toMatchObject({
      NamespaceContentRemaining: "True Some resources are remaining: configmaps. has 1 resource instances",
      NamespaceFinalizersRemaining: "True Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances",
    });
    await cluster.client.patch(configMaps, "team", "held", { type: "merge", body: { metadata: { finalizers: null } } });
    await controllers.settle();
    expect(get()).toBeUndefined();
  });

  it("tells what it could not delete and tries again", async () => {
    const { cluster, controllers, get, conditions } = await start(configMap("a"));
    cluster.intercept(({ verb, resource }) =>
      verb === "delete" && resource.resource === "configmaps" ? new StatusError("Forbidden", "not now") : undefined,
    );
    await cluster.client.delete(namespaces, "", "team");
    await controllers.settle();
    expect(conditions().NamespaceDeletionContentFailure).toBe("True Failed to delete all resource types, 1 remaining: not now");
    cluster.intercept(undefined);
    await controllers.pass(1);
    expect(get()).toBeUndefined();
  });

  it("keeps to the finalizers of others", async () => {
    const { cluster, controllers, get } = await start();
    cluster.edit<Namespace>(namespaces, "", "team", (namespace) => ({
      ...namespace,
      spec: { finalizers: ["kubernetes", "example.com/audit"] },
    }));
    await cluster.client.delete(namespaces, "", "team");
    await controllers.settle();
    expect(get()?.spec?.finalizers).toEqual(["example.com/audit"]);
  });
});
