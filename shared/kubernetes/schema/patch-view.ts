import type { PatchSchema } from "../patch-schema.ts";
import type { FieldNode, SchemaNode } from "./schema-node.ts";

const nothing: Pick<FieldNode, "patchStrategies" | "patchMergeKey"> = { patchStrategies: [], patchMergeKey: undefined };

/** A compiled schema as strategic merge patches see it. Views are made as they are asked for. */
export function patchSchemaOf(node: SchemaNode, field: Pick<FieldNode, "patchStrategies" | "patchMergeKey"> = nothing): PatchSchema {
  const properties = new Map<string, PatchSchema | undefined>();
  let items: { readonly value: PatchSchema | undefined } | undefined;

  function makeProperty(name: string): PatchSchema | undefined {
    if (node.shape === "map") return node.element === undefined ? undefined : patchSchemaOf(node.element);
    const child = node.fields().get(name);
    return child === undefined ? undefined : patchSchemaOf(child.node, child);
  }

  return {
    strategies: field.patchStrategies,
    mergeKey: field.patchMergeKey,
    property(name) {
      if (!properties.has(name)) {
        if (node.shape === "map") return makeProperty(name);
        properties.set(name, makeProperty(name));
      }
      return properties.get(name);
    },
    get items() {
      items ??= { value: node.shape === "list" && node.element !== undefined ? patchSchemaOf(node.element) : undefined };
      return items.value;
    },
  };
}
