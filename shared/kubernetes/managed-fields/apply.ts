import { deepEqual } from "../deep-equal.ts";
import { isJsonObject, type JsonObject } from "../schema/schema-node.ts";
import { StatusError } from "../status-error.ts";
import type { ManagedFieldsEntry } from "../types.ts";
import { compareObjects, fieldsOf, objectOr } from "./compare-objects.ts";
import { conflictError, type FieldConflict } from "./conflict.ts";
import {
  differenceOfSets,
  emptySet,
  type FieldSet,
  intersectionOfSets,
  isEmptySet,
  recursiveDifferenceOfSets,
  unionSets,
  withNamedParents,
} from "./field-set.ts";
import { decodeManagers, encodeManagers, type FieldManager, type Managers, managerId } from "./managers.ts";
import { mergeObjects, removeFields } from "./merge-objects.ts";
import type { FieldSchema } from "./schema-of.ts";
import { type ConvertForManager, ignoredSet, recordUpdate, takeAway } from "./track-update.ts";

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

export interface AppliedConfiguration {
  readonly schema: FieldSchema | undefined;
  /** The object as it is, or for one that does not exist yet what the kind prints with nothing set (see `TrackedWrite.live`). */
  readonly live: JsonObject;
  /** What the kind prints with nothing set: an existing object without managers is compared with it. */
  readonly empty: JsonObject;
  /** The body of the request, types checked, not defaulted. */
  readonly config: JsonObject;
  readonly manager: string;
  readonly apiVersion: string;
  readonly subresource: string;
  readonly timeIso: string;
  readonly managers: readonly ManagedFieldsEntry[] | undefined;
  /** Take what others own. */
  readonly force: boolean;
  readonly ignored?: readonly (readonly string[])[];
  readonly convert?: ConvertForManager;
}

export interface AppliedObject {
  /**
   * The object to store, without managedFields. What was emptied may be null in it: prune and default it. When nothing changed it is `live`'s
   * content.
   */
  readonly object: JsonObject;
  readonly managers: ManagedFieldsEntry[];
  /** Whether the object differs from `live` in more than managers. */
  readonly changed: boolean;
}

/**
 * Server-side apply (KEP-555): the configuration is laid over the object, what the manager applied before and no longer does is removed
 * unless another manager owns it, and the manager owns what it applies, alone or with others that want the same. No argument is changed.
 * @throws StatusError `Conflict` when another manager owns a value that would change and `force` is not set; `BadRequest` when the
 * configuration carries managedFields.
 */
export function applyConfiguration(request: AppliedConfiguration): AppliedObject {
  const given = objectOr(request.config.metadata).managedFields;
  if (given !== undefined && given !== null) throw new StatusError("BadRequest", "metadata.managedFields must be nil");
  const live = withoutManagedFields(request.live);
  const managers = managersBefore(request, live);
  const applied = applyTo(live, managers, request);
  if (request.manager !== "kubectl") return applied;
  const object = withLastApplied(applied.object, request.config);
  return { ...applied, object, changed: applied.changed || object !== applied.object };
}

function applyTo(live: JsonObject, managers: Managers, request: AppliedConfiguration): AppliedObject {
  const { schema, config, manager, apiVersion, subresource, timeIso } = request;
  const ignored = ignoredSet(request.ignored);
  const identity = { manager, operation: "Apply", apiVersion, subresource } as const;
  const id = managerId(identity);
  const last = managers.get(id);
  const own: FieldManager = {
    ...identity,
    timeIso: last?.timeIso,
    fields: recursiveDifferenceOfSets(fieldsOf(schema, config), ignored),
  };
  const claimed: Managers = new Map(managers).set(id, own);
  const merged = mergeObjects(schema, live, config);
  const next = last === undefined ? merged : pruned(schema, merged, last.fields, claimed);
  const comparison = compareObjects(schema, live, next);
  const conflicts = conflictsOf(managers, id, recursiveDifferenceOfSets(comparison.changed, ignored));
  if (conflicts.length > 0 && !request.force && !isUpgrade(request, live, conflicts)) {
    throw conflictError(withoutAllowed(request, live, conflicts));
  }
  const write = { live, next, apiVersion, ...(request.convert && { convert: request.convert }) };
  const left = takeAway(claimed, comparison, write, ignored, { id, lost: emptySet });
  const changed = !deepEqual(live, next);
  const entry = left.get(id);
  if (entry !== undefined && changed) left.set(id, { ...entry, timeIso });
  return { object: changed ? next : live, managers: encodeManagers(left), changed };
}

