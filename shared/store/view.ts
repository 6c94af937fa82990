import type { GroupResource, KubernetesObject } from "../kubernetes/object.ts";
import type { LogEntry, StoredObject } from "./store.ts";

/** What changed in a cluster. Unlike a bare log entry, `previous` is always there for MODIFIED and DELETED. */
export interface Change extends LogEntry {
  readonly previous: StoredObject | undefined;
}

/**
 * A cluster's objects in memory, as of `revision`. It only moves forward, one batch of the log at a time, and never between two
 * statements of a synchronous caller. What it hands out is shared: never change it, clone first.
 */
export interface ClusterView {
  readonly revision: number;
  get(resource: GroupResource, namespace: string, name: string): StoredObject | undefined;
  /** All of a resource, or of one namespace; ascending by namespace, then name. */
  list(resource: GroupResource, namespace?: string): readonly StoredObject[];
  count(resource: GroupResource, namespace?: string): number;
  /** Objects that name this uid in `metadata.ownerReferences`, of every resource. */
  ownedBy(uid: string): readonly StoredObject[];
  /** Pods with this `spec.nodeName`. */
  podsOnNode(nodeName: string): readonly StoredObject[];
  /** Every resource that has at least one object. */
  resources(): readonly GroupResource[];
  /** Called once a batch, after the view has moved, with its changes in order. Returns the unsubscriber. */
  onChange(listener: (changes: readonly Change[]) => void): () => void;
}

/** The object of a stored object as its typed kind. The store validated it against the kind's schema when it was written. */
export function objectOf<T extends KubernetesObject>(stored: StoredObject): T {
  return stored.object as T;
}
