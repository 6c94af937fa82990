import { z } from "zod";
import { convert } from "./conversion.ts";
import { once, readFacts } from "./facts.ts";
import type { KubernetesObject } from "./object.ts";
import { apiVersionOf, type ResourceDefinition, storageResource } from "./resources.ts";
import { age, type Printer } from "./tables/format.ts";
import { printers } from "./tables/printers.ts";

/** A `TableColumnDefinition` of `meta.k8s.io/v1`. Columns of a priority above 0 are shown by `-o wide` alone. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

/** How a resource is shown: its columns, and the cells of one object at a time in milliseconds. */
export interface ResourceTable {
  readonly columns: readonly TableColumn[];
  readonly cells: Printer;
  /** Of kinds without a printer of their own: a table without rows has `null` in their place (apiserver `DefaultTableConvertor`). */
  readonly plain?: true;
}

/** What of the object a row carries: `includeObject` of a request. */
export type IncludedObject = "None" | "Metadata" | "Object";

export interface TableRow {
  readonly cells: readonly unknown[];
  readonly conditions?: readonly object[];
  readonly object: object | null;
}

const columnFacts = z.record(
  z.string(),
  z.array(z.object({ name: z.string(), type: z.string(), format: z.string(), priority: z.number().int() })),
);
const descriptionFacts = z.record(z.string(), z.record(z.string(), z.string()));

const descriptions = once(() => descriptionFacts.parse(readFacts("column-descriptions")));

const columnsByResource = once(() => {
  const described = (key: string, name: string) => descriptions()[key]?.[name] ?? descriptions()["*"]?.[name] ?? "";
  const columns = columnFacts.parse(readFacts("columns"));
  return new Map(
    Object.entries(columns).map(([key, own]) => [key, own.map((column) => ({ ...column, description: described(key, column.name) }))]),
  );
});

/** Of resources without columns of their own. */
export const plainColumns = once((): readonly TableColumn[] => {
  const { Name = "", Age = "" } = descriptions()["*"] ?? {};
  return [
    { name: "Name", type: "string", format: "name", description: Name, priority: 0 },
    { name: "Age", type: "date", format: "", description: Age, priority: 0 },
  ];
});

const nameOnly: Printer = ({ metadata }) => [metadata.name, (metadata.creationTimestamp ?? "").replace(/\.\d+Z$/, "Z")];
const nameAndAge: Printer = (object, nowMs) => [object.metadata.name, age(object, nowMs)];

/**
 * The table of a resource. Built-in kinds print what `pkg/printers/internalversion/printers.go` of Kubernetes 1.33 prints, or, without a
 * printer there, their name and time of creation. Custom resources show their own columns. Cells are made of the object in any of its versions.
 */
export function tableFor(resource: ResourceDefinition): ResourceTable {
  if (resource.custom) return resource.custom.table();
  const columns = columnsByResource().get(`${resource.group}/${resource.version}/${resource.resource}`);
  if (!columns) return { columns: plainColumns(), cells: nameAndAge, plain: true };
  const print = printers.get(resource.collection);
  if (!print) return { columns, cells: nameOnly, plain: true };
  const stored = storageResource(resource);
  return { columns, cells: stored ? printStored(print, stored) : print };
}

/** Printers know one version of a kind, the stored one. */
function printStored(print: Printer, stored: ResourceDefinition): Printer {
  const apiVersion = apiVersionOf(stored);
  return (object, nowMs) => {
    const given = object.apiVersion ?? apiVersion;
    return print(given === apiVersion ? object : convert(object, given, stored), nowMs);
  };
}

/** One row; `version` is that of `meta.k8s.io`. `Metadata`, the default of the API, carries a `PartialObjectMetadata`. A pod that has ended says so in the row's conditions. */
export function tableRow(object: KubernetesObject, cells: readonly unknown[], include: IncludedObject, version = "v1"): TableRow {
  const conditions = completion(object);
  return { cells, ...(conditions && { conditions }), object: included(object, include, version) };
}

function included(object: KubernetesObject, include: IncludedObject, version: string): object | null {
  switch (include) {
    case "None":
      return null;
    case "Metadata":
      return { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
    case "Object":
      return object;
    default:
      return include satisfies never;
  }
}

function completion(object: KubernetesObject): object[] | undefined {
  if (object.kind !== "Pod" || !("status" in object)) return undefined;
  const phase = (object.status as { phase?: string } | undefined)?.phase;
  if (phase !== "Succeeded" && phase !== "Failed") return undefined;
  const message = phase === "Succeeded" ? "The pod has completed successfully." : "The pod failed.";
  return [{ type: "Completed", status: "True", reason: phase, message }];
}

/** The metadata of the list, or of the one object, that a table shows. */
export interface TableMetadata {
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** A `Table`. Without columns (`null`) it is a later event of a watch: the first one of a watch has them, the others have not. */
export function tableDocument(
  columns: readonly TableColumn[] | null,
  rows: readonly TableRow[] | null,
  metadata: TableMetadata,
  version = "v1",
): object {
  return { kind: "Table", apiVersion: `meta.k8s.io/${version}`, metadata, columnDefinitions: columns, rows };
}
