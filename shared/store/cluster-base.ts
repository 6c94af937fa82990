import { createHash } from "node:crypto";
import { once } from "../kubernetes/facts.ts";
import type { KubernetesObject, ObjectKey } from "../kubernetes/object.ts";
import type { ClusterRef, StoredObject } from "./store.ts";

/** The revision at which a cluster starts, and that of everything it starts with. */
export const firstRevision = 1;

/**
 * What every cluster contains from its first revision on, without being written: a new cluster is one small item, however much a
 * Kubernetes cluster holds at birth. An adapter shows these objects where it has nothing under their key and no tombstone.
 */
export interface ClusterBase {
  has(path: string): boolean;
  /** The cluster's own copies (uids differ between clusters), by path. */
  of(cluster: ClusterRef, createdAtMs: number): ReadonlyMap<string, StoredObject>;
}

export const emptyBase: ClusterBase = { has: () => false, of: () => new Map() };

/** `pathOf` is the adapter's spelling of a key. The same objects must be given at every start: they are not stored. They are asked for once, when one is looked for. */
export function createClusterBase(
  objects: () => readonly { key: ObjectKey; object: KubernetesObject }[],
  pathOf: (key: ObjectKey) => string,
): ClusterBase {
  const byPath = once(() => new Map(objects().map((entry) => [pathOf(entry.key), entry])));
  return {
    has: (path) => byPath().has(path),
    of(cluster, createdAtMs) {
      const creationTimestamp = `${new Date(createdAtMs).toISOString().slice(0, 19)}Z`;
      const origin = `${cluster.tenant}#${cluster.cluster}#${createdAtMs}`;
      const own = new Map<string, StoredObject>();
      for (const [path, { key, object }] of byPath()) {
        own.set(path, new BornObject(key, () => ownCopy(object, uidOf(`${origin}#${path}`), creationTimestamp)));
      }
      return own;
    },
  };
}

/** Made and serialized when somebody looks: opening a cluster costs next to nothing, and its copies share what does not differ. */
class BornObject implements StoredObject {
  readonly key: ObjectKey;
  readonly revision = firstRevision;
  readonly #make: () => KubernetesObject;
  #object: KubernetesObject | undefined;
  #bytes: Buffer | undefined;
  constructor(key: ObjectKey, make: () => KubernetesObject) {
    this.key = key;
    this.#make = make;
  }
  get object(): KubernetesObject {
    this.#object ??= this.#make();
    return this.#object;
  }
  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(JSON.stringify(this.object));
    return this.#bytes;
  }
}

function ownCopy({ kind, apiVersion, ...rest }: KubernetesObject, uid: string, creationTimestamp: string): KubernetesObject {
  const managedFields = rest.metadata.managedFields?.map((entry) => ({ ...entry, time: creationTimestamp }));
  const metadata = {
    ...rest.metadata,
    uid,
    resourceVersion: String(firstRevision),
    creationTimestamp,
    ...(managedFields && { managedFields }),
  };
  return { ...(kind && { kind }), ...(apiVersion && { apiVersion }), ...sinceBirth(rest, creationTimestamp), metadata };
}

/** The conditions of a status hold since the cluster was made. */
function sinceBirth(object: object, lastTransitionTime: string): object {
  if (!("status" in object) || typeof object.status !== "object" || object.status === null || !("conditions" in object.status))
    return object;
  const { conditions } = object.status;
  if (!Array.isArray(conditions)) return object;
  const dated = conditions.map((condition: object) => ({ ...condition, lastTransitionTime }));
  return { ...object, status: { ...object.status, conditions: dated } };
}

/** A UUID that is the same for the same name: version 8 of RFC 9562 §5.8 over SHA-256. */
function uidOf(name: string): string {
  const bytes = createHash("sha256").update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
