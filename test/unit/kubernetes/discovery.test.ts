import { describe, expect, it } from "vitest";
import {
  aggregatedDocument,
  apiGroupDocument,
  apiGroupListDocument,
  apiResourceListDocument,
  apiVersionsDocument,
} from "../../../shared/kubernetes/discovery.ts";
import { builtinResources, type ResourceDefinition } from "../../../shared/kubernetes/resources.ts";

const resources = builtinResources();
const everyVerb = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

describe("discovery", () => {
  it("names the core version and the address", () => {
    expect(apiVersionsDocument("10.0.0.1:6443")).toEqual({
      kind: "APIVersions",
      versions: ["v1"],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: "10.0.0.1:6443" }],
    });
  });

  it("lists the groups by priority, without the core group", () => {
    const { groups } = apiGroupListDocument(resources) as { groups: { name: string }[] };
    expect(groups).toHaveLength(19);
    expect(groups.slice(0, 3).map(({ name }) => name)).toEqual(["apiregistration.k8s.io", "apps", "events.k8s.io"]);
    expect(groups.at(-1)?.name).toBe("flowcontrol.apiserver.k8s.io");
  });

  it("gives a group its versions, the preferred one first", () => {
    expect(apiGroupDocument(resources, "autoscaling")).toEqual({
      kind: "APIGroup",
      apiVersion: "v1",
      name: "autoscaling",
      versions: [
        { groupVersion: "autoscaling/v2", version: "v2" },
        { groupVersion: "autoscaling/v1", version: "v1" },
      ],
      preferredVersion: { groupVersion: "autoscaling/v2", version: "v2" },
    });
    expect(apiGroupDocument(resources, "nothing.example")).toBeUndefined();
  });

  it("lists a group version's resources with their subresources after them", () => {
    const document = apiResourceListDocument(resources, "apps", "v1") as { resources: { name: string }[] };
    expect(document).toMatchObject({ kind: "APIResourceList", apiVersion: "v1", groupVersion: "apps/v1" });
    expect(document.resources.slice(0, 3).map(({ name }) => name)).toEqual(["controllerrevisions", "daemonsets", "daemonsets/status"]);
    expect(document.resources.find(({ name }) => name === "deployments")).toEqual({
      name: "deployments",
      singularName: "deployment",
      namespaced: true,
      kind: "Deployment",
      verbs: everyVerb,
      shortNames: ["deploy"],
      categories: ["all"],
      storageVersionHash: "8aSe+NMegvE=",
    });
    expect(document.resources.find(({ name }) => name === "deployments/scale")).toEqual({
      name: "deployments/scale",
      singularName: "",
      namespaced: true,
      group: "autoscaling",
      version: "v1",
      kind: "Scale",
      verbs: ["get", "patch", "update"],
    });
    expect(apiResourceListDocument(resources, "apps", "v1beta1")).toBeUndefined();
  });

  it("leaves apiVersion out of the core list and the storage hash off what is not stored", () => {
    const document = apiResourceListDocument(resources, "", "v1") as { resources: { name: string; storageVersionHash?: string }[] };
    expect(document).not.toHaveProperty("apiVersion");
    const hash = (name: string) => document.resources.find((resource) => resource.name === name)?.storageVersionHash;
    expect([hash("pods"), hash("configmaps"), hash("bindings"), hash("componentstatuses")]).toEqual([
      "xPOwRZ+Yhw8=",
      "qFsyl6wFWjQ=",
      undefined,
      undefined,
    ]);
  });

  it("hashes the version that objects are stored in, whichever is asked", () => {
    const hash = (group: string, version: string) =>
      (apiResourceListDocument(resources, group, version) as { resources: { storageVersionHash?: string }[] }).resources[0]
        ?.storageVersionHash;
    expect(hash("autoscaling", "v1")).toBe(hash("autoscaling", "v2"));
    expect(hash("events.k8s.io", "v1")).toBe("r2yiGXH7wu8=");
  });

  it("aggregates the core group without a name, the others with theirs", () => {
    const core = aggregatedDocument(resources, "core") as { apiVersion: string; items: { metadata: object; versions: object[] }[] };
    expect(core.apiVersion).toBe("apidiscovery.k8s.io/v2");
    expect(core.items.map(({ metadata }) => metadata)).toEqual([{ creationTimestamp: null }]);
    const groups = aggregatedDocument(resources, "groups") as { items: { metadata: object; versions: unknown[] }[] };
    expect(groups.items).toHaveLength(19);
    expect(groups.items[1]?.metadata).toEqual({ name: "apps", creationTimestamp: null });
    expect(groups.items[1]?.versions[0]).toMatchObject({ version: "v1", freshness: "Current" });
  });

  it("describes a resource in the aggregated form", () => {
    const core = aggregatedDocument(resources, "core") as { items: { versions: { resources: { resource: string }[] }[] }[] };
    expect(core.items[0]?.versions[0]?.resources.find(({ resource }) => resource === "replicationcontrollers")).toEqual({
      resource: "replicationcontrollers",
      responseKind: { group: "", version: "", kind: "ReplicationController" },
      scope: "Namespaced",
      singularResource: "replicationcontroller",
      verbs: everyVerb,
      shortNames: ["rc"],
      categories: ["all"],
      subresources: [
        { subresource: "scale", responseKind: { group: "autoscaling", version: "v1", kind: "Scale" }, verbs: ["get", "patch", "update"] },
        {
          subresource: "status",
          responseKind: { group: "", version: "", kind: "ReplicationController" },
          verbs: ["get", "patch", "update"],
        },
      ],
    });
  });

  it("puts custom resources after the built-in ones", () => {
    const custom: ResourceDefinition = {
      group: "example.com",
      version: "v1",
      resource: "boats",
      kind: "Boat",
      singular: "boat",
      namespaced: true,
      verbs: new Set(everyVerb),
      shortNames: [],
      categories: [],
      subresources: [],
      storageVersion: "v1",
      collection: "example.com/boats",
    };
    const { groups } = apiGroupListDocument([...resources, custom]) as { groups: { name: string }[] };
    expect(groups.at(-1)?.name).toBe("example.com");
    expect(apiResourceListDocument([...resources, custom], "example.com", "v1")).toMatchObject({
      resources: [{ name: "boats", storageVersionHash: expect.any(String) }],
    });
  });
});
