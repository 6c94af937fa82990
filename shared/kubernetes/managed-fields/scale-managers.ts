import type { ManagedFieldsEntry } from "../types.ts";
import { differenceOfSets, isEmptySet, setHasPath, setOfPath } from "./field-set.ts";
import { decodeManagers, encodeManagers, type FieldManager, type Managers, managerId } from "./managers.ts";

const scaleVersion = "autoscaling/v1";
const replicasOfScale = ["f:spec", "f:replicas"];

/** Where each served version of a kind has its number of replicas, e.g. `{ "apps/v1": ["spec", "replicas"] }`. */
export type ReplicasPaths = Readonly<Record<string, readonly string[]>>;

/** The managers of a Scale: those of its parent that own the replicas (apimachinery `ScaleHandler.ToSubresource`). */
export function scaleManagers(parent: readonly ManagedFieldsEntry[] | undefined, paths: ReplicasPaths): ManagedFieldsEntry[] {
  const managers: Managers = new Map();
  for (const [id, entry] of decodeManagers(parent ?? [], true) ?? []) {
    const path = elementsOf(paths[entry.apiVersion]);
    if (path === undefined || !setHasPath(entry.fields, path)) continue;
    managers.set(id, { ...entry, apiVersion: scaleVersion, fields: setOfPath(replicasOfScale) });
  }
  return encodeManagers(managers);
}

/**
 * The parent's managers after its Scale was written (apimachinery `ScaleHandler.ToParent`): who owns the replicas of the Scale owns those
 * of the parent, at `apiVersion`, and nobody else does. As in kube-apiserver a manager that is new to the parent has no time.
 */
export function parentManagers(
  parent: readonly ManagedFieldsEntry[] | undefined,
  scale: readonly ManagedFieldsEntry[],
  apiVersion: string,
  paths: ReplicasPaths,
): ManagedFieldsEntry[] {
  const ofScale = new Map([...(decodeManagers(scale, true) ?? [])].map(([, entry]) => [nameOf(entry), entry]));
  const managers: Managers = new Map();
  const times = new Map<string, string | undefined>();
  for (const [id, entry] of decodeManagers(parent ?? [], true) ?? []) {
    times.set(nameOf(entry), entry.timeIso);
    const path = elementsOf(paths[entry.apiVersion]);
    if (path === undefined || !setHasPath(entry.fields, path) || ofScale.delete(nameOf(entry))) {
      managers.set(id, entry);
      continue;
    }
    const fields = differenceOfSets(entry.fields, setOfPath(path));
    if (!isEmptySet(fields)) managers.set(id, { ...entry, fields });
  }
  const path = elementsOf(paths[apiVersion]);
  for (const [name, entry] of ofScale) {
    if (path === undefined || !setHasPath(entry.fields, replicasOfScale)) continue;
    const owner: FieldManager = { ...entry, apiVersion, timeIso: times.get(name), fields: setOfPath(path) };
    managers.set(managerId(owner), owner);
  }
  return encodeManagers(managers);
}

/** Which manager it is, whichever of the two objects' versions its entry carries. */
function nameOf({ manager, operation, subresource }: FieldManager): string {
  return JSON.stringify([manager, operation, subresource]);
}

function elementsOf(path: readonly string[] | undefined): string[] | undefined {
  return path?.map((name) => `f:${name}`);
}
