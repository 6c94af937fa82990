import type { SchemaV2 } from "../openapi-v2.ts";
import { schemaV2, wholeSchemaV2 } from "../openapi-v2.ts";
import type { ResourceDefinition } from "../resources.ts";
import { isJsonObject } from "../schema/schema-node.ts";
import type { JSONSchemaProps } from "../types.ts";

type Schema = Readonly<Record<string, unknown>>;

/** The components that describe the kinds of custom resources. */
export interface CustomComponents {
  readonly schemas: ReadonlyMap<string, Schema>;
  /** The component of `group/version/Kind`. */
  readonly byKind: ReadonlyMap<string, string>;
}

const reference = (component: string): Schema => ({ $ref: `#/components/schemas/${component}` });
const metaComponent = "io.k8s.apimachinery.pkg.apis.meta.v1";
const text = {
  apiVersion:
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
  kind: "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
  metadata:
    "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
  listMetadata:
    "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
} as const;

/** As apiextensions publishes them (`controller/openapi/builder`), in version 3 of OpenAPI. */
export function customComponents(resources: readonly ResourceDefinition[]): CustomComponents {
  const schemas = new Map<string, Schema>();
  const byKind = new Map<string, string>();
  for (const { group, version, kind, custom, selectableFields = [] } of resources) {
    if (custom === undefined) continue;
    const name = (of: string): string => `${group.split(".").reverse().join(".")}.${version}.${of}`;
    const gvk = (of: string) => ({ "x-kubernetes-group-version-kind": [{ group, kind: of, version }] });
    schemas.set(name(kind), {
      ...wholeObject(custom.schema),
      ...gvk(kind),
      ...(selectableFields.length > 0 && { "x-kubernetes-selectable-fields": selectableFields.map((fieldPath) => ({ fieldPath })) }),
    });
    schemas.set(name(custom.listKind), listOf(custom.listKind, kind, name(kind), gvk(custom.listKind)));
    byKind.set(`${group}/${version}/${kind}`, name(kind)).set(`${group}/${version}/${kind}List`, name(custom.listKind));
  }
  return { schemas, byKind };
}

function wholeObject(schema: JSONSchemaProps): Schema {
  const { properties, ...rest } = published(schema);
  return {
    ...rest,
    properties: {
      ...(isJsonObject(properties) ? properties : {}),
      ...typeMeta(),
      metadata: described(text.metadata, `${metaComponent}.ObjectMeta`),
    },
  };
}

const typeMeta = () => ({ apiVersion: { description: text.apiVersion, type: "string" }, kind: { description: text.kind, type: "string" } });
const embeddedTypeMeta = () => ({
  apiVersion: {
    description:
      "apiVersion defines the versioned schema of this representation of an object. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
    type: "string",
  },
  kind: {
    description:
      "kind is a string value representing the type of this object. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
    type: "string",
  },
});
const described = (description: string, component: string): Schema => ({ allOf: [reference(component)], description });

/** Whole objects within say what every object has. */
function published(schema: JSONSchemaProps): Schema {
  const { properties, items, additionalProperties, ...rest } = schema;
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  const fields = properties && Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, published(property)]));
  const own = embedded ? { ...fields, ...embeddedTypeMeta(), metadata: described(text.metadata, `${metaComponent}.ObjectMeta`) } : fields;
  return {
    ...rest,
    ...(embedded && { required: [...new Set([...(schema.required ?? []), "kind", "apiVersion"])] }),
    ...(own && { properties: own }),
    ...(items !== undefined && { items: Array.isArray(items) ? items : published(items) }),
    ...(additionalProperties !== undefined && {
      additionalProperties: typeof additionalProperties === "object" ? published(additionalProperties) : additionalProperties,
    }),
  };
}

function listOf(listKind: string, kind: string, component: string, gvk: Schema): Schema {
  return {
    description: `${listKind} is a list of ${kind}`,
    type: "object",
    required: ["items"],
    properties: {
      ...typeMeta(),
      items: {
        description: "List of the objects. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md",
        type: "array",
        items: reference(component),
      },
      metadata: described(text.listMetadata, `${metaComponent}.ListMeta`),
    },
    ...gvk,
  };
}

/**
 * A component in version 2, which says less: nothing of alternatives, of what may be null, and of what keeps unknown fields
 * (apiextensions `controller/openapi/v2/conversion.go`). A kind that keeps unknown fields at its root is an object and no more.
 */
export function customSchemaV2(schema: Schema): SchemaV2 {
  if (schema["x-kubernetes-preserve-unknown-fields"] === true) {
    const kept = { type: "object", "x-kubernetes-group-version-kind": schema["x-kubernetes-group-version-kind"] };
    return schemaV2(kept);
  }
  return wholeSchemaV2(withoutV3(schema));
}

const alternatives = new Set(["anyOf", "oneOf", "not", "nullable"]);

function withoutV3(schema: Schema): Schema {
  const whole = schema.nullable === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  const entries = Object.entries(schema).flatMap(([key, value]): [string, unknown][] => {
    if (alternatives.has(key) || (key === "allOf" && !isReference(value))) return [];
    if (whole && (key === "properties" || key === "items" || key === "type")) return [];
    if (key === "properties" && isJsonObject(value))
      return [
        [
          key,
          Object.fromEntries(
            Object.entries(value).map(([name, property]) => [name, isJsonObject(property) ? withoutV3(property) : property]),
          ),
        ],
      ];
    if (key === "required" && Array.isArray(value)) {
      const required = value.filter((name: unknown) => !isNullable(schema.properties, name));
      return required.length === 0 ? [] : [[key, required]];
    }
    return (key === "items" || key === "additionalProperties") && isJsonObject(value) ? [[key, withoutV3(value)]] : [[key, value]];
  });
  return Object.fromEntries(entries);
}

const isReference = (value: unknown): boolean => Array.isArray(value) && isJsonObject(value[0]) && typeof value[0].$ref === "string";

function isNullable(properties: unknown, name: unknown): boolean {
  if (!isJsonObject(properties) || typeof name !== "string") return false;
  const property = properties[name];
  return isJsonObject(property) && property.nullable === true;
}
