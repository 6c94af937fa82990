import { escapeName } from "../cel/escape-name.ts";
import {
  boolType,
  bytesType,
  type CelField,
  type CelType,
  doubleType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  timestampType,
} from "../cel/type.ts";
import type { SchemaNode } from "../schema/schema-node.ts";

const known = new WeakMap<SchemaNode, CelType>();

/** The type that expressions see of a built-in kind's values (apiserver `cel/common/schemas.go`); what contains itself ends in values of no known type. */
export function typeOfNode(node: SchemaNode, above: readonly SchemaNode[] = []): CelType {
  switch (node.shape) {
    case "object":
      return objectTypeOf(node, above);
    case "map":
      return mapOf(stringType, node.element ? typeOfNode(node.element, above) : dynType);
    case "list":
      return listOf(node.element ? typeOfNode(node.element, above) : dynType);
    case "string":
    case "quantity":
      return stringType;
    case "integer":
      return intType;
    case "number":
      return doubleType;
    case "boolean":
      return boolType;
    case "time":
    case "microTime":
      return timestampType;
    case "bytes":
      return bytesType;
    case "intOrString":
    case "any":
      return dynType;
    default:
      return node.shape satisfies never;
  }
}

function objectTypeOf(node: SchemaNode, above: readonly SchemaNode[]): CelType {
  if (above.includes(node)) return dynType;
  const before = known.get(node);
  if (before) return before;
  const fields = new Map<string, CelField>();
  for (const [property, field] of node.fields()) {
    const escaped = escapeName(property);
    if (escaped !== undefined) fields.set(escaped, { property, type: typeOfNode(field.node, [...above, node]) });
  }
  const type: CelType = { kind: "object", name: node.component || "object", parameters: [], fields };
  if (above.length === 0) known.set(node, type);
  return type;
}
