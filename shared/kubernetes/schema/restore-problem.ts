import { typeProblem } from "./check-types.ts";
import { isJsonObject, type SchemaNode } from "./schema-node.ts";

/**
 * The first problem that apimachinery's unstructured converter, which reads the result of a strategic merge patch, reports for a value that
 * does not fit its type, in its words; undefined when everything fits.
 */
export function restoreProblem(node: SchemaNode, value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  switch (node.shape) {
    case "object":
      return isJsonObject(value) ? firstOfFields(node, value) : `cannot restore struct from: ${kindOf(value)}`;
    case "map":
      return isJsonObject(value) ? firstOf(node.element, Object.values(value)) : `cannot restore map from ${kindOf(value)}`;
    case "list":
      return Array.isArray(value) ? firstOf(node.element, value) : `cannot restore slice from ${kindOf(value)}`;
    case "string":
      return typeof value === "string" ? undefined : scalarProblem(node, value, "string");
    case "boolean":
      return typeof value === "boolean" ? undefined : `unrecognized type: bool`;
    case "integer":
      return Number.isInteger(value) ? undefined : scalarProblem(node, value, node.goType);
    case "number":
      return typeof value === "number" ? undefined : `unrecognized type: ${node.goType}`;
    default:
      return typeProblem(node, value);
  }
}

function firstOfFields(node: SchemaNode, object: Readonly<Record<string, unknown>>): string | undefined {
  for (const [name, field] of node.fields()) {
    const problem = restoreProblem(field.node, object[name]);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function firstOf(node: SchemaNode | undefined, values: readonly unknown[]): string | undefined {
  if (node === undefined) return undefined;
  for (const value of values) {
    const problem = restoreProblem(node, value);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Go converts numbers to strings and to each other, so the converter names what it will not; the rest it does not know at all. */
function scalarProblem(node: SchemaNode, value: unknown, kind: string): string {
  if (typeof value !== "number") return `unrecognized type: ${kind}`;
  if (kind === "string" && !Number.isInteger(value)) return `unrecognized type: ${kind}`;
  return `cannot convert ${kindOf(value)} to ${node.goType}`;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "slice";
  if (typeof value === "object") return "map";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  return typeof value === "boolean" ? "bool" : "string";
}
