import { collectionOf, type KubernetesObject } from "../kubernetes/object.ts";
import type { ResourceDefinition } from "../kubernetes/resources.ts";
import type { Node, Pod, Service } from "../kubernetes/types.ts";
import type { ApiCluster } from "./api-cluster.ts";
import { claimOfNewPod, claimsOfNewNode, releaseOfNode, releaseOfPod } from "./companions/node-claims.ts";
import { allocateForService, reallocateForService, releaseOfService } from "./companions/service-addresses.ts";
import type { Companions } from "./registry.ts";

const none: Companions = { operations: [], records: [] };

/** What goes into the same transaction as a create: the addresses a Service takes. May fill fields of `object`. */
export async function companionsOfCreate(
  cluster: ApiCluster,
  definition: ResourceDefinition,
  object: KubernetesObject,
  dryRun: boolean,
): Promise<Companions> {
  const collection = collectionOf(definition);
  if (collection === "services") return allocateForService(cluster, object as Service, dryRun);
  if (collection === "pods") return claimOfNewPod(cluster, object as Pod);
  if (collection === "nodes") return claimsOfNewNode(cluster, object as Node);
  return none;
}

export async function companionsOfUpdate(
  cluster: ApiCluster,
  definition: ResourceDefinition,
  next: KubernetesObject,
  live: KubernetesObject,
): Promise<Companions> {
  const collection = collectionOf(definition);
  if (collection === "services") return reallocateForService(cluster, next as Service, live as Service);
  if (collection === "pods") return releaseOfPod(cluster, live as Pod, next as Pod);
  return none;
}

/** What is given back with an object that goes. */
export async function companionsOfDelete(cluster: ApiCluster, definition: ResourceDefinition, last: KubernetesObject): Promise<Companions> {
  const collection = collectionOf(definition);
  if (collection === "services") return releaseOfService(cluster, last as Service);
  if (collection === "pods") return releaseOfPod(cluster, last as Pod, undefined);
  if (collection === "nodes") return releaseOfNode(cluster, last as Node);
  return none;
}
