import { forbidden, invalid, notSupported, required } from "../schema/field-error.ts";
import { goStringList } from "../schema/go-text.ts";
import type { StatusCause } from "../status-error.ts";
import type { JSONSchemaProps, ValidationRule } from "../types.ts";
import { readFieldPath } from "./field-path.ts";
import { schemaOf } from "./structural-problems.ts";

/** Where a schema stands in the one that is looked at. */
export interface Place {
  readonly path: string;
  readonly root: boolean;
  /** Below the metadata, kind or apiVersion of a whole object. */
  readonly insideMeta: boolean;
  /** Why no default may be set here. */
  readonly noDefault: string | undefined;
  /** The part of the schema whose values cannot be matched with their old ones. */
  readonly uncorrelated: string | undefined;
}

const types = ["array", "boolean", "integer", "number", "object", "string"];
const reasons = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const metaFields = new Set(["metadata", "kind", "apiVersion"]);
const hasNewline = (text: string): boolean => /[\n\r]/.test(text);

/**
 * What is wrong with one schema by itself (apiextensions `ValidateCustomResourceDefinitionOpenAPISchema`), in two parts: what is in it
 * (`innerSchemas`) is told of between them.
 */
export function firstProblems(schema: JSONSchemaProps, place: Place): StatusCause[] {
  const { path } = place;
  const causes: StatusCause[] = [];
  const { type = "", items, additionalProperties, properties = {} } = schema;
  if (type !== "" && !types.includes(type)) causes.push(notSupported(`${path}.type`, type, types));
  if (schema.default !== undefined && place.noDefault !== undefined)
    causes.push(forbidden(`${path}.default`, `must not be set ${place.noDefault}`.trim()));
  for (const field of ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] as const)
    if (isSet(schema[field])) causes.push(forbidden(`${path}.${field}`, `${field} is not supported`));
  if (type === "null") causes.push(forbidden(`${path}.type`, "type cannot be set to null, use nullable as an alternative"));
  if (Array.isArray(items)) causes.push(forbidden(`${path}.items`, "items must be a schema object and not an array"));
  if (place.insideMeta && schema["x-kubernetes-embedded-resource"] === true)
    causes.push(forbidden(`${path}.x-kubernetes-embedded-resource`, "must not be used inside of resource meta"));
  if (schema.uniqueItems === true)
    causes.push(forbidden(`${path}.uniqueItems`, "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"));
  if (additionalProperties !== undefined && additionalProperties !== true && Object.keys(properties).length > 0)
    causes.push(forbidden(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive"));
  return causes;
}

export function lastProblems(schema: JSONSchemaProps, { path }: Place): StatusCause[] {
  const preserved = schema["x-kubernetes-preserve-unknown-fields"];
  return [
    ...(preserved === false ? [invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined")] : []),
    ...mapTypeProblems(schema, path),
    ...listTypeProblems(schema, path),
    ...listKeyProblems(schema, path),
    ...ruleTextProblems(schema, path),
  ];
}

function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

function mapTypeProblems(schema: JSONSchemaProps, path: string): StatusCause[] {
  const mapType = schema["x-kubernetes-map-type"];
  if (mapType === undefined) return [];
  const causes: StatusCause[] = [];
  const { type = "" } = schema;
  const text = "must be object if x-kubernetes-map-type is specified";
  if (type !== "object") causes.push(type === "" ? required(`${path}.type`, text) : invalid(`${path}.type`, type, text));
  if (mapType !== "atomic" && mapType !== "granular")
    causes.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]));
  return causes;
}

function listTypeProblems(schema: JSONSchemaProps, path: string): StatusCause[] {
  const listType = schema["x-kubernetes-list-type"];
  if (listType === undefined) return [];
  const causes: StatusCause[] = [];
  const { type = "" } = schema;
  const items = schemaOf(schema.items);
  const text = "must be array if x-kubernetes-list-type is specified";
  const atomic = "must be atomic as item of a list with x-kubernetes-list-type=set";
  if (type !== "array") causes.push(type === "" ? required(`${path}.type`, text) : invalid(`${path}.type`, type, text));
  else if (listType === "set" && items?.type === "array" && (items["x-kubernetes-list-type"] ?? "atomic") !== "atomic")
    causes.push(invalid(`${path}.items.x-kubernetes-list-type`, items["x-kubernetes-list-type"], atomic));
  else if (listType === "set" && items?.type === "object" && items["x-kubernetes-map-type"] !== "atomic")
    causes.push(invalid(`${path}.items.x-kubernetes-map-type`, items["x-kubernetes-list-type"] ?? "null", atomic));
  if (!["atomic", "set", "map"].includes(listType))
    causes.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ["atomic", "set", "map"]));
  return causes;
}

