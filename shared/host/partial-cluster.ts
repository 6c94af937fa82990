import { isVirtual } from "../api/handlers/virtual.ts";
import type { ApiRequest } from "../api/request-info.ts";
import { parseRequest } from "../api/request-info.ts";
import { impersonationPrefix } from "../auth/impersonation.ts";
import { nodeNameOf } from "../auth/node-user.ts";
import type { ServiceAccountBinding, VerifiedToken } from "../auth/token.ts";
import {
  clusterRoleBindings,
  clusterRoles,
  customResourceDefinitions,
  nodes,
  pods,
  roleBindings,
  roles,
  secrets,
  serviceAccounts,
} from "../kubernetes/known-resources.ts";
import { collectionOf, type ObjectKey } from "../kubernetes/object.ts";
import { findResource, storageResource } from "../kubernetes/resources.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import { Mirror } from "../store/mirror.ts";
import type { Head, Store, StoredObject } from "../store/store.ts";
import { type ClusterRuntime, type ClusterRuntimeOptions, serveMirror } from "./cluster-runtime.ts";
import { overStore } from "./over-store.ts";

/** What of a cluster one request has to see. */
export interface Needs {
  readonly objects: readonly ObjectKey[];
  /** Names of collections, whole. */
  readonly collections: readonly string[];
}

const rbac = [roles, roleBindings, clusterRoles, clusterRoleBindings].map(collectionOf);
const mighty = "system:masters";

/**
 * What a read needs of its cluster: the object or the collection, what decides whether the user may see it, and what a token is bound to. `undefined` where that
 * cannot be told beforehand: writes, watches, reads of old revisions, custom resources.
 */
export function needsOf(request: ApiRequest, { user, binding }: VerifiedToken): Needs | undefined {
  if (request.method !== "GET" && request.method !== "HEAD") return undefined;
  if (request.headersFrom(impersonationPrefix).length > 0) return undefined;
  // What a node may see hangs on the pods that run on it.
  if (nodeNameOf(user) !== undefined) return undefined;
  try {
    const { resource: target, query, path } = parseRequest(request.method, request.url);
    if (path === "/metrics") return undefined;
    const collections = user.groups.includes(mighty) ? [] : [...rbac];
    const objects = binding ? boundObjects(binding) : [];
    if (!target) return { objects, collections: [...collections, collectionOf(customResourceDefinitions)] };
    const served = findResource(target.group, target.version, target.resource);
    if (!served || isVirtual(served) || target.subresource !== "" || !["", "0"].includes(query.get("resourceVersion") ?? ""))
      return undefined;
    const { group, resource, namespaced } = storageResource(served) ?? served;
    if (target.verb === "get") {
      const key = { group, resource, namespace: namespaced ? target.namespace : "", name: target.name };
      return { objects: [...objects, key], collections };
    }
    if (target.verb !== "list" || query.has("continue")) return undefined;
    return { objects, collections: [...collections, collectionOf({ group, resource })] };
  } catch (error) {
    // Whoever serves it says what is wrong with it.
    if (isStatus(error)) return undefined;
    throw error;
  }
}

function boundObjects({ namespace, serviceAccount, secret, keptIn, pod, node }: ServiceAccountBinding): ObjectKey[] {
  return [
    { ...serviceAccounts, namespace, name: serviceAccount.name },
    ...(secret ? [{ ...secrets, namespace, name: secret.name }] : []),
    ...(keptIn ? [{ ...secrets, namespace, name: keptIn.name }] : []),
    ...(pod ? [{ ...pods, namespace, name: pod.name }] : []),
    ...(node ? [{ ...nodes, namespace: "", name: node.name }] : []),
  ];
}

/** A cluster with no more in it than that, as of now: good for one request. @throws StoreError `NoSuchCluster` */
export async function openPartialCluster(
  { cluster: ref }: VerifiedToken,
  { objects, collections }: Needs,
  options: ClusterRuntimeOptions,
): Promise<ClusterRuntime> {
  const { store } = options;
  const [head, found, lists] = await Promise.all([
    collections.length === 0 ? store.head(ref) : undefined,
    objects.length > 0 ? store.latest(ref, objects) : [],
    Promise.all([...new Set(collections)].map((collection) => store.snapshot(ref, collection))),
  ]);
  const held = new Map<string, StoredObject>();
  for (const stored of [...found, ...lists.flatMap((list) => list.objects)])
    if (stored) held.set(`${collectionOf(stored.key)}/${stored.key.namespace}/${stored.key.name}`, stored);
  const revision = Math.min(...lists.map((list) => list.revision), head?.revision ?? Number.POSITIVE_INFINITY);
  const known: Head = { revision, floor: 0 };
  return serveMirror(ref, Mirror.holding(revision, [...held.values()]), { ...options, store: asOf(store, known) });
}

/** What was read just now is the newest that a request which came before can ask for. */
const asOf = (store: Store, head: Head): Store => overStore(store, { head: () => Promise.resolve(head) });
