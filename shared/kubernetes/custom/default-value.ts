import { cloneJson } from "../clone.ts";
import { isJsonObject } from "../schema/schema-node.ts";
import type { JSONSchemaProps } from "../types.ts";
import { fieldSchema } from "./prune-value.ts";

/** Sets the schema's defaults from the outside in, so that a default gets the defaults of its own fields; in place, idempotent. */
export function setDefaults(schema: JSONSchemaProps | undefined, value: unknown): void {
  if (schema === undefined || !hasDefaults(schema)) return;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined || Array.isArray(items)) return;
    value.forEach((item, index) => {
      if (isReplaced(item, items)) value[index] = cloneJson(items.default);
      setDefaults(items, value[index]);
    });
    return;
  }
  if (!isJsonObject(value)) return;
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (property.default === undefined) continue;
    if (!Object.hasOwn(value, key) || isReplaced(value[key], property)) value[key] = cloneJson(property.default);
  }
  for (const key of Object.keys(value)) {
    const field = fieldSchema(schema, key);
    if (field === undefined) continue;
    if (isReplaced(value[key], field) && field.default !== undefined) value[key] = cloneJson(field.default);
    setDefaults(field, value[key]);
  }
}

const isReplaced = (value: unknown, schema: JSONSchemaProps): boolean =>
  value === null && schema.nullable !== true && schema.default !== undefined;

const known = new WeakMap<JSONSchemaProps, boolean>();

/** Whether anything in the schema has a default: most have not, and are passed over. */
export function hasDefaults(schema: JSONSchemaProps): boolean {
  const before = known.get(schema);
  if (before !== undefined) return before;
  const { items, properties = {}, additionalProperties } = schema;
  const inner = [
    ...Object.values(properties),
    ...(items !== undefined && !Array.isArray(items) ? [items] : []),
    ...(typeof additionalProperties === "object" ? [additionalProperties] : []),
  ];
  const found = inner.some((one) => one.default !== undefined || hasDefaults(one));
  known.set(schema, found);
  return found;
}
