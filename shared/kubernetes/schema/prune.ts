import { formatQuantity, parseQuantity } from "../quantity.ts";
import { isJsonObject, type JsonObject, type SchemaNode } from "./schema-node.ts";
import { canonicalTime } from "./time-text.ts";

const typeMeta = new Set(["apiVersion", "kind", "metadata"]);

/**
 * Brings an object, in place, to the form it has after being decoded into its Go type and encoded again: unknown fields and nulls vanish,
 * so do zero values of fields that Go omits when empty, fields that Go always prints appear, and quantities, times and base64 text take
 * their canonical form. The types must fit (`typeProblem`).
 */
export function prune(root: SchemaNode, object: JsonObject): void {
  pruneObject(root, object);
}

function pruneObject(node: SchemaNode, object: JsonObject): void {
  const fields = node.fields();
  for (const key in object) {
    const field = fields.get(key);
    const value = object[key];
    if (field === undefined) {
      if (!(node.preservesUnknown || (node.embedded && typeMeta.has(key)))) delete object[key];
    } else if (value === null || value === undefined) {
      if (!field.node.nullable && field.zero !== "printed") delete object[key];
    } else {
      const kept = canonical(field.node, value);
      if (field.zero !== "kept" && isEmpty(kept)) {
        if (field.zero === "omitted") delete object[key];
        else if (field.node.element !== undefined) object[key] = null;
      } else if (kept !== value) object[key] = kept;
    }
  }
  for (const field of node.printed()) {
    if (object[field.name] === undefined || (object[field.name] === null && field.node.shape !== "list"))
      object[field.name] = zeroValue(field.node);
  }
}

function canonical(node: SchemaNode, value: unknown): unknown {
  switch (node.shape) {
    case "object":
      if (isJsonObject(value)) pruneObject(node, value);
      return value;
    case "map":
      if (isJsonObject(value) && node.element !== undefined) pruneElements(node.element, value);
      return value;
    case "list":
      if (Array.isArray(value) && node.element !== undefined) pruneItems(node.element, value);
      return value;
    case "quantity":
      return canonicalQuantity(value);
    case "time":
    case "microTime":
      return typeof value === "string" ? canonicalTime(value, node.shape === "microTime") : value;
    case "bytes":
      return typeof value === "string" && /[\r\n]/.test(value) ? value.replace(/[\r\n]/g, "") : value;
    default:
      return value;
  }
}

function pruneElements(element: SchemaNode, map: JsonObject): void {
  for (const key in map) {
    const value = map[key];
    const kept = value === null && !element.nullable ? zeroValue(element) : canonical(element, value);
    if (kept !== value) map[key] = kept;
  }
}

function pruneItems(element: SchemaNode, list: unknown[]): void {
  if (element.shape === "string") {
    for (let index = 0; index < list.length; index++) if (list[index] === null && !element.nullable) list[index] = "";
    return;
  }
  for (let index = 0; index < list.length; index++) {
    const value = list[index];
    list[index] = value === null && !element.nullable ? zeroValue(element) : canonical(element, value);
  }
}

/** Quantities are written thousands of times in the same few forms: plain integers are canonical already unless they end in zeros. */
function canonicalQuantity(value: unknown): unknown {
  if (typeof value === "string" && /^[1-9]\d{0,2}(?:m|Mi|Gi)?$/.test(value)) return value;
  return formatQuantity(parseQuantity(typeof value === "string" ? value.trim() : String(value)));
}

function isEmpty(value: unknown): boolean {
  if (value === "" || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value !== "object" || value === null) return false;
  for (const _ in value) return false;
  return true;
}

/** What Go prints for a field that is not set and not omitted. */
function zeroValue(node: SchemaNode): unknown {
  switch (node.shape) {
    case "object": {
      const object: JsonObject = {};
      for (const field of node.printed()) object[field.name] = zeroValue(field.node);
      return object;
    }
    case "string":
    case "bytes":
      return "";
    case "integer":
    case "number":
    case "intOrString":
      return 0;
    case "boolean":
      return false;
    case "quantity":
      return "0";
    case "map":
    case "list":
    case "time":
    case "microTime":
    case "any":
      return null;
    default:
      return node.shape satisfies never;
  }
}
