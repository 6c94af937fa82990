import type { RbacAuthorizer } from "../auth/rbac.ts";
import type { UserInfo } from "../auth/user.ts";
import { cloneJson, cloneObject } from "../kubernetes/clone.ts";
import { convert } from "../kubernetes/conversion.ts";
import type { KubernetesObject, ObjectKey } from "../kubernetes/object.ts";
import { generateName } from "../kubernetes/random-suffix.ts";
import { type ResourceDefinition, storedAs } from "../kubernetes/resources.ts";
import { invalidStatus } from "../kubernetes/schema/invalid.ts";
import type { KindSchema } from "../kubernetes/schema/kind-schema.ts";
import type { JsonObject } from "../kubernetes/schema/schema-node.ts";
import { isJudgedApart } from "../kubernetes/schema/validation/kind-rules.ts";
import { selectableChanged } from "../kubernetes/selectable-fields.ts";
import type { ManagedFieldsEntry, ObjectMeta } from "../kubernetes/types.ts";
import { isStoreError, type LogEntry, type Operation, type RecordOperation, type StoredObject } from "../store/store.ts";
import { LazyObject, serialize } from "../store/stored-entry.ts";
import type { AdmissionAttributes } from "./admission/attributes.ts";
import { paramAccessProblems } from "./admission/policies/param-access.ts";
import { QuotaGate } from "./admission/quota-gate.ts";
import { mutateAdmitted, validateAdmitted } from "./admission.ts";
import { type ApiCluster, timestamp } from "./api-cluster.ts";
import { companionsOfCreate, companionsOfDelete, companionsOfUpdate } from "./companions.ts";
import { needsWebhook, showFresh, storedForm } from "./conversion/converted-objects.ts";
import { viewsForManagers } from "./conversion/manager-views.ts";
import { readCustom } from "./custom-reading.ts";
import { asRecord, emptyObject, isUnchanged, type ManagedWrite, recordManagers, setManagers } from "./field-managers.ts";
import { checkPreconditions, type UpdatePreconditions, uidMismatch } from "./preconditions.ts";
import { alreadyExists, conflict, notFound } from "./response.ts";
import { type Body, type Preparing, strategyOf } from "./strategy.ts";
import { countsAsChange, hasStatus, isFinished, keepOtherPart, keptMetadata, newMetadata, restoreStatus } from "./update-rules.ts";

/** Who writes, and how. */
export interface WriteContext {
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** For `managedFields`; empty: nothing is recorded. */
  readonly fieldManager: string;
  /** The managers of a new object's fields, where they follow from the request (server-side apply). */
  readonly managers?: ManagedFieldsEntry[];
  /** Asked by what depends on further permissions. Absent: the writer may do everything. */
  readonly authorizer?: Pick<RbacAuthorizer, "authorize">;
  /** Throws when the user may not make this of what is there, beyond what the request itself shows (RBAC's own objects). */
  readonly guard?: (next: KubernetesObject, live: KubernetesObject | undefined) => void;
  /** What the client asked for beside the object, as admission reviews show it: `fieldManager`, `fieldValidation`; of a deletion its `DeleteOptions`. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Shown to the client as a `Warning` header. */
  readonly warn: (text: string) => void;
}

export type UpdateSubresource = "status" | "finalize" | "scale" | "resize" | "ephemeralcontainers" | "approval" | "binding" | undefined;

/** The next state made from a copy of the live one. */
export type ChangeObject = (live: Body) => ChangedObject | Promise<ChangedObject>;

/** The next state whatever the live one is. It is taken over. */
export interface Replacement {
  readonly replacement: KubernetesObject;
}

type ChangedObject = KubernetesObject | ManagedObject;

/** An object with the managers of its fields, where they follow from the write itself (server-side apply). */
export class ManagedObject {
  readonly object: KubernetesObject;
  readonly managers: ManagedFieldsEntry[];
  constructor(object: KubernetesObject, managers: ManagedFieldsEntry[]) {
    this.object = object;
    this.managers = managers;
  }
}

