import type { ManagedFieldsEntry } from "../types.ts";
import { type FieldSet, isEmptySet, leaf, parseFieldSet, unionSets } from "./field-set.ts";

/** Who owns what: one entry of `metadata.managedFields`, decoded. */
export interface FieldManager {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string;
  /** Absent on an entry that came about without a change of the object. */
  readonly timeIso: string | undefined;
  readonly fields: FieldSet;
}

/** The managers of an object by their identity: a manager, its operation, subresource and, of updates, version. */
export type Managers = Map<string, FieldManager>;

const maximumUpdateManagers = 10;

export function managerId(of: Pick<FieldManager, "manager" | "operation" | "apiVersion" | "subresource">): string {
  return JSON.stringify([of.manager, of.operation, of.operation === "Apply" ? "" : of.apiVersion, of.subresource]);
}

/**
 * Reads the entries of an object. `trusted`: this server wrote them, so their FieldsV1 is taken as it is.
 * Undefined when one is malformed.
 */
export function decodeManagers(entries: readonly ManagedFieldsEntry[], trusted: boolean): Managers | undefined {
  const managers: Managers = new Map();
  for (const { manager = "", operation, apiVersion = "", subresource = "", time, fieldsType, fieldsV1 } of entries) {
    if ((operation !== "Apply" && operation !== "Update") || apiVersion === "" || fieldsType !== "FieldsV1") return undefined;
    const fields = trusted ? ((fieldsV1 ?? leaf) as FieldSet) : parseFieldSet(fieldsV1 ?? leaf);
    if (fields === undefined) return undefined;
    const decoded: FieldManager = { manager, operation, apiVersion, subresource, timeIso: time, fields };
    managers.set(managerId(decoded), decoded);
  }
  return managers;
}

/** The entries in kube-apiserver's order: operation, time, manager, version, subresource. Empty ones are left out. */
export function encodeManagers(managers: Managers): ManagedFieldsEntry[] {
  return [...managers.values()]
    .filter(({ fields }) => !isEmptySet(fields))
    .sort(compareManagers)
    .map(({ manager, operation, apiVersion, subresource, timeIso, fields }) => ({
      ...(manager !== "" && { manager }),
      operation,
      apiVersion,
      ...(timeIso !== undefined && { time: timeIso }),
      fieldsType: "FieldsV1",
      fieldsV1: fields,
      ...(subresource !== "" && { subresource }),
    }));
}

/** Merges the oldest updates into one entry a version, named "ancient-changes", until at most ten updates are left. Changes `managers`. */
export function capUpdateManagers(managers: Managers): void {
  const updates = [...managers].filter(([, { operation }]) => operation === "Update");
  let count = updates.length;
  if (count <= maximumUpdateManagers) return;
  updates.sort(([idA, a], [idB, b]) => compareText(a.timeIso ?? "", b.timeIso ?? "") || compareText(idA, idB));
  const firstOfVersion = new Map<string, string>();
  for (const [id, update] of updates) {
    if (count <= maximumUpdateManagers) return;
    const first = firstOfVersion.get(update.apiVersion);
    if (first === undefined) {
      firstOfVersion.set(update.apiVersion, id);
      continue;
    }
    const bucket = { manager: "ancient-changes", operation: "Update", apiVersion: update.apiVersion, subresource: "" } as const;
    const bucketId = managerId(bucket);
    const held = managers.get(bucketId) ?? managers.get(first);
    managers.delete(first);
    managers.delete(id);
    managers.set(bucketId, { ...bucket, timeIso: update.timeIso, fields: unionSets(update.fields, held?.fields ?? leaf) });
    count--;
  }
}

function compareManagers(a: FieldManager, b: FieldManager): number {
  return (
    compareText(a.operation, b.operation) ||
    compareText(a.timeIso ?? "", b.timeIso ?? "") ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
