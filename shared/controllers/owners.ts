import type { ObjectClient } from "../api/object-client.ts";
import type { GroupResource, KubernetesObject } from "../kubernetes/object.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { OwnerReference } from "../kubernetes/types.ts";
import type { StoredObject } from "../store/store.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";

/** The owner that controls the object: at most one reference says `controller: true` (`metav1.GetControllerOf`). */
export function controllerOf(object: KubernetesObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

export interface OwnerKind {
  readonly resource: GroupResource;
  readonly apiVersion: string;
  readonly kind: string;
}

/** The reference by which `owner` controls what it makes (`metav1.NewControllerRef`). */
export function controllerReference({ apiVersion, kind }: OwnerKind, owner: KubernetesObject): OwnerReference {
  const { name = "", uid = "" } = owner.metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** The object that the reference means, if it is of this kind and still there with this uid. */
export function resolveController(
  view: ClusterView,
  owner: OwnerKind,
  namespace: string,
  reference: OwnerReference | undefined,
): StoredObject | undefined {
  if (reference?.kind !== owner.kind || groupOf(reference.apiVersion) !== owner.resource.group) return undefined;
  const stored = view.get(owner.resource, namespace, reference.name);
  return stored?.object.metadata.uid === reference.uid ? stored : undefined;
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** Objects of one resource without a controller, by namespace: what a controller might adopt. */
export interface OrphanIndex {
  /** Called with every change of the view after `rebuild`. */
  note(change: Change): void;
  rebuild(view: ClusterView): void;
  in(view: ClusterView, namespace: string): StoredObject[];
}

export function createOrphanIndex(resource: GroupResource): OrphanIndex {
  let names: Map<string, Set<string>> | undefined;
  const add = (index: Map<string, Set<string>>, { key, object }: StoredObject): void => {
    if (controllerOf(object)) return;
    const known = index.get(key.namespace);
    if (known) known.add(key.name);
    else index.set(key.namespace, new Set([key.name]));
  };
  const rebuild = (view: ClusterView): Map<string, Set<string>> => {
    names = new Map();
    for (const stored of view.list(resource)) add(names, stored);
    return names;
  };
  return {
    rebuild: (view) => void rebuild(view),
    note(change) {
      const { key } = change;
      if (!names || key.resource !== resource.resource || key.group !== resource.group) return;
      const known = names.get(key.namespace);
      if (known?.delete(key.name) && known.size === 0) names.delete(key.namespace);
      if (change.type !== "DELETED") add(names, change);
    },
    in(view, namespace) {
      const known = (names ?? rebuild(view)).get(namespace) ?? [];
      return [...known].map((name) => view.get(resource, namespace, name)).filter((stored) => stored !== undefined);
    },
  };
}

export interface Claim {
  readonly view: ClusterView;
  readonly client: ObjectClient;
  readonly owner: OwnerKind;
  /** Who claims. */
  readonly claimer: KubernetesObject;
  readonly resource: GroupResource;
  readonly orphans: OrphanIndex;
  readonly matches: (object: KubernetesObject) => boolean;
  /** Which of the candidates count at all; those that do not are neither adopted nor released. */
  readonly concerns?: (object: KubernetesObject) => boolean;
  /** Comes onto what is adopted and goes from what is released. */
  readonly finalizer?: string;
}

/**
 * What the claimer controls: adopts orphans that match its selector and releases what no longer does, each on condition of uid and
 * revision (`ControllerRefManager.ClaimObject`). A claimer that is being deleted neither adopts nor releases.
 */
export async function claimOwned<T extends KubernetesObject>(claim: Claim): Promise<T[]> {
  const { view, client, owner, claimer, resource, orphans, matches, concerns = () => true, finalizer } = claim;
  const { namespace = "", uid = "", deletionTimestamp } = claimer.metadata;
  const isResource = ({ key }: StoredObject): boolean =>
    key.resource === resource.resource && key.group === resource.group && key.namespace === namespace;
  const reference = controllerReference(owner, claimer);
  const orNull = <T>(list: readonly T[]): readonly T[] | null => (list.length > 0 ? list : null);
  const change = async (stored: StoredObject, ownerReferences: OwnerReference[], adopts: boolean): Promise<StoredObject | undefined> => {
    const { uid, resourceVersion, finalizers = [] } = stored.object.metadata;
    const others = finalizers.filter((each) => each !== finalizer);
    const held = finalizer !== undefined && { finalizers: orNull(adopts ? [...others, finalizer] : others) };
    const body = { metadata: { uid, resourceVersion, ownerReferences: orNull(ownerReferences), ...held } };
    try {
      return await client.patch(resource, namespace, stored.key.name, { type: "merge", body });
    } catch (error) {
      if (isStatus(error, "NotFound") || isStatus(error, "Invalid")) return undefined;
      throw error;
    }
  };
  const claimed: StoredObject[] = [];
  for (const stored of view.ownedBy(uid)) {
    if (!isResource(stored) || controllerOf(stored.object)?.uid !== uid || !concerns(stored.object)) continue;
    if (matches(stored.object)) claimed.push(stored);
    else if (deletionTimestamp === undefined) {
      const others = (stored.object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== uid);
      await change(stored, others, false);
    }
  }
  if (deletionTimestamp === undefined) {
    for (const stored of orphans.in(view, namespace)) {
      if (stored.object.metadata.deletionTimestamp !== undefined || !concerns(stored.object) || !matches(stored.object)) continue;
      const adopted = await change(stored, [...(stored.object.metadata.ownerReferences ?? []), reference], true);
      if (adopted) claimed.push(adopted);
    }
  }
  return claimed.map((stored) => objectOf<T>(stored));
}
