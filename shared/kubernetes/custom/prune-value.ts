import { isJsonObject } from "../schema/schema-node.ts";
import type { JSONSchemaProps } from "../types.ts";

const typeMeta = new Set(["apiVersion", "kind", "metadata"]);

/** Called with a field that the schema does not know. */
type OnUnknown = (path: string, holder: Record<string, unknown>, key: string) => void;

/**
 * Walks over what the schema does not know (apiextensions `schema/pruning`): nothing below `x-kubernetes-preserve-unknown-fields` but
 * what specifies properties again; apiVersion, kind and metadata of whole objects are passed over.
 */
export function visitUnknown(
  schema: JSONSchemaProps | undefined,
  value: unknown,
  onUnknown: OnUnknown,
  path = "",
  whole = path === "",
): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (const [index, item] of value.entries())
      visitUnknown(items ?? (preserves(schema) ? anything : undefined), item, onUnknown, `${path}[${index}]`, isEmbedded(items));
    return;
  }
  if (!isJsonObject(value)) return;
  const { properties = {}, additionalProperties } = schema ?? {};
  for (const key of Object.keys(value)) {
    if (whole && typeMeta.has(key)) continue;
    const inner = path === "" ? key : `${path}.${key}`;
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (property !== undefined) visitUnknown(property, value[key], onUnknown, inner, isEmbedded(property));
    else if (typeof additionalProperties === "object")
      visitUnknown(additionalProperties, value[key], onUnknown, inner, isEmbedded(additionalProperties));
    else if (additionalProperties !== undefined) visitUnknown(undefined, value[key], onUnknown, inner, false);
    else if (!preserves(schema)) onUnknown(inner, value, key);
  }
}

const anything: JSONSchemaProps = { "x-kubernetes-preserve-unknown-fields": true };
const preserves = (schema: JSONSchemaProps | undefined): boolean => schema?.["x-kubernetes-preserve-unknown-fields"] === true;
const isEmbedded = (schema: JSONSchemaProps | undefined): boolean => schema?.["x-kubernetes-embedded-resource"] === true;

function itemsOf(schema: JSONSchemaProps | undefined): JSONSchemaProps | undefined {
  const items = schema?.items;
  return items === undefined || Array.isArray(items) ? undefined : items;
}

/** Drops unknown fields, in place. */
export function pruneUnknown(schema: JSONSchemaProps, object: Record<string, unknown>): void {
  visitUnknown(schema, object, (_path, holder, key) => {
    delete holder[key];
  });
}

/** Drops nulls that are neither allowed nor replaced by a default, in place (apiextensions `schema/defaulting/prunenulls.go`). */
export function pruneNulls(schema: JSONSchemaProps | undefined, value: unknown): void {
  if (Array.isArray(value)) {
    for (const item of value) pruneNulls(itemsOf(schema), item);
    return;
  }
  if (!isJsonObject(value)) return;
  for (const key of Object.keys(value)) {
    const field = fieldSchema(schema, key);
    if (value[key] === null && field !== undefined && field.nullable !== true && field.default === undefined) delete value[key];
    else pruneNulls(field, value[key]);
  }
}

export function fieldSchema(schema: JSONSchemaProps | undefined, key: string): JSONSchemaProps | undefined {
  const { properties = {}, additionalProperties } = schema ?? {};
  if (Object.hasOwn(properties, key)) return properties[key];
  return typeof additionalProperties === "object" ? additionalProperties : undefined;
}
