import { duplicate, invalid } from "../schema/field-error.ts";
import { isJsonObject } from "../schema/schema-node.ts";
import type { StatusCause } from "../status-error.ts";
import type { JSONSchemaProps } from "../types.ts";
import { goValue } from "./go-value.ts";

/** Sets hold nothing twice, keyed lists no keys twice (apiextensions `schema/listtype`). The first repetition of each is named. */
export function listTypeProblems(schema: JSONSchemaProps, value: unknown, path = ""): StatusCause[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    const own =
      schema["x-kubernetes-list-type"] === "set"
        ? setProblems(value, path)
        : schema["x-kubernetes-list-type"] === "map"
          ? keyProblems(schema, value, path)
          : [];
    if (items === undefined || Array.isArray(items)) return own;
    return [...own, ...value.flatMap((item, index) => listTypeProblems(items, item, `${path}[${index}]`))];
  }
  if (!isJsonObject(value)) return [];
  const { properties = {}, additionalProperties } = schema;
  return Object.entries(value).flatMap(([key, inner]) => {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (property !== undefined) return listTypeProblems(property, inner, path === "" ? key : `${path}.${key}`);
    return typeof additionalProperties === "object" ? listTypeProblems(additionalProperties, inner, `${path}[${key}]`) : [];
  });
}

function setProblems(list: readonly unknown[], path: string): StatusCause[] {
  return repeated(list.map(textOf)).map((index) => duplicate(`${path}[${index}]`, goValue(list[index])));
}

function keyProblems(schema: JSONSchemaProps, list: readonly unknown[], path: string): StatusCause[] {
  const odd = list.findIndex((item) => item !== null && !isJsonObject(item));
  if (odd >= 0) return [invalid(`${path}[${odd}]`, goValue(list[odd]), "must be an object for an array of list-type map")];
  const names = schema["x-kubernetes-list-map-keys"] ?? [];
  const keys = list.map((item) =>
    Object.fromEntries(names.flatMap((name) => (isJsonObject(item) && Object.hasOwn(item, name) ? [[name, item[name]]] : []))),
  );
  return repeated(keys.map(textOf)).map((index) => duplicate(`${path}[${index}]`, goValue(keys[index])));
}

/** The places where something is met for the second time. */
function repeated(texts: readonly string[]): number[] {
  const times = new Map<string, number>();
  return texts.flatMap((text, index) => {
    const before = times.get(text) ?? 0;
    times.set(text, before + 1);
    return before === 1 ? [index] : [];
  });
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value) ?? "";
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${textOf(inner)}`).join(",")}}`;
}
