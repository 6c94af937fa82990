import { once } from "../facts.ts";
import type { ReplicasPaths } from "../managed-fields/scale-managers.ts";
import type { KubernetesObject } from "../object.ts";
import { apiVersionOf, type ResourceDefinition, type SubresourceDefinition } from "../resources.ts";
import { type KindSchema, kindSchema } from "../schema/kind-schema.ts";
import { plainColumns, type ResourceTable } from "../table.ts";
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
  JSONSchemaProps,
  WebhookClientConfig,
} from "../types.ts";
import { customTable } from "./columns.ts";
import { createCustomKind, readAs } from "./custom-kind.ts";
import { replicasPath } from "./scale.ts";
import { compareVersions } from "./version-order.ts";

/** What a custom resource knows beyond any resource's definition. Made when it is first asked for. */
export interface CustomResource {
  readonly kind: () => KindSchema;
  readonly schema: JSONSchemaProps;
  readonly listKind: string;
  readonly scale: CustomResourceSubresourceScale | undefined;
  /** Of all versions that have a Scale. */
  readonly replicasPaths: ReplicasPaths;
  readonly table: () => ResourceTable;
  /** There is no other version: what is stored is stored in this one. */
  readonly single: boolean;
  /** Objects above this revision were written under the definition as it is. */
  readonly definedAt: number;
  /** A copy of a stored object as this version shows it. */
  read(object: KubernetesObject): KubernetesObject;
  /** The `apiVersion` in which its objects are stored. */
  readonly storedApiVersion: string;
  /** Said to everyone who uses a deprecated version. */
  readonly deprecation: string | undefined;
  /** The definition is being deleted, and its objects with it: none is made any more. */
  readonly terminating: boolean;
  /** What turns one version into another; absent: they differ in their name alone. */
  readonly conversion?: VersionConversion;
}

/** `spec.conversion` of strategy `Webhook`, and what it converts between. */
export interface VersionConversion {
  readonly clientConfig: WebhookClientConfig;
  /** Of ConversionReview, in the order of preference. */
  readonly reviewVersions: readonly string[];
  /** All versions, served or not, by `apiVersion`. */
  readonly kinds: ReadonlyMap<string, () => KindSchema>;
}

const allVerbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

/** Rules have so long for one object. */
const ruleMilliseconds = 1_000;

/**
 * The resources that a CustomResourceDefinition makes, one for each served version, the preferred version first. `names` are those that
 * were accepted, `definedAt` a revision at which the definition was what it is.
 */
export function definitionsOf(
  definition: CustomResourceDefinition,
  names: CustomResourceDefinitionNames,
  definedAt: number,
  nowMs: () => number,
): readonly ResourceDefinition[] {
  const { versions } = definition.spec;
  const storage = versions.find((version) => version.storage) ?? versions[0];
  if (storage === undefined) return [];
  const kinds = new Map(
    versions.map((version) => [apiVersionOf({ group: definition.spec.group, version: version.name }), kindOf(definition, version, nowMs)]),
  );
  const conversion = conversionOf(definition, kinds);
  const replicasPaths = Object.fromEntries(
    versions.flatMap(({ name, subresources }) =>
      subresources?.scale ? [[apiVersionOf({ group: definition.spec.group, version: name }), replicasPath(subresources.scale)]] : [],
    ),
  );
  const common = { definition, names, storageVersion: storage.name, definedAt, kinds, replicasPaths };
  const origin: Origin = { ...common, ...(conversion && { conversion }) };
  return versions
    .filter(({ served }) => served)
    .sort((a, b) => compareVersions(a.name, b.name))
    .map((version) => definitionOf(origin, version));
}

function conversionOf(
  { spec: { conversion } }: CustomResourceDefinition,
  kinds: VersionConversion["kinds"],
): VersionConversion | undefined {
  const { clientConfig, conversionReviewVersions: reviewVersions = [] } = conversion?.webhook ?? {};
  return conversion?.strategy === "Webhook" && clientConfig ? { clientConfig, reviewVersions, kinds } : undefined;
}

const schemaOf = (version: CustomResourceDefinitionVersion): JSONSchemaProps =>
  version.schema?.openAPIV3Schema ?? { type: "object", "x-kubernetes-preserve-unknown-fields": true };

function kindOf({ spec }: CustomResourceDefinition, version: CustomResourceDefinitionVersion, nowMs: () => number): () => KindSchema {
  return once(() => {
    const metadata = kindSchema("", "v1", "ConfigMap")?.node.fields().get("metadata")?.node;
    if (metadata === undefined) throw new Error("the schema of metadata is missing");
    const deadline = () => {
      const end = nowMs() + ruleMilliseconds;
      return () => nowMs() > end;
    };
    const namespaced = spec.scope === "Namespaced";
    return createCustomKind({ schema: schemaOf(version), namespaced, scale: version.subresources?.scale, metadata, deadline });
  });
}

/** What the versions of a definition have in common. */
interface Origin {
  readonly definition: CustomResourceDefinition;
  readonly names: CustomResourceDefinitionNames;
  readonly storageVersion: string;
  readonly definedAt: number;
  readonly kinds: ReadonlyMap<string, () => KindSchema>;
  readonly replicasPaths: ReplicasPaths;
  readonly conversion?: VersionConversion;
}

function definitionOf(
  { definition, names, storageVersion, definedAt, kinds, replicasPaths, conversion }: Origin,
  version: CustomResourceDefinitionVersion,
): ResourceDefinition {
  const { spec, metadata } = definition;
  const { group } = spec;
  const { kind, plural } = names;
  const apiVersion = apiVersionOf({ group, version: version.name });
  const ownKind = kinds.get(apiVersion);
  if (ownKind === undefined) throw new Error(`${apiVersion} is no version of ${plural}`);
  const custom: CustomResource = {
    kind: ownKind,
    schema: schemaOf(version),
    listKind: names.listKind ?? `${kind}List`,
    scale: version.subresources?.scale,
    replicasPaths,
    table: once(() => customTable(version.additionalPrinterColumns ?? [], plainColumns())),
    single: spec.versions.length === 1,
    definedAt,
    read: (object) => readAs(ownKind(), apiVersion, object),
    storedApiVersion: apiVersionOf({ group, version: storageVersion }),
    deprecation: version.deprecated === true ? (version.deprecationWarning ?? `${apiVersion} ${kind} is deprecated`) : undefined,
    terminating: metadata.deletionTimestamp !== undefined,
    ...(conversion && { conversion }),
  };
  return {
    group,
    version: version.name,
    resource: plural,
    kind,
    singular: names.singular ?? kind.toLowerCase(),
    namespaced: spec.scope === "Namespaced",
    verbs: new Set(allVerbs),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    subresources: subresourcesOf(group, version, kind),
    storageVersion,
    collection: `${group}/${plural}`,
    selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath.replace(/^\./, "")),
    custom,
  };
}

const subresourceVerbs = new Set(["get", "patch", "update"]);

function subresourcesOf(
  group: string,
  { name: version, subresources }: CustomResourceDefinitionVersion,
  kind: string,
): SubresourceDefinition[] {
  const found: SubresourceDefinition[] = [];
  if (subresources?.status !== undefined) found.push({ name: "status", group, version, kind, foreign: false, verbs: subresourceVerbs });
  if (subresources?.scale !== undefined)
    found.push({ name: "scale", group: "autoscaling", version: "v1", kind: "Scale", foreign: true, verbs: subresourceVerbs });
  return found;
}
