import { goQuote } from "./go-text.ts";
import { isJsonObject, type JsonObject, type SchemaNode } from "./schema-node.ts";

/** Go's strict decoder stops collecting here. */
const maximumProblems = 100;
const typeMeta = new Set(["apiVersion", "kind", "metadata"]);

/** Fields that the schema does not know, in document order, each once: `unknown field "spec.containers[0].imagee"`. */
export function unknownFields(root: SchemaNode, object: JsonObject): string[] {
  const found = new Set<string>();
  visit(found, root, object, "");
  return [...found];
}

function visit(found: Set<string>, node: SchemaNode, value: unknown, path: string): void {
  if (node.shape === "object") {
    if (isJsonObject(value)) visitFields(found, node, value, path);
  } else if (node.element === undefined || node.element.shape === "string") {
    return;
  } else if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) visit(found, node.element, value[index], `${path}[${index}]`);
  } else if (isJsonObject(value)) {
    for (const key in value) visit(found, node.element, value[key], join(path, key));
  }
}

function visitFields(found: Set<string>, node: SchemaNode, value: JsonObject, path: string): void {
  const fields = node.fields();
  for (const key in value) {
    const field = fields.get(key);
    if (field !== undefined) {
      const { shape } = field.node;
      if (shape === "object" || shape === "list" || shape === "map") visit(found, field.node, value[key], join(path, key));
    } else if (!node.preservesUnknown && !(node.embedded && typeMeta.has(key)) && found.size < maximumProblems) {
      found.add(`unknown field ${goQuote(join(path, key))}`);
    }
  }
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
