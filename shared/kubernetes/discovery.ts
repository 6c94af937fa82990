import { createHash } from "node:crypto";
import type { Typed } from "./protobuf/encode.ts";
import { apiVersionOf, type ResourceDefinition, storageResource } from "./resources.ts";

/**
 * The documents of Kubernetes' discovery, as functions of the resources that are served. The order of the resources decides that of
 * groups and versions: a group's first version is its preferred one. Custom resources come after the built-in ones.
 */

interface GroupVersionForDiscovery {
  readonly groupVersion: string;
  readonly version: string;
}

interface ApiGroup {
  readonly name: string;
  readonly versions: readonly GroupVersionForDiscovery[];
  readonly preferredVersion: GroupVersionForDiscovery;
}

/** `GET /api`. `serverAddress` is the host and port under which clients reach the server. */
export function apiVersionsDocument(serverAddress: string): Typed & Readonly<Record<string, unknown>> {
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }] };
}

/** `GET /apis`: every named group. */
export function apiGroupListDocument(resources: readonly ResourceDefinition[]): Typed & Readonly<Record<string, unknown>> {
  const groups = [...groupVersions(resources)].filter(([group]) => group !== "");
  return { kind: "APIGroupList", apiVersion: "v1", groups: groups.map(([group, versions]) => apiGroup(group, [...versions.keys()])) };
}

/** `GET /apis/{group}`; `undefined` when no resource has the group. */
export function apiGroupDocument(
  resources: readonly ResourceDefinition[],
  group: string,
): (Typed & Readonly<Record<string, unknown>>) | undefined {
  const versions = groupVersions(resources).get(group);
  return versions && { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group, [...versions.keys()]) };
}

/** `GET /api/v1` and `GET /apis/{group}/{version}`; `undefined` when nothing is served under the group version. */
export function apiResourceListDocument(
  resources: readonly ResourceDefinition[],
  group: string,
  version: string,
): (Typed & Readonly<Record<string, unknown>>) | undefined {
  const served = groupVersions(resources).get(group)?.get(version);
  if (!served) return undefined;
  return {
    kind: "APIResourceList",
    ...(group !== "" && { apiVersion: "v1" }),
    groupVersion: apiVersionOf({ group, version }),
    resources: served.flatMap((resource) => [apiResource(resource), ...apiSubresources(resource)]),
  };
}

/**
 * The aggregated form of `GET /api` (`scope` "core") and `GET /apis` ("groups"): KEP-3352, `apidiscovery.k8s.io`. 1.33 has v2 alone: whoever
 * asks for v2beta1 gets the plain documents.
 */
export function aggregatedDocument(
  resources: readonly ResourceDefinition[],
  scope: "core" | "groups",
): Typed & Readonly<Record<string, unknown>> {
  const groups = [...groupVersions(resources)].filter(([group]) => (group === "") === (scope === "core"));
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    metadata: {},
    items: groups.map(([group, versions]) => ({
      metadata: { ...(group !== "" && { name: group }), creationTimestamp: null },
      versions: [...versions].map(([name, served]) => ({ version: name, resources: served.map(aggregatedResource), freshness: "Current" })),
    })),
  };
}

/** The content type under which an aggregated document is answered. */
export const aggregatedMediaType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/** An opaque name of the version in which objects are stored: clients see by it that the encoding changed (KEP-2339). */
function storageVersionHash({ group, storageVersion, kind }: Pick<ResourceDefinition, "group" | "storageVersion" | "kind">): string {
  return createHash("sha256").update(`${group}/${storageVersion}/${kind}`).digest().subarray(0, 8).toString("base64");
}

function groupVersions(resources: readonly ResourceDefinition[]): Map<string, Map<string, ResourceDefinition[]>> {
  const groups = new Map<string, Map<string, ResourceDefinition[]>>();
  for (const resource of resources) {
    const versions = groups.get(resource.group) ?? new Map<string, ResourceDefinition[]>();
    groups.set(resource.group, versions);
    const served = versions.get(resource.version);
    if (served) served.push(resource);
    else versions.set(resource.version, [resource]);
  }
  return groups;
}

function apiGroup(name: string, versions: readonly string[]): ApiGroup {
  const [preferredVersion = { groupVersion: name, version: "" }, ...others] = versions.map((version) => ({
    groupVersion: apiVersionOf({ group: name, version }),
    version,
  }));
  return { name, versions: [preferredVersion, ...others], preferredVersion };
}

function apiResource(resource: ResourceDefinition): object {
  return {
    name: resource.resource,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: [...resource.verbs],
    ...(resource.shortNames.length > 0 && { shortNames: resource.shortNames }),
    ...(resource.categories.length > 0 && { categories: resource.categories }),
    ...(resource.verbs.has("watch") && { storageVersionHash: storageVersionHash(stored(resource)) }),
  };
}

/** A built-in resource may be stored under another group: `events.k8s.io/events` are core events. */
function stored(resource: ResourceDefinition): Pick<ResourceDefinition, "group" | "storageVersion" | "kind"> {
  const elsewhere = storageResource(resource);
  return elsewhere && elsewhere.collection === resource.collection ? elsewhere : resource;
}

function apiSubresources(resource: ResourceDefinition): object[] {
  return resource.subresources.map(({ name, group, version, kind, foreign, verbs }) => ({
    name: `${resource.resource}/${name}`,
    singularName: "",
    namespaced: resource.namespaced,
    ...(foreign && { group, version }),
    kind,
    verbs: [...verbs],
  }));
}

/** Group and version are empty where they are those of the document: clients fill them in. */
function aggregatedResource(resource: ResourceDefinition): object {
  const subresources = resource.subresources.map(({ name, group, version, kind, foreign, verbs }) => ({
    subresource: name,
    responseKind: foreign ? { group, version, kind } : { group: "", version: "", kind },
    verbs: [...verbs],
  }));
  return {
    resource: resource.resource,
    responseKind: { group: "", version: "", kind: resource.kind },
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: resource.singular,
    verbs: [...resource.verbs],
    ...(resource.shortNames.length > 0 && { shortNames: resource.shortNames }),
    ...(resource.categories.length > 0 && { categories: resource.categories }),
    ...(subresources.length > 0 && { subresources }),
  };
}
