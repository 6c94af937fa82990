import { compilePattern } from "../cel/library/regexes.ts";
import { Failure } from "../cel/value.ts";
import { deepEqual } from "../deep-equal.ts";
import { forbidden, invalid, required } from "../schema/field-error.ts";
import type { StatusCause } from "../status-error.ts";
import type { JSONSchemaProps } from "../types.ts";

type Level = "root" | "item" | "field";

const emptyType: Readonly<Record<Level, string>> = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
};
const intOrString: readonly JSONSchemaProps[] = [{ type: "integer" }, { type: "string" }];

/** What makes a schema structural, in the order of the texts (KEP-1693, apiextensions `schema/validation.go`, `complete.go`). */
export function structuralProblems(schema: JSONSchemaProps, path: string): StatusCause[] {
  const causes = [...invariants(schema, "root", path), ...completeness(schema, schema, path, path)];
  const text = ({ field, message }: StatusCause): string => `${field}: ${message}`;
  return causes.sort((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0));
}

export function schemaOf(value: JSONSchemaProps | JSONSchemaProps[] | boolean | undefined): JSONSchemaProps | undefined {
  return typeof value === "object" && !Array.isArray(value) ? value : undefined;
}

function invariants(schema: JSONSchemaProps, level: Level, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { type = "", properties = {}, additionalProperties } = schema;
  const items = schemaOf(schema.items);
  const values = schemaOf(additionalProperties);
  if (type === "array" && items === undefined) causes.push(required(`${path}.items`, "must be specified"));
  if (items) causes.push(...invariants(items, "item", `${path}.items`));
  for (const [name, property] of Object.entries(properties)) causes.push(...invariants(property, "field", `${path}.properties[${name}]`));
  if (additionalProperties !== undefined && level === "root")
    causes.push(forbidden(`${path}.additionalProperties`, "must not be used at the root"));
  if (values) causes.push(...invariants(values, "field", `${path}.additionalProperties`));
  causes.push(...extensionProblems(schema, path), ...valueProblems(schema, level, path));
  causes.push(...typeProblems(schema, type, level, path));
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  if (embedded && additionalProperties !== undefined)
    causes.push(forbidden(`${path}.additionalProperties`, "must not be used if x-kubernetes-embedded-resource is set"));
  if (level === "root" && type !== "" && type !== "object") causes.push(invalid(`${path}.type`, type, "must be object at the root"));
  causes.push(...typeMetaProblems(properties, level, level === "root" || embedded, path));
  if (embedded && schema["x-kubernetes-preserve-unknown-fields"] !== true && Object.keys(properties).length === 0) {
    const text = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
    causes.push(required(`${path}.properties`, text));
  }
  return causes;
}

function typeProblems(schema: JSONSchemaProps, type: string, level: Level, path: string): StatusCause[] {
  if (schema["x-kubernetes-embedded-resource"] === true && type !== "object") {
    const text = "must be object if x-kubernetes-embedded-resource is true";
    return [type === "" ? required(`${path}.type`, text) : invalid(`${path}.type`, type, text)];
  }
  const anything = schema["x-kubernetes-int-or-string"] === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  return type === "" && !anything ? [required(`${path}.type`, emptyType[level])] : [];
}

function typeMetaProblems(
  { kind, apiVersion, metadata }: Readonly<Record<string, JSONSchemaProps>>,
  level: Level,
  whole: boolean,
  path: string,
): StatusCause[] {
  const causes: StatusCause[] = [];
  for (const [name, property] of [
    ["kind", kind],
    ["apiVersion", apiVersion],
  ] as const)
    if (whole && property && property.type !== "string")
      causes.push(invalid(`${path}.properties[${name}].type`, property.type ?? "", "must be string"));
  if (!metadata) return causes;
  const at = `${path}.properties[metadata]`;
  if (whole && metadata.type !== "object") causes.push(invalid(`${at}.type`, metadata.type ?? "", "must be object"));
  if (level !== "root") return causes;
  const { type: _type, default: _default, properties = {}, ...rest } = metadata;
  const named = Object.keys(properties).every((name) => name === "name" || name === "generateName");
  if (!named || Object.keys(rest).length > 0)
    causes.push(forbidden(at, "must not specify anything other than name and generateName, but metadata is implicitly specified"));
  return causes;
}

