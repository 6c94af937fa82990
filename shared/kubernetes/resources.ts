import { z } from "zod";
import type { CustomResource } from "./custom/definitions.ts";
import { once, readFacts } from "./facts.ts";
import { collectionOf, type GroupResource } from "./object.ts";

/** A resource below another: `status`, `scale`, `binding`, … */
export interface SubresourceDefinition {
  readonly name: string;
  /** The kind it answers with, and that kind's group and version (`pods/eviction` speaks `policy/v1`). */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Whether discovery names group and version: it does where the kind is not of the parent's group version. */
  readonly foreign: boolean;
  readonly verbs: ReadonlySet<string>;
}

/** One resource in one served version, as discovery describes it. */
export interface ResourceDefinition extends GroupResource {
  readonly version: string;
  readonly kind: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly verbs: ReadonlySet<string>;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly SubresourceDefinition[];
  /** The version that objects of this group resource are stored in; the other served versions are converted. */
  readonly storageVersion: string;
  /** The store's collection, `"apps/deployments"`. `events.k8s.io/events` are kept with the core `events`. */
  readonly collection: string;
  /** Of custom resources: the fields beyond name and namespace that they declare selectable, as dotted paths. */
  readonly selectableFields?: readonly string[];
  /** What is known of a custom resource beyond that. */
  readonly custom?: CustomResource;
}

const subresourceRow = z.object({
  subresource: z.string(),
  kind: z.string(),
  responseGroup: z.string(),
  responseVersion: z.string(),
  verbs: z.array(z.string()),
});

/** Feature gates of kube-apiserver that are off by default and that an operator may open here, each with the resources that it brings. */
export const features = ["MutatingAdmissionPolicy"] as const;
export type Feature = (typeof features)[number];

const resourceRow = z.object({
  group: z.string(),
  version: z.string(),
  resource: z.string(),
  kind: z.string(),
  singular: z.string(),
  scope: z.enum(["Namespaced", "Cluster"]),
  verbs: z.array(z.string()),
  shortNames: z.array(z.string()),
  categories: z.array(z.string()),
  subresources: z.array(subresourceRow),
  /** Served only where the gate is open. */
  feature: z.enum(features).optional(),
});

/** Two resources that are one: what is written through the first is read through both (kube-apiserver `default_storage_factory_builder.go`, cohabitating resources). */
const storedElsewhere: ReadonlyMap<string, GroupResource> = new Map([["events.k8s.io/events", { group: "", resource: "events" }]]);

/** `"apps/v1"`, `"v1"`: how `apiVersion` spells a group and a version. */
export function apiVersionOf({ group, version }: { readonly group: string; readonly version: string }): string {
  return group === "" ? version : `${group}/${version}`;
}

/** The inverse of `apiVersionOf`. A string with more than one slash keeps the rest in `version`. */
export function parseApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? { group: "", version: apiVersion } : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/**
 * Every resource that a kube-apiserver 1.33 serves by default, in the order of its discovery: groups by priority, then versions with
 * the preferred one first, then resources by name. The first version of a group resource is the one it is stored in.
 */
export const builtinResources: () => readonly ResourceDefinition[] = once(() => definitionsOf(undefined));

const byFeature = once(() => new Map(features.map((feature) => [feature, definitionsOf(feature)])));

/** What these gates add to the built-in resources, in the order of discovery. */
export const optionalResources = (open: readonly Feature[]): readonly ResourceDefinition[] =>
  features.flatMap((feature) => (open.includes(feature) ? (byFeature().get(feature) ?? []) : []));

function definitionsOf(wanted: Feature | undefined): readonly ResourceDefinition[] {
  const rows = z
    .array(resourceRow)
    .parse(readFacts("discovery"))
    .filter(({ feature }) => feature === wanted);
  const storageVersions = new Map<string, string>();
  for (const row of rows) {
    const key = collectionOf(row);
    if (!storageVersions.has(key)) storageVersions.set(key, row.version);
  }
  return rows.map((row) => definitionOf(row, storageVersions.get(collectionOf(row)) ?? row.version));
}

function definitionOf(row: z.infer<typeof resourceRow>, storageVersion: string): ResourceDefinition {
  const { scope, verbs, subresources, feature: _, ...rest } = row;
  return {
    ...rest,
    namespaced: scope === "Namespaced",
    verbs: new Set(verbs),
    storageVersion,
    collection: collectionOf(storedElsewhere.get(collectionOf(row)) ?? row),
    subresources: subresources.map((sub) => ({
      name: sub.subresource,
      group: sub.responseVersion === "" ? row.group : sub.responseGroup,
      version: sub.responseVersion === "" ? row.version : sub.responseVersion,
      kind: sub.kind,
      foreign: sub.responseVersion !== "",
      verbs: new Set(sub.verbs),
    })),
  };
}

interface ResourceIndex {
  readonly byResource: ReadonlyMap<string, ResourceDefinition>;
  readonly byKind: ReadonlyMap<string, ResourceDefinition>;
  readonly byCollection: ReadonlyMap<string, ResourceDefinition>;
}

const resourceIndex = once((): ResourceIndex => {
  const byResource = new Map<string, ResourceDefinition>();
  const byKind = new Map<string, ResourceDefinition>();
  const byCollection = new Map<string, ResourceDefinition>();
  for (const definition of builtinResources()) {
    const apiVersion = apiVersionOf(definition);
    byResource.set(`${apiVersion}/${definition.resource}`, definition);
    byKind.set(`${apiVersion}/${definition.kind}`, definition);
    const own = collectionOf(definition);
    if (own === definition.collection && definition.version === definition.storageVersion) byCollection.set(own, definition);
  }
  return { byResource, byKind, byCollection };
});

/** The built-in resource of this group, version and plural name. */
export function findResource(group: string, version: string, resource: string): ResourceDefinition | undefined {
  return resourceIndex().byResource.get(`${apiVersionOf({ group, version })}/${resource}`);
}

/** The built-in resource whose objects have this `apiVersion` and `kind`. */
export function findKind(apiVersion: string, kind: string): ResourceDefinition | undefined {
  return resourceIndex().byKind.get(`${apiVersion}/${kind}`);
}

/**
 * The definition under which a group resource's objects are stored: its group and resource are those of every `ObjectKey`,
 * its version that of every stored object. `events.k8s.io/events` leads to the core `events`.
 */
export function storageResource(resource: GroupResource): ResourceDefinition | undefined {
  const collection = collectionOf(resource);
  const elsewhere = storedElsewhere.get(collection);
  return resourceIndex().byCollection.get(elsewhere ? collectionOf(elsewhere) : collection);
}

/**
 * The definition by which objects that are asked for as `served` are worked on and found. The versions of a custom resource have schemas of
 * their own, so each of them is worked on as itself.
 */
export const storedAs = (served: ResourceDefinition): ResourceDefinition => (served.custom ? served : (storageResource(served) ?? served));
