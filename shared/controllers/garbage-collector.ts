import { customResourceDefinitions, events as eventResource } from "../kubernetes/known-resources.ts";
import type { KubernetesObject, ObjectKey } from "../kubernetes/object.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { OwnerReference } from "../kubernetes/types.ts";
import type { StoredObject } from "../store/store.ts";
import type { Change, ClusterView } from "../store/view.ts";
import { forEachBounded } from "./bounded.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { resourceOfKind } from "./garbage/resource-of-kind.ts";
import { isOf } from "./same-resource.ts";

const orphanFinalizer = "orphan";
const foregroundFinalizer = "foregroundDeletion";
const done: ReconcileOutcome = { kind: "done" };
const separator = "\u0001";
const parallelChanges = 50;

/**
 * Deletes what its owners left behind, as kube-controller-manager's garbage collector does: an object goes when none of its owners
 * exists any more under the uid it names; an owner deleted in the foreground waits for the dependents that block it; one deleted with
 * `orphan` first lets them go. A view is one cut through the log, so an owner that it does not show was deleted. Where it cannot tell
 * (an owner of an unknown kind, a namespaced owner of a cluster-scoped object) nothing is deleted.
 */
export function createGarbageCollector(): Controller {
  return {
    name: "garbage-collector",
    allKeys,
    keysOf(change, view) {
      if (isOf(eventResource, change.key)) return [];
      // Owners of the new kind can be told from now on.
      if (isOf(customResourceDefinitions, change.key) && change.type === "ADDED") return allKeys(view);
      return keysOfChange(change, view);
    },
    async reconcile(key, context) {
      const stored = find(context.view, key);
      if (!stored) return done;
      const { metadata } = stored.object;
      if (metadata.deletionTimestamp !== undefined) await letGo(stored, context);
      else if ((metadata.ownerReferences ?? []).length > 0) await judge(stored, context);
      return done;
    },
  };
}

function* allKeys(view: ClusterView): Iterable<string> {
  for (const resource of view.resources()) {
    if (isOf(eventResource, resource)) continue;
    for (const stored of view.list(resource)) if (concerns(stored.object)) yield keyText(stored.key);
  }
}

/** A namespaced owner has none in other namespaces, whatever they name. */
function dependentsOf({ key, object }: StoredObject, view: ClusterView): StoredObject[] {
  return view.ownedBy(object.metadata.uid ?? "").filter((dependent) => key.namespace === "" || dependent.key.namespace === key.namespace);
}

const keyText = ({ group, resource, namespace, name }: ObjectKey): string => [group, resource, namespace, name].join(separator);

function find(view: ClusterView, key: string): StoredObject | undefined {
  const [group = "", resource = "", namespace = "", name = ""] = key.split(separator);
  return view.get({ group, resource }, namespace, name);
}

function concerns({ metadata }: KubernetesObject): boolean {
  return (metadata.ownerReferences ?? []).length > 0 || isHeldForDependents({ metadata });
}

function isHeldForDependents({ metadata }: KubernetesObject): boolean {
  return (
    metadata.deletionTimestamp !== undefined && (hasFinalizer(metadata, foregroundFinalizer) || hasFinalizer(metadata, orphanFinalizer))
  );
}

function hasFinalizer({ finalizers }: KubernetesObject["metadata"], name: string): boolean {
  return finalizers?.includes(name) === true;
}

const isDeletingDependents = ({ metadata }: KubernetesObject): boolean =>
  metadata.deletionTimestamp !== undefined && hasFinalizer(metadata, foregroundFinalizer);

function* keysOfChange(change: Change, view: ClusterView): Iterable<string> {
  const { metadata } = change.object;
  const owners = metadata.ownerReferences ?? [];
  const ownersBefore = change.previous?.object.metadata.ownerReferences ?? [];
  const isDeleted = change.type === "DELETED";
  if (!isDeleted && concerns(change.object) && isNews(change)) yield keyText(change.key);
  // Its dependents lose an owner, or are to go before it.
  const startsWaiting =
    !isDeleted && isDeletingDependents(change.object) && !(change.previous && isDeletingDependents(change.previous.object));
  if ((isDeleted || startsWaiting) && metadata.uid !== undefined) for (const { key } of view.ownedBy(metadata.uid)) yield keyText(key);
  // Owners that waited for it may go on.
  for (const owner of isDeleted ? owners : ownersBefore) {
    const still = isDeleted ? undefined : owners.find(({ uid }) => uid === owner.uid);
    if (still && still.blockOwnerDeletion === owner.blockOwnerDeletion) continue;
    const found = ownerOf(owner, change.key.namespace, view);
    if (found.kind === "present" && isHeldForDependents(found.stored.object)) yield keyText(found.stored.key);
  }
}

/** A change of what the collector looks at; most changes are of status or spec. */
function isNews({ previous, object }: Change): boolean {
  if (!previous) return true;
  const [before, after] = [previous.object.metadata, object.metadata];
  return (
    before.deletionTimestamp !== after.deletionTimestamp ||
    JSON.stringify(before.ownerReferences) !== JSON.stringify(after.ownerReferences) ||
    before.finalizers?.join() !== after.finalizers?.join()
  );
}

