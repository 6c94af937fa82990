import { dns1035LabelProblems } from "../names.ts";
import { invalid, required } from "../schema/field-error.ts";
import { isJsonObject } from "../schema/schema-node.ts";
import { validateObjectMeta } from "../schema/validation/object-meta.ts";
import type { StatusCause } from "../status-error.ts";
import type { JSONSchemaProps, ObjectMeta } from "../types.ts";
import { goValue } from "./go-value.ts";

/** Whole objects within an object have apiVersion, kind and sound metadata (apiextensions `schema/objectmeta`). */
export function embeddedProblems(schema: JSONSchemaProps, value: unknown, path = ""): StatusCause[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined || Array.isArray(items)
      ? []
      : value.flatMap((item, index) => embeddedProblems(items, item, `${path}[${index}]`));
  }
  if (!isJsonObject(value)) return [];
  const { properties = {}, additionalProperties } = schema;
  const inner = Object.entries(value).flatMap(([key, part]) => {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (property !== undefined) return embeddedProblems(property, part, path === "" ? key : `${path}.${key}`);
    return typeof additionalProperties === "object" ? embeddedProblems(additionalProperties, part, `${path}[${key}]`) : [];
  });
  return schema["x-kubernetes-embedded-resource"] === true ? [...objectProblems(value, path), ...inner] : inner;
}

function objectProblems({ apiVersion, kind, metadata }: Record<string, unknown>, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const check = (field: string, value: unknown, more: (text: string) => string | undefined): void => {
    const where = `${path}.${field}`;
    if (value === undefined) causes.push(required(where, "must not be empty"));
    else if (typeof value !== "string") causes.push(invalid(where, goValue(value), "must be a string"));
    else if (value === "") causes.push(invalid(where, value, "must not be empty"));
    else {
      const problem = more(value);
      if (problem !== undefined) causes.push(invalid(where, value, problem));
    }
  };
  check("apiVersion", apiVersion, (text) => (text.split("/").length > 2 ? `unexpected GroupVersion string: ${text}` : undefined));
  check("kind", kind, (text) => {
    const problems = dns1035LabelProblems(text.toLowerCase());
    return problems.length === 0 ? undefined : `may have mixed case, but should otherwise match: ${problems.join(",")}`;
  });
  if (isJsonObject(metadata)) {
    const meta: ObjectMeta = { ...(metadata as ObjectMeta) };
    meta.name ||= "fakename";
    causes.push(...validateObjectMeta(meta, (meta.namespace ?? "") !== "", "pathSegment", `${path}.metadata`));
  }
  return causes;
}
