import { cloneJson } from "../clone.ts";
import type { KubernetesObject } from "../object.ts";
import { typeProblem } from "../schema/check-types.ts";
import { createCompiler } from "../schema/compile.ts";
import { invalid } from "../schema/field-error.ts";
import { createFieldViews } from "../schema/field-view.ts";
import { goQuote } from "../schema/go-text.ts";
import type { KindSchema } from "../schema/kind-schema.ts";
import type { OpenApiSchema } from "../schema/open-api.ts";
import { patchSchemaOf } from "../schema/patch-view.ts";
import { prune } from "../schema/prune.ts";
import { isJsonObject, type JsonObject, type SchemaNode } from "../schema/schema-node.ts";
import { unknownFields } from "../schema/unknown-fields.ts";
import { validateObjectMeta, validateObjectMetaUpdate } from "../schema/validation/object-meta.ts";
import type { StatusCause } from "../status-error.ts";
import type { CustomResourceSubresourceScale, JSONSchemaProps, ObjectMeta } from "../types.ts";
import { Correlation } from "./correlation.ts";
import { setDefaults } from "./default-value.ts";
import { embeddedProblems } from "./embedded-objects.ts";
import { finalizerWarnings } from "./finalizer-warnings.ts";
import { nowhere } from "./go-value.ts";
import { listTypeProblems } from "./list-types.ts";
import { pruneNulls, pruneUnknown, visitUnknown } from "./prune-value.ts";
import { createRuleValidator } from "./rules.ts";
import { scaleProblems } from "./scale.ts";
import { validateValue } from "./validate-value.ts";

/** Go's strict decoder stops collecting here. */
const maximumUnknown = 100;
const blocking = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);
const unchecked =
  "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

export interface CustomKindOptions {
  readonly schema: JSONSchemaProps;
  readonly namespaced: boolean;
  readonly scale: CustomResourceSubresourceScale | undefined;
  /** The schema of any object's metadata: that of a built-in kind. */
  readonly metadata: SchemaNode;
  /** Makes the end of the time that the rules of one object may take. */
  readonly deadline: () => () => boolean;
}

/**
 * What a version of a CustomResourceDefinition decides of its objects: the counterpart of a built-in kind's schema, by the rules that hold
 * there. Values are kept as they were sent, nothing is printed that is not set. (apiextensions `registry/customresource/strategy.go`)
 */
export function createCustomKind({ schema, namespaced, scale, metadata, deadline }: CustomKindOptions): KindSchema {
  const node = withTypeMeta(createCompiler({ schemas: {}, goTypes: {} }).schema(schema as OpenApiSchema), metadata);
  const rules = createRuleValidator(schema, true);
  const metaOnly: SchemaNode = { ...node, fields: () => new Map([...node.fields()].filter(([name]) => name === "metadata")) };

  const withRules = (
    causes: StatusCause[],
    object: JsonObject,
    live?: JsonObject,
    correlation?: Correlation,
    warn?: (text: string) => void,
  ) => {
    if (rules === undefined) return causes;
    if (causes.some(({ reason = "" }) => blocking.has(reason))) return [...causes, invalid(nowhere, "null", unchecked)];
    const options = { expired: deadline(), ...(live && { old: live }), ...(correlation && { correlation }), ...(warn && { warn }) };
    return [...causes, ...rules(object, options)];
  };

  return {
    node,
    patch: patchSchemaOf(node),
    fields: createFieldViews()(node),
    // Metadata are decoded by themselves.
    checkTypes: (object) => typeProblem(metaOnly, object)?.replace(/(Go struct field [A-Za-z]+\.)metadata\./, "$1"),
    unknownFields(object) {
      const found = new Set<string>();
      if (isJsonObject(object.metadata))
        for (const text of unknownFields(metadata, object.metadata)) found.add(text.replace('"', '"metadata.'));
      visitUnknown(schema, object, (path) => found.add(`unknown field ${goQuote(path)}`));
      return [...found].sort().slice(0, maximumUnknown);
    },
    prune(object) {
      pruneUnknown(schema, object);
      pruneNulls(schema, object);
      if (!isJsonObject(object.metadata)) return;
      const { creationTimestamp } = object.metadata;
      prune(metadata, object.metadata);
      if (creationTimestamp === undefined || creationTimestamp === null) delete object.metadata.creationTimestamp;
    },
    applyDefaults: (object) => setDefaults(schema, object),
    validateCreate(object) {
      const causes = [
        ...validateObjectMeta(metadataOf(object), namespaced, "dnsSubdomain"),
        ...validateValue(schema, object, ""),
        ...scaleProblems(scale, object),
        ...embeddedProblems(schema, object),
        ...listTypeProblems(schema, object),
      ];
      return withRules(causes, object);
    },
    warnings: (object, live) => finalizerWarnings(metadataOf(object), live && metadataOf(live)),
    validateUpdate(next, live, subresource, warn) {
      const metadataCauses = validateObjectMetaUpdate(metadataOf(next), metadataOf(live));
      const correlation = new Correlation(next, live, schema);
      const status = subresource === "status";
      const lists = listTypeProblems(schema, live).length === 0 ? listTypeProblems(schema, next) : [];
      const values = status ? statusProblems(schema, next, correlation) : validateValue(schema, next, "", correlation);
      const causes = [
        ...metadataCauses,
        ...metadataCauses,
        ...values,
        ...scaleProblems(scale, next, status),
        ...(status ? [] : embeddedProblems(schema, next)),
        ...lists,
      ];
      return withRules(causes, next, live, correlation, warn);
    },
  };
}

function statusProblems({ properties = {} }: JSONSchemaProps, next: JsonObject, correlation: Correlation): StatusCause[] {
  const { status } = properties;
  if (status === undefined || next.status === undefined) return [];
  return validateValue(status, next.status, "", correlation.key("status")).map((cause) =>
    cause.field === undefined || cause.field === nowhere ? { ...cause, field: "status" } : { ...cause, field: `status.${cause.field}` },
  );
}

const metadataOf = (object: JsonObject): ObjectMeta => (object.metadata ?? {}) as KubernetesObject["metadata"];

/** Every object has these three fields, whether the schema names them or not; what it says of metadata restricts names only. */
function withTypeMeta(node: SchemaNode, metadata: SchemaNode): SchemaNode {
  const text = createCompiler({ schemas: {}, goTypes: {} }).schema({ type: "string" });
  const field = (name: string, value: SchemaNode) =>
    [
      name,
      { name, node: value, zero: "kept", default: undefined, published: undefined, patchStrategies: [], patchMergeKey: undefined },
    ] as const;
  const fields = new Map([...node.fields(), field("apiVersion", text), field("kind", text), field("metadata", metadata)]);
  return { ...node, shape: "object", fields: () => fields, printed: () => [] };
}

/** A copy of a stored object as one version shows it: with its apiVersion, without what it does not know, with its defaults. */
export function readAs(kind: KindSchema, apiVersion: string, object: KubernetesObject): KubernetesObject {
  const copy = cloneJson({ ...object, apiVersion });
  const record = copy as unknown as JsonObject;
  kind.prune(record);
  kind.applyDefaults(record);
  return copy;
}
