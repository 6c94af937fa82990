import { namespaces } from "../kubernetes/known-resources.ts";
import { collectionOf } from "../kubernetes/object.ts";
import type { ResourceDefinition } from "../kubernetes/resources.ts";
import { StatusError } from "../kubernetes/status-error.ts";
import type { Namespace } from "../kubernetes/types.ts";
import { admitPod } from "./admission/pod.ts";
import type { ApiCluster } from "./api-cluster.ts";
import type { UpdateSubresource, WriteContext } from "./registry.ts";
import { notFound } from "./response.ts";
import type { Body } from "./strategy.ts";

/** The built-in admission plugins of kube-apiserver, in their order. They may change `object`, which is defaulted already. @throws StatusError */
export async function admitCreate(
  cluster: ApiCluster,
  definition: ResourceDefinition,
  object: Body,
  _context: WriteContext,
): Promise<void> {
  if (definition.namespaced) checkNamespace(cluster, definition, object);
  if (collectionOf(definition) === "pods") await admitPod(cluster, object);
}

export async function admitUpdate(
  _cluster: ApiCluster,
  _definition: ResourceDefinition,
  _next: Body,
  _live: Body,
  _context: WriteContext,
  _subresource: UpdateSubresource,
): Promise<void> {}

/** NamespaceLifecycle. */
function checkNamespace(cluster: ApiCluster, definition: ResourceDefinition, object: Body): void {
  const name = object.metadata.namespace ?? "";
  const found = cluster.mirror.get(namespaces, "", name);
  if (!found) throw notFound("", "namespaces", name);
  const namespace = found.object as Namespace;
  if (namespace.metadata.deletionTimestamp === undefined && namespace.status?.phase !== "Terminating") return;
  const { group, resource } = definition;
  const objectName = object.metadata.name ?? "";
  throw new StatusError(
    "Forbidden",
    `${group === "" ? resource : `${resource}.${group}`} ${JSON.stringify(objectName)} is forbidden: unable to create new content in namespace ${name} because it is being terminated`,
    {
      name: objectName,
      ...(group !== "" && { group }),
      kind: resource,
      causes: [{ reason: "NamespaceTerminating", message: `namespace ${name} is being terminated`, field: "metadata.namespace" }],
    },
  );
}
