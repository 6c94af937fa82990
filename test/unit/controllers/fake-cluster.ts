import { applyPatch, type Operation } from "rfc6902";
import type { BindOutcome, DeleteOptions, ObjectClient, Patch } from "../../../shared/api/object-client.ts";
import { namespaces, pods } from "../../../shared/kubernetes/known-resources.ts";
import { collectionOf, type GroupResource, type KubernetesObject } from "../../../shared/kubernetes/object.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";
import type { Namespace, Pod } from "../../../shared/kubernetes/types.ts";
import type { LogEntry, StoredObject } from "../../../shared/store/store.ts";
import type { Change, ClusterView } from "../../../shared/store/view.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";

type Json = Record<string, unknown>;
type Subresource = "status" | "scale" | "finalize" | "approval";

/** Answers an error to fail a request before it takes effect. */
type Interception = (request: {
  verb: "create" | "update" | "patch" | "delete";
  resource: GroupResource;
  object: { namespace: string; name: string };
  subresource: Subresource | undefined;
}) => Error | undefined;

/**
 * A cluster in memory behind the two ports that controllers know. It keeps the rules they lean on: revisions and conflicts, uid and
 * resource-version preconditions, generations, status apart from spec, generateName, finalizers, grace for bound pods, propagation
 * policies, the finalizers of namespaces. It neither defaults nor validates.
 */
export interface FakeCluster {
  readonly view: ClusterView;
  readonly client: ObjectClient;
  readonly clock: FakeClock;
  /** Every write that took effect, `verb resource namespace/name`, oldest first. */
  readonly writes: string[];
  intercept(interception: Interception | undefined): void;
  get<T extends KubernetesObject>(resource: GroupResource, namespace: string, name: string): T | undefined;
  all<T extends KubernetesObject>(resource: GroupResource, namespace?: string): T[];
  /** Replaces what `change` answers (or changes in place), whatever is protected from clients: for statuses and times. */
  edit<T extends KubernetesObject>(resource: GroupResource, namespace: string, name: string, change: (object: T) => T | undefined): void;
  /** Ends a pod the way a kubelet does once its containers are gone. */
  kill(namespace: string, name: string): void;
}

const separator = "\u0001";
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

