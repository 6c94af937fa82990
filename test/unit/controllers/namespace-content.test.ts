import { describe, expect, it } from "vitest";
import { createEventTtlController } from "../../../shared/controllers/event-ttl.ts";
import { createRootCaController } from "../../../shared/controllers/root-ca.ts";
import { createServiceAccountController } from "../../../shared/controllers/service-account.ts";
import { configMaps, events, namespaces, serviceAccounts } from "../../../shared/kubernetes/known-resources.ts";
import type { ConfigMap, Event, Namespace } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { runControllers } from "./run-controllers.ts";

const namespace = (name: string): Namespace => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name },
  spec: { finalizers: ["kubernetes"] },
});

describe("the default service account", () => {
  it("is made in every namespace, and again when it is deleted, but not in one that ends", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(namespaces, namespace("old"));
    const controllers = await runControllers(cluster, createServiceAccountController());
    await cluster.client.create(namespaces, namespace("new"));
    await controllers.settle();
    const homes = () => cluster.all(serviceAccounts).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    expect(homes()).toEqual(["new/default", "old/default"]);
    await cluster.client.delete(serviceAccounts, "old", "default");
    await controllers.settle();
    expect(homes()).toEqual(["new/default", "old/default"]);
    await cluster.client.delete(namespaces, "", "old");
    await cluster.client.delete(serviceAccounts, "old", "default");
    await controllers.settle();
    expect(homes()).toEqual(["new/default"]);
  });
});

describe("kube-root-ca.crt", () => {
  it("is made in every namespace and put right when somebody changes it", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(namespaces, namespace("team"));
    const controllers = await runControllers(cluster, createRootCaController({ caPem: "PEM" }));
    const get = () => cluster.get<ConfigMap>(configMaps, "team", "kube-root-ca.crt");
    expect(get()?.data).toEqual({ "ca.crt": "PEM" });
    expect(get()?.metadata.annotations?.["kubernetes.io/description"]).toMatch(/^Contains a CA bundle/);
    await cluster.client.patch(configMaps, "team", "kube-root-ca.crt", { type: "merge", body: { data: { "ca.crt": "other", more: "x" } } });
    await controllers.settle();
    expect(get()?.data).toEqual({ "ca.crt": "PEM" });
    await cluster.client.delete(configMaps, "team", "kube-root-ca.crt");
    await controllers.settle();
    expect(get()?.data).toEqual({ "ca.crt": "PEM" });
  });
});

describe("events", () => {
  const event = (name: string): Event => ({
    apiVersion: "v1",
    kind: "Event",
    metadata: { namespace: "default", name },
    involvedObject: {},
  });

  it("go an hour after their last write, and cost nothing before", async () => {
    const cluster = createFakeCluster();
    await cluster.client.create(events, event("before"));
    const controllers = await runControllers(cluster, createEventTtlController());
    await controllers.pass(600);
    await cluster.client.create(events, event("after"));
    await controllers.settle();
    const names = () => cluster.all(events).map(({ metadata }) => metadata.name);
    cluster.edit<Event>(events, "default", "before", (event) => ({
      ...event,
      metadata: { ...event.metadata, managedFields: [{ manager: "x", time: "2026-01-01T00:20:00Z" }] },
    }));
    cluster.clock.advance(3_600_000 - 600_000);
    await controllers.settle();
    expect(names()).toEqual(["after", "before"]);
    cluster.clock.advance(600_000);
    await controllers.settle();
    expect(names()).toEqual(["before"]);
    cluster.clock.advance(600_000);
    await controllers.settle();
    expect(names()).toEqual([]);
  });
});
