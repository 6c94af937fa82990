import { once } from "../facts.ts";
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
} from "../types.ts";
import { customTable } from "./columns.ts";
import { createCustomKind, readAs } from "./custom-kind.ts";
import { compareVersions } from "./version-order.ts";

/** What a custom resource knows beyond any resource's definition. Made when it is first asked for. */
export interface CustomResource {
  readonly kind: () => KindSchema;
  readonly schema: JSONSchemaProps;
  readonly listKind: string;
  readonly scale: CustomResourceSubresourceScale | undefined;
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
  /** The other versions are converted by a webhook. */
  readonly webhook: boolean;
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
  return versions
    .filter(({ served }) => served)
    .sort((a, b) => compareVersions(a.name, b.name))
    .map((version) => definitionOf(definition, names, version, storage.name, definedAt, nowMs));
}

function definitionOf(
  definition: CustomResourceDefinition,
  names: CustomResourceDefinitionNames,
  version: CustomResourceDefinitionVersion,
  storageVersion: string,
  definedAt: number,
  nowMs: () => number,
): ResourceDefinition {
  const { spec, metadata } = definition;
  const { group } = spec;
  const { kind, plural } = names;
  const namespaced = spec.scope === "Namespaced";
  const terminating = metadata.deletionTimestamp !== undefined;
  const schema = version.schema?.openAPIV3Schema ?? { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const scale = version.subresources?.scale;
  const apiVersion = apiVersionOf({ group, version: version.name });
  const kindOf = once(() => {
    const meta = kindSchema("", "v1", "ConfigMap")?.node.fields().get("metadata")?.node;
    if (meta === undefined) throw new Error("the schema of metadata is missing");
    const deadline = () => {
      const end = nowMs() + ruleMilliseconds;
      return () => nowMs() > end;
    };
    return createCustomKind({ schema, namespaced, scale, metadata: meta, deadline });
  });
  const custom: CustomResource = {
    kind: kindOf,
    schema,
    listKind: names.listKind ?? `${kind}List`,
    scale,
    table: once(() => customTable(version.additionalPrinterColumns ?? [], plainColumns())),
    single: spec.versions.length === 1,
    definedAt,
    read: (object) => readAs(kindOf(), apiVersion, object),
    storedApiVersion: apiVersionOf({ group, version: storageVersion }),
    deprecation: version.deprecated === true ? (version.deprecationWarning ?? `${apiVersion} ${kind} is deprecated`) : undefined,
    terminating,
    webhook: spec.conversion?.strategy === "Webhook",
  };
  return {
    group,
    version: version.name,
    resource: plural,
    kind,
    singular: names.singular ?? kind.toLowerCase(),
    namespaced,
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
