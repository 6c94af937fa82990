import { parseQuantity } from "../quantity.ts";
import { jsonTypeOf } from "./go-text.ts";
import { isJsonObject, type SchemaNode } from "./schema-node.ts";
import { timeProblem } from "./time-text.ts";

/**
 * The first problem that Go's decoder would report for a value that does not fit its type, in its words; undefined when everything fits.
 * As in Go, a value refused by its own decoder (a quantity, a time) is reported before any mismatch of JSON types found earlier.
 * Unknown fields are passed over. (sigs.k8s.io/json, encoding/json `UnmarshalTypeError`.)
 */
export function typeProblem(root: SchemaNode, value: unknown): string | undefined {
  const walk: Walk = { path: [], struct: "", mismatch: undefined, refused: undefined };
  visit(walk, root, value);
  return walk.refused ?? walk.mismatch;
}

interface Walk {
  /** JSON names of the struct fields on the way here; list indexes and map keys are not part of it. */
  readonly path: string[];
  /** The innermost struct. */
  struct: string;
  mismatch: string | undefined;
  refused: string | undefined;
}

function visit(walk: Walk, node: SchemaNode, value: unknown): void {
  if (value === null || value === undefined || walk.refused !== undefined) return;
  switch (node.shape) {
    case "any":
      return;
    case "object":
      if (isJsonObject(value)) visitFields(walk, node, value);
      else mismatch(walk, value, node.goType);
      return;
    case "map":
      if (!isJsonObject(value)) mismatch(walk, value, node.goType);
      else if (node.element !== undefined) for (const key in value) visit(walk, node.element, value[key]);
      return;
    case "list":
      if (!Array.isArray(value)) mismatch(walk, value, node.goType);
      else if (node.element !== undefined) for (const item of value) visit(walk, node.element, item);
      return;
    case "string":
      if (typeof value !== "string") mismatch(walk, value, node.goType);
      return;
    case "boolean":
      if (typeof value !== "boolean") mismatch(walk, value, node.goType);
      return;
    case "number":
      if (typeof value !== "number") mismatch(walk, value, node.goType);
      return;
    case "integer":
      checkInteger(walk, node, value);
      return;
    case "bytes":
      if (typeof value !== "string") mismatch(walk, value, node.goType);
      else walk.mismatch ??= base64Problem(value);
      return;
    case "intOrString":
      if (typeof value === "string") return;
      if (typeof value !== "number") walk.refused = mismatchText(walk, jsonTypeOf(value), "int32");
      else if (!isInt32(value)) walk.refused = mismatchText(walk, `number ${value}`, "int32");
      return;
    case "quantity":
      walk.refused = quantityProblem(value);
      return;
    case "time":
    case "microTime":
      if (typeof value !== "string") walk.refused = mismatchText(walk, jsonTypeOf(value), "string");
      else walk.refused = timeProblem(value, node.shape === "microTime");
      return;
    default:
      node.shape satisfies never;
  }
}

function visitFields(walk: Walk, node: SchemaNode, value: Record<string, unknown>): void {
  const fields = node.fields();
  const outer = walk.struct;
  walk.struct = node.goType;
  for (const key in value) {
    const field = fields.get(key);
    if (field === undefined) continue;
    walk.path.push(key);
    visit(walk, field.node, value[key]);
    walk.path.pop();
  }
  walk.struct = outer;
}

function checkInteger(walk: Walk, node: SchemaNode, value: unknown): void {
  if (typeof value !== "number") mismatch(walk, value, node.goType);
  else if (!Number.isInteger(value) || value < node.minimum || value > node.maximum) {
    walk.mismatch ??= mismatchText(walk, `number ${value}`, node.goType);
  }
}

function mismatch(walk: Walk, value: unknown, goType: string): void {
  walk.mismatch ??= mismatchText(walk, jsonTypeOf(value), goType);
}

function mismatchText(walk: Walk, found: string, goType: string): string {
  if (walk.path.length === 0) return `json: cannot unmarshal ${found} into Go value of type ${goType}`;
  const struct = walk.struct.slice(walk.struct.indexOf(".") + 1);
  return `json: cannot unmarshal ${found} into Go struct field ${struct}.${walk.path.join(".")} of type ${goType}`;
}

function isInt32(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
}

function quantityProblem(value: unknown): string | undefined {
  try {
    parseQuantity(typeof value === "number" ? String(value) : typeof value === "string" ? value.trim() : JSON.stringify(value));
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** Go's `base64.StdEncoding`: line breaks are passed over, padding is required. */
function base64Problem(text: string): string | undefined {
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return undefined;
  const clean = text.replace(/[\r\n]/g, "");
  if (clean !== text && base64Problem(clean) === undefined) return undefined;
  const bad = text.search(/[^A-Za-z0-9+/\r\n]/);
  return `illegal base64 data at input byte ${bad === -1 ? Math.floor(clean.length / 4) * 4 : bad}`;
}