/** An object from before managers were tracked belongs to "before-first-apply". */
function managersBefore(request: AppliedConfiguration, live: JsonObject): Managers {
  const managers = decodeManagers(request.managers ?? [], true);
  if (managers !== undefined && managers.size > 0) return managers;
  return recordUpdate(new Map(), { ...request, live: request.empty, next: live, manager: "before-first-apply" });
}

/** Without what `last` set, unless a manager of `claimed` owns it; what nobody ever owned stays (structured-merge-diff `prune`). */
function pruned(schema: FieldSchema | undefined, merged: JsonObject, last: FieldSet, claimed: Managers): JsonObject {
  if (isEmptySet(last)) return merged;
  const lastNamed = withNamedParents(last, schema);
  const everything = withNamedParents(fieldsOf(schema, merged), schema);
  const presentIn = (object: JsonObject): FieldSet => withNamedParents(fieldsOf(schema, object), schema);
  const bare = removeFields(schema, merged, lastNamed);
  const owned = withNamedParents(
    [...claimed.values()].reduce((set, { fields }) => unionSets(set, fields), emptySet),
    schema,
  );
  const withOwned = removeFields(schema, merged, differenceOfSets(everything, unionSets(presentIn(bare), owned)));
  return removeFields(schema, merged, intersectionOfSets(differenceOfSets(everything, presentIn(withOwned)), lastNamed));
}

function conflictsOf(managers: Managers, id: string, changed: FieldSet): FieldConflict[] {
  const conflicts: FieldConflict[] = [];
  for (const [other, owner] of managers) {
    if (other === id) continue;
    const fields = intersectionOfSets(owner.fields, changed);
    if (!isEmptySet(fields)) conflicts.push({ owner, fields });
  }
  return conflicts;
}

/** kubectl may take over what client-side apply set before and nobody has changed since. */
function isUpgrade(request: AppliedConfiguration, live: JsonObject, conflicts: readonly FieldConflict[]): boolean {
  return withoutAllowed(request, live, conflicts).length === 0;
}

function withoutAllowed(request: AppliedConfiguration, live: JsonObject, conflicts: readonly FieldConflict[]): readonly FieldConflict[] {
  const allowed = request.manager === "kubectl" ? lastAppliedFields(request, live) : emptySet;
  return conflicts
    .map(({ owner, fields }) => ({ owner, fields: differenceOfSets(fields, allowed) }))
    .filter(({ fields }) => !isEmptySet(fields));
}

function lastAppliedFields({ schema, apiVersion }: AppliedConfiguration, live: JsonObject): FieldSet {
  const text = objectOr(objectOr(live.metadata).annotations)[lastApplied];
  const config = typeof text === "string" ? parseObject(text) : undefined;
  if (config === undefined || config.apiVersion !== apiVersion) return emptySet;
  const { changed, removed } = compareObjects(schema, config, live);
  return differenceOfSets(fieldsOf(schema, config), unionSets(changed, removed));
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** An object that carries kubectl's annotation keeps it in step, so that client-side apply goes on working. */
function withLastApplied(object: JsonObject, config: JsonObject): JsonObject {
  const metadata = objectOr(object.metadata);
  const annotations = objectOr(metadata.annotations);
  if (annotations[lastApplied] === undefined) return object;
  const ofConfig = objectOr(config.metadata);
  const { annotations: given, ...bare } = ofConfig;
  const { [lastApplied]: _, ...others } = objectOr(given);
  const written = { ...config, metadata: Object.keys(others).length === 0 ? bare : { ...bare, annotations: others } };
  const text = `${JSON.stringify(sortedDeep(written))}\n`;
  if (annotations[lastApplied] === text) return object;
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, [lastApplied]: text } } };
}

/** With every object's fields in the order in which Go writes a map. */
function sortedDeep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedDeep);
  if (!isJsonObject(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sortedDeep(value[name])]));
}

function withoutManagedFields(object: JsonObject): JsonObject {
  const metadata = objectOr(object.metadata);
  if (metadata.managedFields === undefined) return object;
  const { managedFields: _, ...others } = metadata;
  return { ...object, metadata: others };
}
