import type { ResourceTable, TableColumn } from "../table.ts";
import { since } from "../tables/format.ts";
import type { CustomResourceColumnDefinition } from "../types.ts";
import { type JsonPath, readJsonPath } from "./json-path.ts";

interface Column {
  readonly type: string;
  readonly find: JsonPath | undefined;
}

/** The table of a custom resource: its name, then its own columns, or its age (apiextensions `customresource/tableconvertor`). */
export function customTable(columns: readonly CustomResourceColumnDefinition[], plain: readonly TableColumn[]): ResourceTable {
  const [name, age] = plain;
  if (name === undefined || age === undefined) return { columns: plain, cells: ({ metadata }) => [metadata.name] };
  const own: Column[] = columns.map(({ type, jsonPath }) => ({ type, find: readJsonPath(jsonPath) }));
  const described = columns.map(({ name: title, type, format = "", description = "", jsonPath, priority = 0 }) => ({
    name: title,
    type,
    format,
    description: description === "" ? `Custom resource definition column (in JSONPath format): ${jsonPath}` : description,
    priority,
  }));
  if (columns.length === 0)
    return { columns: plain, cells: ({ metadata }, nowMs) => [metadata.name, since(metadata.creationTimestamp, nowMs)] };
  return {
    columns: [name, ...described],
    cells: (object, nowMs) => [object.metadata.name, ...own.map((column) => cellOf(column, object, nowMs))],
  };
}

function cellOf({ type, find }: Column, object: unknown, nowMs: number): unknown {
  const [value] = find?.(object) ?? [];
  if (value === undefined || value === null) return null;
  switch (type) {
    case "string":
      return typeof value === "string" ? value : JSON.stringify(value);
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      if (typeof value !== "string") return null;
      return Number.isNaN(Date.parse(value)) ? "<invalid>" : since(value, nowMs);
    default:
      return null;
  }
}