function extensionProblems(schema: JSONSchemaProps, path: string): StatusCause[] {
  if (schema["x-kubernetes-int-or-string"] !== true) return [];
  return (["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] as const)
    .filter((extension) => schema[extension] === true)
    .map((extension) => invalid(`${path}.${extension}`, true, "must be false if x-kubernetes-int-or-string is true"));
}

/** Alternatives say something of values and nothing of structure; the patterns of int-or-string are let through. */
function valueProblems(schema: JSONSchemaProps, level: Level, path: string, skipAnyOf = isIntOrString(schema.anyOf)): StatusCause[] {
  const { anyOf = [], allOf = [], oneOf = [], not, pattern = "" } = schema;
  const causes: StatusCause[] = [];
  if (!skipAnyOf) for (const [index, one] of anyOf.entries()) causes.push(...nestedProblems(one, level, `${path}.anyOf[${index}]`));
  for (const [index, one] of allOf.entries())
    causes.push(...nestedProblems(one, level, `${path}.allOf[${index}]`, index === 0 && isIntOrString(one.anyOf)));
  for (const [index, one] of oneOf.entries()) causes.push(...nestedProblems(one, level, `${path}.oneOf[${index}]`));
  if (not) causes.push(...nestedProblems(not, level, `${path}.not`));
  const compiled = pattern === "" ? undefined : compilePattern(pattern);
  if (compiled instanceof Failure)
    causes.push(invalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${compiled.message}`));
  return causes;
}

const isIntOrString = (alternatives: readonly JSONSchemaProps[] | undefined): boolean => deepEqual(alternatives, intOrString);

function nestedProblems(schema: JSONSchemaProps, level: Level, path: string, skipAnyOf = false): StatusCause[] {
  const causes = valueProblems(schema, level, path, skipAnyOf);
  const items = schemaOf(schema.items);
  if (items) causes.push(...nestedProblems(items, level, `${path}.items`));
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    causes.push(...nestedProblems(property, "field", `${path}.properties[${name}]`));
  const not = (held: boolean, field: string, text: string): void => {
    if (held) causes.push(forbidden(`${path}.${field}`, `must be ${text} to be structural`));
  };
  not((schema.type ?? "") !== "", "type", "empty");
  not(schema.additionalProperties !== undefined, "additionalProperties", "undefined");
  not(schema.default !== undefined, "default", "undefined");
  not((schema.title ?? "") !== "", "title", "empty");
  not((schema.description ?? "") !== "", "description", "empty");
  not(schema.nullable === true, "nullable", "false");
  for (const extension of ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"] as const)
    not(schema[extension] === true, extension, "false");
  not((schema["x-kubernetes-list-map-keys"] ?? []).length > 0, "x-kubernetes-list-map-keys", "empty");
  not(schema["x-kubernetes-list-type"] !== undefined, "x-kubernetes-list-type", "undefined");
  not(schema["x-kubernetes-map-type"] !== undefined, "x-kubernetes-map-type", "undefined");
  not((schema["x-kubernetes-validations"] ?? []).length > 0, "x-kubernetes-validations", "empty");
  if (schema.properties?.metadata) causes.push(forbidden(`${path}.properties[metadata]`, "must not be specified in a nested context"));
  return causes;
}

/** Whatever an alternative speaks of must be there in the structure. */
function completeness(values: JSONSchemaProps, structure: JSONSchemaProps | undefined, path: string, from: string): StatusCause[] {
  if (structure === undefined) return [required(path, `because it is defined in ${from}`)];
  const { not, allOf = [], anyOf = [], oneOf = [] } = values;
  const nested = (one: JSONSchemaProps, at: string): StatusCause[] => nestedCompleteness(one, structure, path, at);
  return [
    ...(not ? nested(not, `${from}.not`) : []),
    ...allOf.flatMap((one, index) => nested(one, `${from}.allOf[${index}]`)),
    ...anyOf.flatMap((one, index) => nested(one, `${from}.anyOf[${index}]`)),
    ...oneOf.flatMap((one, index) => nested(one, `${from}.oneOf[${index}]`)),
  ];
}

function nestedCompleteness(values: JSONSchemaProps, structure: JSONSchemaProps | undefined, path: string, from: string): StatusCause[] {
  if (structure === undefined) return [required(path, `because it is defined in ${from}`)];
  const items = schemaOf(values.items);
  return [
    ...completeness(values, structure, path, from),
    ...(items ? nestedCompleteness(items, schemaOf(structure.items), `${path}.items`, `${from}.items`) : []),
    ...Object.entries(values.properties ?? {}).flatMap(([name, property]) =>
      nestedCompleteness(property, structure.properties?.[name], `${path}.properties[${name}]`, `${from}.properties[${name}]`),
    ),
  ];
}
