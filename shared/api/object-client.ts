import type { GroupResource, KubernetesObject } from "../kubernetes/object.ts";
import type { StoredObject } from "../store/store.ts";

/**
 * Reads and writes of one cluster through the API's own rules (defaulting, validation, admission, finalizers, graceful deletion) without HTTP.
 * Controllers, the scheduler and the agent API write through it; the HTTP surface calls the same code.
 * Every failure is a `StatusError` (`NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Forbidden`, …).
 * When a write has resolved, the cluster's view shows it.
 */
export interface ObjectClient {
  create(resource: GroupResource, object: KubernetesObject, options?: WriteOptions): Promise<StoredObject>;
  /** Replaces. With `metadata.resourceVersion` set it is a condition (`Conflict` when stale), without it whatever is there is replaced. */
  update(
    resource: GroupResource,
    object: KubernetesObject,
    options?: WriteOptions & { subresource?: "status" | "scale" | "finalize" | "approval" },
  ): Promise<StoredObject>;
  patch(
    resource: GroupResource,
    namespace: string,
    name: string,
    patch: Patch,
    options?: WriteOptions & { subresource?: "status" | "scale" },
  ): Promise<StoredObject>;
  /** What `kubectl delete` does: finalizers, grace and propagation included. `NotFound` when it is not there. */
  delete(resource: GroupResource, namespace: string, name: string, options?: DeleteOptions): Promise<void>;
  /**
   * The scheduler's batch: each binding is conditional on the pod (uid, version where one is named, not yet bound, not being deleted) and on the node's
   * remaining room.
   */
  bind(bindings: readonly Binding[]): Promise<BindOutcome[]>;
}

export interface WriteOptions {
  readonly fieldManager?: string;
}

export type Patch =
  | { readonly type: "json"; readonly body: readonly unknown[] }
  | { readonly type: "merge"; readonly body: Readonly<Record<string, unknown>> }
  | { readonly type: "strategic"; readonly body: Readonly<Record<string, unknown>> };

export interface DeleteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Orphan" | "Background" | "Foreground";
}

export interface Binding {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The pod's, as of the binding; absent: whichever it has. */
  readonly resourceVersion?: string;
  readonly nodeName: string;
  /** Come onto the pod, over what it has. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** `stale`: the pod changed, is bound or gone. `full`: the node has no room any more (another cluster of its pool was faster). */
export type BindOutcome = { readonly kind: "bound" } | { readonly kind: "stale" } | { readonly kind: "full" };