/** An object on its way out that the collector's own finalizers hold. */
async function letGo(stored: StoredObject, context: ControllerContext): Promise<void> {
  const { metadata } = stored.object;
  const { uid = "" } = metadata;
  const dependents = dependentsOf(stored, context.view);
  if (hasFinalizer(metadata, orphanFinalizer)) {
    const failures = await forEachBounded(dependents, parallelChanges, (dependent) => removeOwners(dependent, new Set([uid]), context));
    if (failures.length > 0) throw failures[0];
    await removeFinalizer(stored, orphanFinalizer, context);
  } else if (hasFinalizer(metadata, foregroundFinalizer)) {
    const isBlocking = ({ object }: StoredObject): boolean =>
      object.metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true) === true;
    if (!dependents.some(isBlocking)) await removeFinalizer(stored, foregroundFinalizer, context);
  }
}

type Owner =
  | { readonly kind: "present"; readonly stored: StoredObject }
  | { readonly kind: "absent" }
  /** Of a kind nobody knows, or where no owner can be. */
  | { readonly kind: "unknown" };

function ownerOf(reference: OwnerReference, namespace: string, view: ClusterView): Owner {
  const definition = resourceOfKind(view, reference.apiVersion, reference.kind);
  if (!definition || (definition.namespaced && namespace === "")) return { kind: "unknown" };
  const stored = view.get(definition, definition.namespaced ? namespace : "", reference.name);
  return stored?.object.metadata.uid === reference.uid ? { kind: "present", stored } : { kind: "absent" };
}

/** Decides over a living object that has owners (`attemptToDeleteItem`). */
async function judge(stored: StoredObject, context: ControllerContext): Promise<void> {
  const { view } = context;
  const { key, object } = stored;
  const { ownerReferences = [] } = object.metadata;
  const owners = ownerReferences.map((reference) => ({ reference, owner: ownerOf(reference, key.namespace, view) }));
  if (owners.some(({ owner }) => owner.kind === "unknown")) return;
  const isWaiting = (owner: Owner): boolean => owner.kind === "present" && isDeletingDependents(owner.stored.object);
  const waiting = owners.filter(({ owner }) => isWaiting(owner));
  const absent = owners.filter(({ owner }) => owner.kind === "absent");
  if (owners.length > waiting.length + absent.length) {
    const useless = new Set([...waiting, ...absent].map(({ reference }) => reference.uid));
    if (useless.size > 0) await removeOwners(stored, useless, context);
    return;
  }
  const dependents = dependentsOf(stored, view);
  if (waiting.length > 0 && dependents.length > 0) {
    // Two that wait for each other would wait forever.
    const isCircular = dependents.some(({ object }) => isDeletingDependents(object));
    const unblocked = ownerReferences.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
    const judged = isCircular ? await changeOwners(stored, unblocked, context) : stored;
    if (judged) await remove(judged, "Foreground", context);
    return;
  }
  const { finalizers } = object.metadata;
  const policy = finalizers?.includes(orphanFinalizer) ? "Orphan" : finalizers?.includes(foregroundFinalizer) ? "Foreground" : "Background";
  await remove(stored, policy, context);
}

/** On the revision that was judged: an owner that it was given meanwhile keeps it. */
async function remove(
  { key, object }: StoredObject,
  propagationPolicy: "Orphan" | "Background" | "Foreground",
  { client }: ControllerContext,
): Promise<void> {
  const { uid, resourceVersion } = object.metadata;
  const conditions = { ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) };
  await unlessMissing(client.delete(key, key.namespace, key.name, { ...conditions, propagationPolicy }));
}

async function removeOwners(stored: StoredObject, uids: ReadonlySet<string>, context: ControllerContext): Promise<void> {
  const left = (stored.object.metadata.ownerReferences ?? []).filter(({ uid }) => !uids.has(uid));
  await changeOwners(stored, left, context);
}

/** Answers the object with its new owners, or undefined when it is gone. */
async function changeOwners(
  { key, object }: StoredObject,
  owners: OwnerReference[],
  { client }: ControllerContext,
): Promise<StoredObject | undefined> {
  const { uid, resourceVersion } = object.metadata;
  const metadata = { uid, resourceVersion, ownerReferences: owners.length > 0 ? owners : null };
  try {
    return await client.patch(key, key.namespace, key.name, { type: "merge", body: { metadata } });
  } catch (error) {
    if (isStatus(error, "NotFound")) return undefined;
    throw error;
  }
}

async function removeFinalizer({ key, object }: StoredObject, finalizer: string, { client }: ControllerContext): Promise<void> {
  const { uid, resourceVersion } = object.metadata;
  const left = (object.metadata.finalizers ?? []).filter((each) => each !== finalizer);
  const metadata = { uid, resourceVersion, finalizers: left.length > 0 ? left : null };
  await unlessMissing(client.patch(key, key.namespace, key.name, { type: "merge", body: { metadata } }));
}
