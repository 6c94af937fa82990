import type { FieldSchema } from "../managed-fields/schema-of.ts";
import type { PatchSchema } from "../patch-schema.ts";
import { createDefaulter } from "./apply-defaults.ts";
import { createCompiler } from "./compile.ts";
import { createFieldViews } from "./field-view.ts";
import type { OpenApiSchema } from "./open-api.ts";
import { patchSchemaOf } from "./patch-view.ts";
import { prune } from "./prune.ts";
import type { JsonObject, SchemaNode } from "./schema-node.ts";
import { unknownFields } from "./unknown-fields.ts";

/**
 * What a CustomResourceDefinition's structural schema decides of its objects: the same engine as for built-in kinds, with the rules that
 * hold there. Values are kept as they are sent: nothing is printed that is not set, zero values stay, and of nulls only those vanish that
 * the schema does not allow. `validation` of values (patterns, bounds, CEL) is not part of it.
 */
export interface StructuralSchema {
  /** Fields that pruning would drop, in the strict decoder's words; none below `x-kubernetes-preserve-unknown-fields`. */
  unknownFields(object: JsonObject): string[];
  /** Drops unknown fields and nulls that are not `nullable`, in place; apiVersion, kind and metadata are always kept. */
  prune(object: JsonObject): void;
  /** Published defaults, from the outside in: a default that is an object gets the defaults of its own fields. In place, idempotent. */
  applyDefaults(object: JsonObject): void;
  /** Custom resources take no strategic merge patches: the view only says that everything is replaced. */
  readonly patch: PatchSchema;
  readonly fields: FieldSchema | undefined;
  readonly node: SchemaNode;
}

/** `metadata` is how the schema of every object's metadata is known to ownership of fields: that of any built-in kind. */
export function createStructuralSchema(schema: OpenApiSchema, metadata: SchemaNode): StructuralSchema {
  const compiled = createCompiler({ schemas: {}, goTypes: {} }).schema(schema);
  const node = withTypeMeta(compiled, metadata);
  const applyDefaults = createDefaulter(new Map());
  return {
    node,
    patch: patchSchemaOf(node),
    fields: createFieldViews()(node),
    unknownFields: (object) => unknownFields(node, object),
    prune: (object) => prune(node, object),
    applyDefaults: (object) => applyDefaults(node, object),
  };
}

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