export interface UpdateOptions extends UpdatePreconditions {
  readonly subresource?: UpdateSubresource;
}

const attempts = 30;

/** A write's planned effect: what else goes into the same transaction. */
export interface Companions {
  readonly operations: readonly Operation[];
  readonly records: readonly RecordOperation[];
}

/** Creates and changes objects of one cluster by the rules of their kinds. */
export class Registry {
  readonly cluster: ApiCluster;
  readonly #quotas = new QuotaGate();
  constructor(cluster: ApiCluster) {
    this.cluster = cluster;
  }

  schemaOf(definition: ResourceDefinition): KindSchema | undefined {
    return this.cluster.resources.schemaOf(definition);
  }

  /** `object` is decoded and taken over. @throws StatusError `AlreadyExists`, `Invalid`, `Forbidden`, `NotFound` (namespace) */
  async create(served: ResourceDefinition, namespace: string, object: KubernetesObject, context: WriteContext): Promise<StoredObject> {
    const definition = storedAs(served);
    const body: Body = toStorage(served, definition, object);
    const strategy = strategyOf(definition);
    const schema = this.schemaOf(definition);
    const generated = (body.metadata.name ?? "") === "" && (body.metadata.generateName ?? "") !== "";
    const managers = context.managers;
    schema?.applyDefaults(asRecord(body));
    // Nobody creates what is being deleted.
    delete body.metadata.deletionTimestamp;
    delete body.metadata.deletionGracePeriodSeconds;
    if (context.fieldManager !== "" && !managers)
      recordManagers(this.#managedWrite(served, definition, schema, context, undefined), undefined, body);
    const { managedFields } = body.metadata;
    body.metadata = this.#newMetadata(body.metadata, definition, namespace);
    if (managers ?? managedFields) setManagers(body, managers ?? managedFields ?? []);
    if (hasStatus(definition) && !strategy.keepsStatusOnCreate) restoreStatus(body, emptyObject(schema, definition));
    for (let attempt = 0; ; attempt++) {
      // What is chosen for one attempt (a name, an address) must not look asked for in the next.
      const next = generated || definition.collection === "services" ? cloneJson(body) : body;
      const place = { served, definition, schema, subresource: "", namespace: definition.namespaced ? namespace : "", context };
      await mutateAdmitted(this.cluster, { ...place, operation: "CREATE", name: next.metadata.name ?? "", object: next });
      if (generated) next.metadata.name = generateName(next.metadata.generateName ?? "", this.cluster.random);
      context.guard?.(next, undefined);
      // A Service has its addresses before anything else is looked at.
      const allocated =
        definition.collection === "services" ? await companionsOfCreate(this.cluster, definition, next, context.dryRun) : undefined;
      strategy.prepareCreate?.(next, this.#preparing(context));
      const causes = this.#judgedAs(served, schema)?.validateCreate(asRecord(judged(definition, served, next))) ?? [];
      if (causes.length === 0) causes.push(...paramAccessProblems(this.cluster, context, definition, next));
      if (causes.length > 0) throw invalidStatus(definition.kind, definition.group, next.metadata.name ?? "", causes);
      for (const text of schema?.warnings(asRecord(next), undefined) ?? []) context.warn(text);
      const key = keyOf(definition, namespace, next.metadata.name ?? "");
      const attributes: AdmissionAttributes = { ...place, operation: "CREATE", name: key.name, object: next };
      await validateAdmitted(this.cluster, attributes);
      const companions = allocated ?? (await companionsOfCreate(this.cluster, definition, next, context.dryRun));
      const object = definition.custom ? await storedForm(this.cluster, definition, next) : next;
      if (context.dryRun) {
        await this.#quotas.check(this.cluster, attributes);
        return this.#dryCreate(key, object);
      }
      try {
        const [entry] = await this.#commitCharged({ kind: "put", key, expected: 0, object }, companions, attributes);
        if (entry) return entry;
      } catch (error) {
        if (!isStoreError(error, "RevisionConflict")) throw error;
        const ours = error.index === 0;
        if (ours && !generated) throw alreadyExists(key.group, key.resource, key.name, isDeleting(await this.latest(key)));
        if (attempt >= attempts) throw error;
      }
    }
  }

  /**
   * Reads the newest state, lets `change` make the next one from it, and commits on the condition that it is still the newest;
   * tries again when it was not, unless the caller named a resource version.
   */
  async update(
    served: ResourceDefinition,
    namespace: string,
    name: string,
    change: ChangeObject | Replacement,
    context: WriteContext,
    options: UpdateOptions = {},
  ): Promise<StoredObject> {
    const definition = storedAs(served);
    const key = keyOf(definition, namespace, name);
    for (let attempt = 0; ; attempt++) {
      const live = await this.latest(key);
      if (!live)
        throw options.uid === undefined ? notFound(served.group, served.resource, name) : uidMismatch(definition, key, options.uid);
      checkPreconditions(served, live, options, strategyOf(definition).unconditionalUpdate);
      const before = definition.custom ? await this.#customBefore(definition, live) : live.object;
      const { next, attributes } = await this.#next(served, definition, before, live, change, context, options);
      if (isUnchanged(next, before) && !isStoredInAnother(definition, live)) {
        if (await this.lasts(live)) return live;
        if (attempt >= attempts) throw conflict(served.group, served.resource, name);
        continue;
      }
      const kept = definition.custom ? await storedForm(this.cluster, definition, next) : next;
      const operation = isFinished(next, live.object)
        ? ({ kind: "delete", key, expected: live.revision, object: kept } as const)
        : this.#put(definition, live, kept);
      const companions =
        operation.kind === "delete"
          ? await companionsOfDelete(this.cluster, definition, next)
          : await companionsOfUpdate(this.cluster, definition, next, live.object);
      if (context.dryRun) {
        await this.#quotas.check(this.cluster, attributes);
        return new LazyObject(key, live.revision, serialize(kept), kept);
      }
      try {
        const [entry] = await this.#commitCharged(operation, companions, attributes);
        if (entry) return entry;
      } catch (error) {
        if (!isStoreError(error, "RevisionConflict")) throw error;
        if (options.resourceVersion !== undefined || attempt >= attempts) throw conflict(served.group, served.resource, name);
      }
    }
  }

  async #customBefore(definition: ResourceDefinition, live: StoredObject): Promise<Body> {
    const shown = await showFresh(this.cluster, definition, live);
    return shown === live ? readCustom(definition, live.object) : shown.object;
  }

  /** The newest state, possibly ahead of what readers see. */
  async latest(key: ObjectKey): Promise<StoredObject | undefined> {
    const { store, mirror, ref } = this.cluster;
    const [found] = await store.latest(ref, [key], ({ namespace, name }) => mirror.get(key, namespace, name));
    return found;
  }

  /** Whether `live`, as `latest` had it, is durable, and so may be shown without a commit that stands on it. */
  async lasts(live: StoredObject): Promise<boolean> {
    const { store, mirror, ref } = this.cluster;
    await store.commit(ref, []);
    const { key, revision } = live;
    if (mirror.get(key, key.namespace, key.name)?.revision === revision) return true;
    return (await this.latest(key))?.revision === revision;
  }

  /** Removes `live` from the store, with what hangs on it. Answers undefined when it changed meanwhile. */
  async remove(definition: ResourceDefinition, live: StoredObject, last: KubernetesObject): Promise<LogEntry | undefined> {
    const operation = { kind: "delete", key: live.key, expected: live.revision, object: last } as const;
    return this.#attempt(operation, await companionsOfDelete(this.cluster, definition, last));
  }

  /** Replaces `live`. Answers undefined when it changed meanwhile. */
  async replace(definition: ResourceDefinition, live: StoredObject, next: KubernetesObject): Promise<LogEntry | undefined> {
    return this.#attempt(this.#put(definition, live, next), { operations: [], records: [] });
  }

  async #attempt(operation: Operation, companions: Companions): Promise<LogEntry | undefined> {
    try {
      const [entry] = await this.#commit(operation, companions);
      return entry;
    } catch (error) {
      if (isStoreError(error, "RevisionConflict")) return undefined;
      throw error;
    }
  }

