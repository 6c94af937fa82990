import type { JSONSchemaProps } from "../types.ts";
import { escapeName } from "./escape-name.ts";
import {
  boolType,
  bytesType,
  type CelField,
  type CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  timestampType,
} from "./type.ts";

const maxRequestBytes = 3 * 1024 * 1024;
const text: JSONSchemaProps = { type: "string" };
const metadata: JSONSchemaProps = { type: "object", properties: { name: text, generateName: text } };

/**
 * The type of a structural schema's values (apiserver `cel/common/schemas.go`); undefined for what expressions cannot see, as values of no
 * known type. `root`: a whole object, whose apiVersion, kind and names are always there. `name` becomes the type's.
 */
export function typeOfSchema(schema: JSONSchemaProps, root: boolean, name: string): CelType | undefined {
  if (schema["x-kubernetes-int-or-string"] === true) return { ...dynType, maxElements: maxRequestBytes - 2, minSizeBytes: 1 };
  const whole = root ? withObjectMeta(schema) : schema;
  switch (whole.type) {
    case "array":
      return listType(whole, name);
    case "object":
      return typeof whole.additionalProperties === "object" ? mapType(whole, whole.additionalProperties, name) : objectTypeOf(whole, name);
    case "string":
      return textType(whole);
    case "boolean":
      return { ...boolType, minSizeBytes: 4 };
    case "number":
      return { ...doubleType, minSizeBytes: 1 };
    case "integer":
      return { ...intType, minSizeBytes: 1 };
    default:
      return undefined;
  }
}

export function withObjectMeta(schema: JSONSchemaProps): JSONSchemaProps {
  return { ...schema, type: "object", properties: { ...schema.properties, apiVersion: text, kind: text, metadata } };
}

const isEmbedded = (schema: JSONSchemaProps): boolean => schema["x-kubernetes-embedded-resource"] === true;

function listType(schema: JSONSchemaProps, name: string): CelType | undefined {
  const { items } = schema;
  if (items === undefined || Array.isArray(items)) return undefined;
  const element = typeOfSchema(items, isEmbedded(items), `${name}.@idx`);
  if (element === undefined) return undefined;
  const kind = schema["x-kubernetes-list-type"];
  return {
    ...listOf(element),
    maxElements: Math.max(0, schema.maxItems ?? Math.floor((maxRequestBytes - 2) / ((element.minSizeBytes ?? 0) + 1))),
    minSizeBytes: 2,
    ...((kind === "set" || kind === "map") && { listType: kind }),
    listMapKeys: (schema["x-kubernetes-list-map-keys"] ?? []).map((key) => escapeName(key) ?? key),
  };
}

function mapType(schema: JSONSchemaProps, values: JSONSchemaProps, name: string): CelType | undefined {
  const value = typeOfSchema(values, isEmbedded(values), `${name}.@prop`);
  if (value === undefined) return undefined;
  const most = schema.maxProperties ?? Math.floor((maxRequestBytes - 2) / ((value.minSizeBytes ?? 0) + 6));
  return { ...mapOf(stringType, value), maxElements: Math.max(0, most), minSizeBytes: 2 };
}

function objectTypeOf(schema: JSONSchemaProps, name: string): CelType {
  const fields = new Map<string, CelField>();
  const required = new Set(schema.required);
  let minSizeBytes = 2;
  for (const [property, value] of Object.entries(schema.properties ?? {})) {
    const type = typeOfSchema(value, isEmbedded(value), `${name}.${property}`);
    if (type === undefined) continue;
    const escaped = escapeName(property);
    if (escaped !== undefined) fields.set(escaped, { property, type });
    if (required.has(property) && value.default === undefined) minSizeBytes += Buffer.byteLength(property) + (type.minSizeBytes ?? 0) + 4;
  }
  return { kind: "object", name, parameters: [], fields, minSizeBytes };
}

function textType({ format, maxLength, enum: values }: JSONSchemaProps): CelType {
  const bounded = (type: CelType, most: number, least: number): CelType => ({ ...type, maxElements: most, minSizeBytes: least });
  const longest = maxRequestBytes - 2;
  switch (format) {
    case "byte":
      return bounded(bytesType, Math.max(0, maxLength ?? longest), 2);
    case "duration":
      return bounded(durationType, 32, 3);
    case "date":
      return bounded(timestampType, 12, 12);
    case "date-time":
      return bounded(timestampType, 32, 21);
    default: {
      if (maxLength !== undefined) return bounded(stringType, Math.max(0, maxLength) * 4, 2);
      const texts = (values ?? []).filter((value) => typeof value === "string").map((value) => Buffer.byteLength(value));
      return bounded(stringType, (values?.length ?? 0) > 0 ? Math.max(0, ...texts) : longest, 2);
    }
  }
}
