import { describe, expect, it } from "vitest";
import * as known from "../../../shared/kubernetes/known-resources.ts";
import { builtinResources, findKind, findResource, parseApiVersion, storageResource } from "../../../shared/kubernetes/resources.ts";

describe("built-in resources", () => {
  it("are those that kube-apiserver 1.33 serves by default", () => {
    expect(builtinResources()).toHaveLength(61);
    expect(builtinResources().flatMap((resource) => resource.subresources)).not.toHaveLength(0);
  });

  it("finds a resource by group, version and plural name", () => {
    const deployments = findResource("apps", "v1", "deployments");
    expect(deployments).toMatchObject({ kind: "Deployment", namespaced: true, collection: "apps/deployments", shortNames: ["deploy"] });
    expect(deployments?.verbs.has("deletecollection")).toBe(true);
    expect(findResource("apps", "v1beta1", "deployments")).toBeUndefined();
    expect(findResource("", "v1", "deployments")).toBeUndefined();
  });

  it("finds a resource by apiVersion and kind", () => {
    expect(findKind("v1", "Endpoints")?.resource).toBe("endpoints");
    expect(findKind("networking.k8s.io/v1", "Ingress")?.resource).toBe("ingresses");
    expect(findKind("v1", "Ingress")).toBeUndefined();
  });

  it("keeps the events of both groups in one collection", () => {
    expect(findResource("events.k8s.io", "v1", "events")?.collection).toBe("events");
    expect(storageResource({ group: "events.k8s.io", resource: "events" })).toBe(findResource("", "v1", "events"));
  });

  it("stores a group resource of several versions in the preferred one", () => {
    expect(findResource("autoscaling", "v1", "horizontalpodautoscalers")?.storageVersion).toBe("v2");
    expect(storageResource({ group: "autoscaling", resource: "horizontalpodautoscalers" })?.version).toBe("v2");
    expect(storageResource({ group: "apps", resource: "nothings" })).toBeUndefined();
  });

  it("gives a subresource its own kind, and that of its parent's group version where discovery names none", () => {
    const pods = findResource("", "v1", "pods")?.subresources ?? [];
    expect(pods.find(({ name }) => name === "eviction")).toMatchObject({ group: "policy", version: "v1", kind: "Eviction", foreign: true });
    expect(pods.find(({ name }) => name === "status")).toMatchObject({ group: "", version: "v1", kind: "Pod", foreign: false });
  });

  it("has a constant for every resource that is stored", () => {
    // Kinds behind a closed gate are none.
    const named = Object.values(known).flatMap((resource) => storageResource(resource) ?? []);
    const stored = builtinResources().filter((resource) => storageResource(resource) === resource && resource.verbs.has("list"));
    expect(named).toEqual(stored.filter(({ resource }) => resource !== "componentstatuses"));
  });

  it("splits an apiVersion into group and version", () => {
    expect(parseApiVersion("v1")).toEqual({ group: "", version: "v1" });
    expect(parseApiVersion("apps/v1")).toEqual({ group: "apps", version: "v1" });
  });
});
