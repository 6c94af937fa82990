import { deepEqual } from "../deep-equal.ts";
import type { JsonObject } from "../schema/schema-node.ts";
import type { ManagedFieldsEntry } from "../types.ts";
import { type Comparison, compareObjects, objectOr } from "./compare-objects.ts";
import { differenceOfSets, emptySet, type FieldSet, isEmptySet, recursiveDifferenceOfSets, setOfPath, unionSets } from "./field-set.ts";
import { capUpdateManagers, decodeManagers, encodeManagers, type FieldManager, type Managers, managerId } from "./managers.ts";
import type { FieldSchema } from "./schema-of.ts";

/** Converts the object before or after the write to another version of its group; undefined when that version is not served any more. */
export type ConvertForManager = (
  object: JsonObject,
  apiVersion: string,
  which: "live" | "next",
) => { readonly object: JsonObject; readonly schema: FieldSchema | undefined } | undefined;

export interface TrackedWrite {
  /** The schema of the kind at `apiVersion`; undefined where nothing is declared. */
  readonly schema: FieldSchema | undefined;
  /**
   * The object before, at `apiVersion`. Of a create: what the kind prints with nothing set (`KindSchema.prune` of an empty object), for
   * what is always there is nobody's; `{}` of a custom resource.
   */
  readonly live: JsonObject;
  /** The object that shall be stored, defaulted, before admission and before the server fills in its own fields. */
  readonly next: JsonObject;
  readonly manager: string;
  readonly apiVersion: string;
  /** Empty for the resource itself. */
  readonly subresource: string;
  /** To the second: `2006-01-02T15:04:05Z`. */
  readonly timeIso: string;
  /** `metadata.managedFields` of the live object. */
  readonly managers: readonly ManagedFieldsEntry[] | undefined;
  /** Paths of field names that a write through this resource or subresource cannot change, e.g. `[["status"]]`: they are not recorded. */
  readonly ignored?: readonly (readonly string[])[];
  /** Absent: every version has the same fields. */
  readonly convert?: ConvertForManager;
}

/**
 * `metadata.managedFields` after a create, update or patch (apimachinery `managedfields`, structured-merge-diff `Updater.Update`): the
 * writer owns what it added or changed, everybody else loses that and what is gone. What the request itself says in
 * `next.metadata.managedFields` takes the place of `managers`; an empty list there, or one with an empty entry, resets them, and an object
 * without managers is not tracked until it is applied. Never throws; malformed entries of a request are disregarded.
 */
export function trackUpdate(write: TrackedWrite): ManagedFieldsEntry[] {
  const managers = managersOf(write);
  if (managers.size === 0 && isExisting(write.live)) return [];
  return encodeManagers(recordUpdate(managers, write));
}

/** The managers after the update. `managers` is not changed. */
export function recordUpdate(managers: Managers, write: Omit<TrackedWrite, "managers">): Managers {
  const { schema, live, next, manager, apiVersion, subresource, timeIso } = write;
  const ignored = ignoredSet(write.ignored);
  const comparison = compareObjects(schema, live, next);
  const identity = { manager, operation: "Update", apiVersion, subresource } as const;
  const id = managerId(identity);
  // What the writer changed would come back to it at once.
  const updated = takeAway(managers, comparison, write, ignored, { id, lost: recursiveDifferenceOfSets(comparison.removed, ignored) });
  const own = recursiveDifferenceOfSets(comparison.changed, ignored);
  if (!isEmptySet(own)) updated.set(id, { ...identity, timeIso, fields: unionSets(updated.get(id)?.fields ?? emptySet, own) });
  capUpdateManagers(updated);
  return updated;
}

/** The managers without what a change took from them; those left with nothing are gone. The writer loses what is said of it alone. */
export function takeAway(
  managers: Managers,
  comparison: Comparison,
  write: Pick<TrackedWrite, "live" | "next" | "apiVersion" | "convert">,
  ignored: FieldSet,
  writer: { readonly id: string; readonly lost: FieldSet },
): Managers {
  const changes = new Map<string, FieldSet | undefined>([[write.apiVersion, lostFields(comparison, ignored)]]);
  const left: Managers = new Map();
  for (const [id, entry] of managers) {
    const lost = id === writer.id ? writer.lost : lostAt(entry.apiVersion, changes, write, ignored);
    if (lost === undefined) continue;
    const fields = differenceOfSets(entry.fields, lost);
    if (!isEmptySet(fields)) left.set(id, fields === entry.fields ? entry : { ...entry, fields });
  }
  return left;
}

export function ignoredSet(paths: readonly (readonly string[])[] = []): FieldSet {
  return paths.reduce((set, path) => unionSets(set, setOfPath(path.map((name) => `f:${name}`))), emptySet);
}

/** Whether two lists of entries differ in nothing but times: then a write that changes nothing else is none (apiserver `IgnoreManagedFieldsTimestampsTransformer`). */
export function sameButForTimes(a: readonly ManagedFieldsEntry[] = [], b: readonly ManagedFieldsEntry[] = []): boolean {
  const textOf = (entries: readonly ManagedFieldsEntry[]): string[] => entries.map(({ time: _, ...entry }) => JSON.stringify(entry)).sort();
  return a.length === b.length && textOf(a).join("\n") === textOf(b).join("\n");
}

function managersOf({ next, managers = [], subresource }: TrackedWrite): Managers {
  const requested = objectOr(next.metadata).managedFields;
  if (subresource === "" && Array.isArray(requested)) {
    if (isReset(requested)) return new Map();
    const decoded = deepEqual(requested, managers) ? undefined : decodeManagers(requested, false);
    if (decoded !== undefined && decoded.size > 0) return decoded;
  }
  return decodeManagers(managers, true) ?? new Map<string, FieldManager>();
}

function isReset(entries: readonly unknown[]): boolean {
  return entries.length === 0 || (entries.length === 1 && Object.keys(objectOr(entries[0])).length === 0);
}

function isExisting(live: JsonObject): boolean {
  const { uid } = objectOr(live.metadata);
  return uid !== undefined && uid !== "";
}

function lostAt(
  apiVersion: string,
  changes: Map<string, FieldSet | undefined>,
  { live, next, apiVersion: current, convert }: Pick<TrackedWrite, "live" | "next" | "apiVersion" | "convert">,
  ignored: FieldSet,
): FieldSet | undefined {
  if (convert === undefined) return changes.get(current);
  if (changes.has(apiVersion)) return changes.get(apiVersion);
  const before = convert(live, apiVersion, "live");
  const after = convert(next, apiVersion, "next");
  const found = before && after && lostFields(compareObjects(after.schema, before.object, after.object), ignored);
  changes.set(apiVersion, found);
  return found;
}

function lostFields({ changed, removed }: Comparison, ignored: FieldSet): FieldSet {
  return recursiveDifferenceOfSets(unionSets(changed, removed), ignored);
}