  /** With what the write takes of the quotas of its namespace, in the same transaction. */
  #commitCharged(operation: Operation, companions: Companions, attributes: AdmissionAttributes): Promise<LogEntry[]> {
    const { operations, records } = companions;
    return this.#quotas.commit(this.cluster, attributes, 1 + operations.length, (charges) =>
      this.#commit(operation, charges.length === 0 ? companions : { operations: [...operations, ...charges], records }),
    );
  }

  async #commit(operation: Operation, companions: Companions): Promise<LogEntry[]> {
    const entries = await this.cluster.store.commit(this.cluster.ref, [operation, ...companions.operations], companions.records);
    const revision = entries.at(-1)?.revision ?? 0;
    if (this.cluster.mirror.revision < revision) await this.cluster.mirror.reached(revision);
    return entries;
  }

  #put(definition: ResourceDefinition, live: StoredObject, next: KubernetesObject): Operation {
    // What a change means for the fields of other versions only their webhook could tell.
    const keeps = needsWebhook(definition) || selectableChanged(definition, live.object, next);
    const previous = keeps ? { previous: live } : {};
    return { kind: "put", key: live.key, expected: live.revision, object: next, ...previous };
  }

  async #next(
    served: ResourceDefinition,
    definition: ResourceDefinition,
    before: Body,
    live: StoredObject,
    change: ChangeObject | Replacement,
    context: WriteContext,
    { subresource, resourceVersion }: UpdateOptions,
  ): Promise<{ next: Body; attributes: AdmissionAttributes }> {
    const strategy = strategyOf(definition);
    const schema = this.schemaOf(definition);
    // What one attempt makes of a replacement must not look asked for in the next; with a resource version there is but one.
    const changing =
      "replacement" in change
        ? resourceVersion === undefined
          ? cloneJson(change.replacement)
          : change.replacement
        : change(toStorage(definition, served, cloneObject(before)));
    const changed = changing instanceof Promise ? await changing : changing;
    const managers = changed instanceof ManagedObject ? changed.managers : undefined;
    const next: Body = toStorage(served, definition, changed instanceof ManagedObject ? changed.object : changed);
    const requested = next.metadata.managedFields;
    next.metadata = keptMetadata(next.metadata, before.metadata);
    schema?.applyDefaults(asRecord(next));
    strategy.normalize?.(next);
    keepOtherPart(definition, subresource, next, before);
    if (subresource !== undefined) strategy.prepareSubresource?.(subresource, next, before);
    if (managers) setManagers(next, managers);
    else if (context.fieldManager !== "") {
      if (requested) next.metadata.managedFields = requested;
      const views = needsWebhook(definition) ? await viewsForManagers(this.cluster, definition, before, next) : undefined;
      recordManagers(this.#managedWrite(served, definition, schema, context, subresource), before, next, views);
    } else setManagers(next, before.metadata.managedFields ?? []);
    const { namespace, name } = live.key;
    const place = { served, definition, schema, subresource: subresource ?? "", namespace, name, context };
    const attributes: AdmissionAttributes = { ...place, operation: "UPDATE", object: next, oldObject: before };
    await mutateAdmitted(this.cluster, attributes);
    if (subresource !== undefined) strategy.prepareSubresource?.(subresource, next, before);
    if (subresource === "status") strategy.prepareStatus?.(next, before, this.#preparing(context));
    else if (subresource === "approval") strategy.prepareApproval?.(next, before, this.#preparing(context));
    if (subresource !== "status" && subresource !== "finalize") strategy.prepareUpdate?.(next, before);
    if (subresource !== "status" && countsAsChange(definition, next, before))
      next.metadata.generation = (before.metadata.generation ?? 0) + 1;
    context.guard?.(next, before);
    const [after, prior] = [next, before].map((object) => asRecord(judged(definition, served, object))) as [JsonObject, JsonObject];
    const part = isJudgedApart(subresource) ? subresource : undefined;
    const causes =
      subresource === "binding" ? [] : (this.#judgedAs(served, schema)?.validateUpdate(after, prior, part, context.warn) ?? []);
    if (causes.length === 0 && subresource === undefined)
      causes.push(...paramAccessProblems(this.cluster, context, definition, next, before));
    if (causes.length > 0) throw invalidStatus(definition.kind, definition.group, next.metadata.name ?? "", causes);
    if (subresource === undefined) for (const text of schema?.warnings(asRecord(next), asRecord(before)) ?? []) context.warn(text);
    await validateAdmitted(this.cluster, attributes);
    return { next, attributes };
  }

  #judgedAs(served: ResourceDefinition, schema: KindSchema | undefined): KindSchema | undefined {
    return served.group === eventsGroup ? this.schemaOf(served) : schema;
  }

  #managedWrite(
    served: ResourceDefinition,
    definition: ResourceDefinition,
    schema: KindSchema | undefined,
    context: WriteContext,
    subresource: UpdateSubresource,
  ): ManagedWrite {
    const timeIso = timestamp(this.cluster.clock.now());
    return { served, definition, schema, manager: context.fieldManager, subresource: subresource ?? "", timeIso };
  }

  #newMetadata(given: ObjectMeta, definition: ResourceDefinition, namespace: string): ObjectMeta {
    const born = { uid: this.cluster.uid(), creationTimestamp: timestamp(this.cluster.clock.now()) };
    return newMetadata(given, definition, namespace, born);
  }

  #preparing({ user, warn }: WriteContext): Preparing {
    return { nowIso: timestamp(this.cluster.clock.now()), user, warn };
  }

  async #dryCreate(key: ObjectKey, object: KubernetesObject): Promise<StoredObject> {
    const live = await this.latest(key);
    if (live) throw alreadyExists(key.group, key.resource, key.name, isDeleting(live));
    return new LazyObject(key, 0, serialize(object), object);
  }
}

const isDeleting = (live: StoredObject | undefined): boolean => live?.object.metadata.deletionTimestamp !== undefined;

export const keyOf = (definition: ResourceDefinition, namespace: string, name: string): ObjectKey => ({
  group: definition.group,
  resource: definition.resource,
  namespace: definition.namespaced ? namespace : "",
  name,
});

/** Written anew, though nothing changes, it is stored in the version that objects are stored in by now: so they are migrated. */
const isStoredInAnother = ({ custom }: ResourceDefinition, { object }: StoredObject): boolean =>
  custom !== undefined && object.apiVersion !== custom.storedApiVersion;

/** Written through one served version, kept in another. */
function toStorage(from: ResourceDefinition, to: ResourceDefinition, object: KubernetesObject): KubernetesObject {
  if (from.group === to.group && from.version === to.version) return object;
  return convert(object, from.group === "" ? from.version : `${from.group}/${from.version}`, to);
}

/** The newer group of events has rules of its own: an event written through it is judged by those. Everything else is judged as it is kept. */
const eventsGroup = "events.k8s.io";

const judged = (definition: ResourceDefinition, served: ResourceDefinition, object: KubernetesObject): KubernetesObject =>
  served.group === eventsGroup ? toStorage(definition, served, object) : object;
