import type { ObjectMeta } from "./types.ts";

/** Any object of the Kubernetes API as JSON. A typed kind of `types.ts` is assignable to it and back by `as`. */
export interface KubernetesObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** Which resource, whatever its version: `{ group: "", resource: "pods" }`. The core group is the empty string. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/** One object of a cluster. `namespace` is the empty string for cluster-scoped resources. */
export interface ObjectKey extends GroupResource {
  readonly namespace: string;
  readonly name: string;
}

/** `"pods"`, `"apps/deployments"`: a group resource as one string, also the store's collection name. */
export function collectionOf({ group, resource }: GroupResource): string {
  return group === "" ? resource : `${group}/${resource}`;
}