export function createFakeCluster(clock: FakeClock = createFakeClock()): FakeCluster {
  let revision = 1;
  let uids = 0;
  let suffixes = 0;
  const objects = new Map<string, StoredObject>();
  const listeners = new Set<(changes: readonly Change[]) => void>();
  const writes: string[] = [];
  let interception: Interception | undefined;

  const pathOf = (resource: GroupResource, namespace: string, name: string): string =>
    [collectionOf(resource), namespace, name].join(separator);
  const timestamp = (afterSeconds = 0): string => `${new Date(clock.now() + afterSeconds * 1000).toISOString().slice(0, 19)}Z`;
  const missing = ({ resource, group }: GroupResource, name: string): StatusError =>
    new StatusError("NotFound", `${group === "" ? resource : `${resource}.${group}`} "${name}" not found`);
  const conflict = ({ resource }: GroupResource, name: string): StatusError =>
    new StatusError("Conflict", `Operation cannot be fulfilled on ${resource} "${name}": the object has been modified`);
  const check = (
    verb: "create" | "update" | "patch" | "delete",
    resource: GroupResource,
    namespace: string,
    name: string,
    subresource?: Subresource,
  ): void => {
    const error = interception?.({ verb, resource, object: { namespace, name }, subresource });
    if (error) throw error;
    writes.push(`${verb} ${resource.resource}${subresource === undefined ? "" : `/${subresource}`} ${namespace}/${name}`);
  };

  const write = (resource: GroupResource, object: KubernetesObject, type: LogEntry["type"]): StoredObject => {
    const { namespace = "", name = "" } = object.metadata;
    const path = pathOf(resource, namespace, name);
    const previous = objects.get(path);
    revision++;
    object.metadata.resourceVersion = String(revision);
    const key = { group: resource.group, resource: resource.resource, namespace, name };
    const stored: StoredObject = { key, revision, object, bytes: Buffer.from(JSON.stringify(object)) };
    if (type === "DELETED") objects.delete(path);
    else objects.set(path, stored);
    for (const listener of [...listeners]) listener([{ ...stored, type, previous }]);
    return stored;
  };
  const mustGet = (resource: GroupResource, namespace: string, name: string): StoredObject => {
    const stored = objects.get(pathOf(resource, namespace, name));
    if (!stored) throw missing(resource, name);
    return stored;
  };
  const hasFinalizers = (object: KubernetesObject & { spec?: { finalizers?: unknown[] } }): boolean =>
    (object.metadata.finalizers ?? []).length > 0 || (object.spec?.finalizers ?? []).length > 0;
  /** Stores the next state, or ends the object when that was what its last finalizer waited for. */
  const settle = (resource: GroupResource, next: KubernetesObject): StoredObject => {
    const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = next.metadata;
    const gone = deletionTimestamp !== undefined && !hasFinalizers(next) && deletionGracePeriodSeconds === 0;
    return write(resource, next, gone ? "DELETED" : "MODIFIED");
  };
  const replace = (resource: GroupResource, given: KubernetesObject, subresource: Subresource | undefined): StoredObject => {
    const { namespace = "", name = "", resourceVersion, uid } = given.metadata;
    const live = mustGet(resource, namespace, name);
    if (uid !== undefined && uid !== live.object.metadata.uid) throw conflict(resource, name);
    if (resourceVersion !== undefined && resourceVersion !== String(live.revision)) throw conflict(resource, name);
    const before = structuredClone(live.object) as KubernetesObject & Json;
    const wanted = structuredClone(given) as KubernetesObject & Json;
    let next: KubernetesObject & Json;
    if (subresource === "status" || subresource === "approval") {
      const { labels, annotations, finalizers } = wanted.metadata;
      const kept = { ...(labels && { labels }), ...(annotations && { annotations }), ...(finalizers && { finalizers }) };
      const metadata = { ...before.metadata, ...kept };
      next = { ...before, metadata, status: wanted.status };
    } else if (subresource === "finalize") next = { ...before, spec: wanted.spec };
    else {
      const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation = 1 } = before.metadata;
      const changed = !same(before.spec, wanted.spec) && wanted.spec !== undefined;
      const metadata = { ...wanted.metadata, uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds };
      next = { ...wanted, metadata: JSON.parse(JSON.stringify({ ...metadata, generation: changed ? generation + 1 : generation })) };
      if (before.status !== undefined) next.status = before.status;
      else delete next.status;
    }
    const unchanged = same(
      { ...next, metadata: { ...next.metadata, resourceVersion: "" } },
      { ...before, metadata: { ...before.metadata, resourceVersion: "" } },
    );
    return unchanged ? live : settle(resource, next);
  };
  const mark = (resource: GroupResource, stored: StoredObject, options: DeleteOptions): void => {
    const next = structuredClone(stored.object);
    const pod = next as Pod;
    const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    const graceful = collectionOf(resource) === "pods" && (pod.spec?.nodeName ?? "") !== "" && !ended;
    const graceSeconds = graceful ? (options.gracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30) : 0;
    const finalizers = new Set(next.metadata.finalizers ?? []);
    if (options.propagationPolicy !== undefined) {
      finalizers.delete("orphan");
      finalizers.delete("foregroundDeletion");
    }
    if (options.propagationPolicy === "Orphan") finalizers.add("orphan");
    if (options.propagationPolicy === "Foreground") finalizers.add("foregroundDeletion");
    if (finalizers.size > 0) next.metadata.finalizers = [...finalizers];
    else delete next.metadata.finalizers;
    next.metadata.deletionTimestamp ??= timestamp(graceSeconds);
    next.metadata.deletionGracePeriodSeconds = Math.min(graceSeconds, next.metadata.deletionGracePeriodSeconds ?? graceSeconds);
    if (collectionOf(resource) === "namespaces") (next as Namespace).status = { ...(next as Namespace).status, phase: "Terminating" };
    if (same(next, stored.object)) return;
    settle(resource, next);
  };

  const client: ObjectClient = {
    async create(resource, given) {
      const object = structuredClone(given) as KubernetesObject & Json;
      const { metadata } = object;
      if ((metadata.name ?? "") === "" && metadata.generateName !== undefined) {
        metadata.name = `${metadata.generateName.slice(0, 58)}${(++suffixes).toString().padStart(5, "x")}`;
      }
      const { namespace = "", name = "" } = metadata;
      check("create", resource, namespace, name);
      const home = namespace === "" ? undefined : objects.get(pathOf(namespaces, "", namespace));
      if (home?.object.metadata.deletionTimestamp !== undefined) {
        const message = `${resource.resource} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`;
        throw new StatusError("Forbidden", message, { causes: [{ reason: "NamespaceTerminating", field: "metadata.namespace" }] });
      }
      if (objects.has(pathOf(resource, namespace, name))) {
        throw new StatusError("AlreadyExists", `${resource.resource} "${name}" already exists`);
      }
      uids++;
      metadata.uid ??= `00000000-0000-4000-8000-${uids.toString().padStart(12, "0")}`;
      metadata.creationTimestamp ??= timestamp();
      if (object.spec !== undefined) metadata.generation ??= 1;
      return write(resource, object, "ADDED");
    },
    async update(resource, object, options = {}) {
      check("update", resource, object.metadata.namespace ?? "", object.metadata.name ?? "", options.subresource);
      return replace(resource, object, options.subresource);
    },
    async patch(resource, namespace, name, patch, options = {}) {
      check("patch", resource, namespace, name, options.subresource);
      return replace(resource, patched(mustGet(resource, namespace, name).object, patch), options.subresource);
    },
    async delete(resource, namespace, name, options = {}) {
      check("delete", resource, namespace, name);
      const stored = mustGet(resource, namespace, name);
      const { uid, resourceVersion } = stored.object.metadata;
      if (options.uid !== undefined && options.uid !== uid) throw conflict(resource, name);
      if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) throw conflict(resource, name);
      mark(resource, stored, options);
    },
    async bind(bindings) {
      return bindings.map(({ namespace, name, uid, nodeName }): BindOutcome => {
        const stored = objects.get(pathOf(pods, namespace, name));
        const pod = stored && (structuredClone(stored.object) as Pod);
        if (!pod || pod.metadata.uid !== uid || pod.metadata.deletionTimestamp !== undefined) return { kind: "stale" };
        if ((pod.spec?.nodeName ?? "") !== "") return { kind: "stale" };
        pod.spec = { containers: [], ...pod.spec, nodeName };
        write(pods, pod, "MODIFIED");
        return { kind: "bound" };
      });
    },
  };
  const list = (resource: GroupResource, namespace?: string): StoredObject[] =>
    [...objects.values()]
      .filter(({ key }) => collectionOf(key) === collectionOf(resource) && (namespace === undefined || key.namespace === namespace))
      .sort((a, b) => compare(a.key.namespace, b.key.namespace) || compare(a.key.name, b.key.name));
  const view: ClusterView = {
    get revision() {
      return revision;
    },
    get: (resource, namespace, name) => objects.get(pathOf(resource, namespace, name)),
    list,
    count: (resource, namespace) => list(resource, namespace).length,
    ownedBy: (uid) => [...objects.values()].filter(({ object }) => object.metadata.ownerReferences?.some((owner) => owner.uid === uid)),
    podsOnNode: (nodeName) => list(pods).filter(({ object }) => (object as Pod).spec?.nodeName === nodeName),
    resources: () => [
      ...new Map([...objects.values()].map(({ key }) => [collectionOf(key), { group: key.group, resource: key.resource }])).values(),
    ],
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    view,
    client,
    clock,
    writes,
    intercept(given) {
      interception = given;
    },
    get: <T extends KubernetesObject>(resource: GroupResource, namespace: string, name: string) =>
      objects.get(pathOf(resource, namespace, name))?.object as T | undefined,
    all: <T extends KubernetesObject>(resource: GroupResource, namespace?: string) =>
      list(resource, namespace).map(({ object }) => object as T),
    edit(resource, namespace, name, change) {
      const copy = structuredClone(mustGet(resource, namespace, name).object);
      write(resource, change(copy as Parameters<typeof change>[0]) ?? copy, "MODIFIED");
    },
    kill(namespace, name) {
      const copy = structuredClone(mustGet(pods, namespace, name).object);
      copy.metadata.deletionGracePeriodSeconds = 0;
      copy.metadata.deletionTimestamp ??= timestamp();
      settle(pods, copy);
    },
  };
}

function patched(live: KubernetesObject, patch: Patch): KubernetesObject {
  const document = structuredClone(live);
  if (patch.type === "json") {
    for (const error of applyPatch(document, structuredClone(patch.body) as Operation[]))
      if (error) throw new StatusError("Invalid", error.message);
    return document;
  }
  return merged(document, patch.body) as KubernetesObject;
}

const deleteFromList = "$deleteFromPrimitiveList/";

/** RFC 7396. Strategic patches are merged alike here: lists are replaced, or lose scalars by directive. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Json = typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else if (name.startsWith(deleteFromList) && Array.isArray(value)) {
      const list = name.slice(deleteFromList.length);
      const left = [result[list] ?? []].flat().filter((one) => !value.includes(one));
      if (left.length > 0) result[list] = left;
      else delete result[list];
    } else result[name] = merged(result[name], value);
  }
  return result;
}