function listKeyProblems(schema: JSONSchemaProps, path: string): StatusCause[] {
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const items = schemaOf(schema.items);
  const causes: StatusCause[] = [];
  const text = "must be map if x-kubernetes-list-map-keys is non-empty";
  if (keys.length > 0 && listType === undefined) causes.push(required(`${path}.x-kubernetes-list-type`, text));
  else if (keys.length > 0 && listType !== "map") causes.push(invalid(`${path}.x-kubernetes-list-type`, listType, text));
  if (listType === "map") {
    if (keys.length === 0)
      causes.push(required(`${path}.x-kubernetes-list-map-keys`, "must not be empty if x-kubernetes-list-type is map"));
    if (schema.items === undefined) causes.push(required(`${path}.items`, "must have a schema if x-kubernetes-list-type is map"));
    if (items && items.type !== "object")
      causes.push(invalid(`${path}.items.type`, items.type ?? "", "must be object if parent array's x-kubernetes-list-type is map"));
    if (items?.type === "object") causes.push(...keyProblems(keys, items, path));
  }
  if (items === undefined || (listType !== "set" && listType !== "map")) return causes;
  if (items.nullable === true)
    causes.push(forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`));
  for (const key of listType === "map" ? keys : []) {
    const property = items.properties?.[key];
    const at = `${path}.items.properties[${key}]`;
    if (property && !items.required?.includes(key) && property.default === undefined)
      causes.push(
        required(`${at}.default`, "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"),
      );
    if (property?.nullable === true)
      causes.push(forbidden(`${at}.nullable`, "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"));
  }
  return causes;
}

function keyProblems(keys: readonly string[], items: JSONSchemaProps, path: string): StatusCause[] {
  const at = `${path}.x-kubernetes-list-map-keys`;
  const listed = { go: goStringList(keys) };
  return keys.flatMap((key, index) => {
    const property = items.properties?.[key];
    const causes: StatusCause[] = [];
    if (property === undefined) causes.push(invalid(at, listed, "entries must all be names of item properties"));
    else if (property.type === "array" || property.type === "object")
      causes.push(
        invalid(
          `${path}.items.properties[${key}].type`,
          items.type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    if (keys.indexOf(key) < index) causes.push(invalid(at, listed, "must not contain duplicate entries"));
    return causes;
  });
}

function ruleTextProblems(schema: JSONSchemaProps, path: string): StatusCause[] {
  return (schema["x-kubernetes-validations"] ?? []).flatMap((rule, index) =>
    oneRuleProblems(schema, rule, `${path}.x-kubernetes-validations[${index}]`),
  );
}

function oneRuleProblems(schema: JSONSchemaProps, rule: ValidationRule, at: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { message = "", messageExpression = "", fieldPath = "", reason } = rule;
  const [text, shown] = [rule.rule.trim(), message.trim()];
  if (text === "") causes.push(required(`${at}.rule`, "rule is not specified"));
  else if (message !== "" && shown === "") causes.push(invalid(`${at}.message`, message, "message must be non-empty if specified"));
  else if (hasNewline(shown)) causes.push(invalid(`${at}.message`, message, "message must not contain line breaks"));
  else if (hasNewline(text) && shown === "")
    causes.push(required(`${at}.message`, "message must be specified if rule contains line breaks"));
  if (messageExpression !== "" && messageExpression.trim() === "")
    causes.push(required(`${at}.messageExpression`, "messageExpression must be non-empty if specified"));
  if (reason !== undefined && !reasons.includes(reason)) causes.push(notSupported(`${at}.reason`, reason, reasons));
  if (fieldPath === "") return causes;
  if (fieldPath.trim() === "") causes.push(invalid(`${at}.fieldPath`, fieldPath, "fieldPath must be non-empty if specified"));
  if (hasNewline(fieldPath)) causes.push(invalid(`${at}.fieldPath`, fieldPath, "fieldPath must not contain line breaks"));
  if ("problem" in readFieldPath(fieldPath, schema)) causes.push(invalid(`${at}.fieldPath`, fieldPath, "fieldPath must be a valid path"));
  return causes;
}

/** A schema within another; `field` is set for what rules can be compiled against. */
export interface InnerSchema {
  readonly schema: JSONSchemaProps;
  readonly place: Place;
  readonly step: { readonly kind: "property"; readonly name: string } | { readonly kind: "items" | "values" } | undefined;
}

export function innerSchemas(schema: JSONSchemaProps, place: Place): InnerSchema[] {
  const { path } = place;
  const inner: InnerSchema[] = [];
  const below: Place = { ...place, root: false };
  const values = schemaOf(schema.additionalProperties);
  if (values) {
    const at = place.insideMeta ? { noDefault: "inside additionalProperties applying to object metadata" } : {};
    inner.push({ schema: values, place: { ...below, ...at, path: `${path}.additionalProperties` }, step: { kind: "values" } });
  }
  const whole = place.root || schema["x-kubernetes-embedded-resource"] === true;
  const granular = (schema["x-kubernetes-map-type"] ?? "granular") === "granular" || schema["x-kubernetes-map-type"] === "atomic";
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const meta = whole && metaFields.has(name);
    const at: Place = {
      ...below,
      path: `${path}.properties[${name}]`,
      uncorrelated: granular ? place.uncorrelated : (place.uncorrelated ?? path),
      insideMeta: place.insideMeta || meta,
      noDefault: meta && place.root ? `in top-level ${name}` : place.noDefault,
    };
    inner.push({ schema: property, place: at, step: { kind: "property", name } });
  }
  const nested = (one: JSONSchemaProps, at: string): void => {
    inner.push({ schema: one, place: { ...below, path: `${path}.${at}` }, step: undefined });
  };
  if (schema.not) nested(schema.not, "not");
  for (const kind of ["allOf", "oneOf", "anyOf"] as const)
    for (const [index, one] of (schema[kind] ?? []).entries()) nested(one, `${kind}[${index}]`);
  const items = schemaOf(schema.items);
  if (items) {
    const matched = schema["x-kubernetes-list-type"] === "map";
    const at = { ...below, path: `${path}.items`, uncorrelated: matched ? place.uncorrelated : (place.uncorrelated ?? path) };
    inner.push({ schema: items, place: at, step: { kind: "items" } });
  }
  return inner;
}
