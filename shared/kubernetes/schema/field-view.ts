import type { FieldSchema } from "../managed-fields/schema-of.ts";
import type { SchemaNode } from "./schema-node.ts";

const nothing: readonly string[] = [];

/** Compiled schemas as ownership of fields sees them. The same node has the same view. */
export type FieldViews = (node: SchemaNode) => FieldSchema;

export function createFieldViews(): FieldViews {
  const views = new Map<SchemaNode, FieldSchema>();

  function viewOf(node: SchemaNode): FieldSchema {
    const known = views.get(node);
    if (known !== undefined) return known;
    const view = makeView(node, undefined);
    views.set(node, view);
    return view;
  }

  function makeView(node: SchemaNode, published: unknown): FieldSchema {
    const properties = new Map<string, FieldSchema>();
    let elements: ReadonlyMap<string, string> | undefined;
    const type = ownershipOf(node);
    return {
      type,
      keys: type === "list" ? [...node.listMapKeys].sort() : nothing,
      default: published,
      property(name) {
        if (node.shape === "map") return node.element === undefined ? undefined : viewOf(node.element);
        const known = properties.get(name);
        if (known !== undefined) return known;
        const field = node.fields().get(name);
        if (field === undefined) return undefined;
        const view = field.published === undefined ? viewOf(field.node) : makeView(field.node, field.published);
        properties.set(name, view);
        return view;
      },
      elementOf(name) {
        elements ??= new Map([...node.fields().keys()].map((field) => [field, `f:${field}`]));
        return elements.get(name) ?? `f:${name}`;
      },
      get items() {
        return (type === "list" || type === "set") && node.element !== undefined ? viewOf(node.element) : undefined;
      },
    };
  }

  return viewOf;
}

function ownershipOf(node: SchemaNode): FieldSchema["type"] {
  switch (node.shape) {
    case "object":
      return node.atomicMap ? "atomic" : "struct";
    case "map":
      return node.atomicMap ? "atomic" : "map";
    case "list":
      return node.listType === "map" ? "list" : node.listType === "set" ? "set" : "atomic";
    case "any":
      return node.component === "" ? "deduced" : "atomic";
    default:
      return "scalar";
  }
}
