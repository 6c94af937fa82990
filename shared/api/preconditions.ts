import type { ObjectKey } from "../kubernetes/object.ts";
import type { ResourceDefinition } from "../kubernetes/resources.ts";
import { invalidStatus } from "../kubernetes/schema/invalid.ts";
import type { StatusError } from "../kubernetes/status-error.ts";
import type { StoredObject } from "../store/store.ts";
import { conflict, noVersion } from "./response.ts";

export interface UpdatePreconditions {
  /** Condition on the live object's revision, as the client wrote it; absent where it is 0, which stands for none. */
  readonly resourceVersion?: string;
  readonly uid?: string;
  /** A PUT: kinds that are not overwritten blindly ask for the version that is replaced. */
  readonly replaces?: boolean;
}

/**
 * Whether the live object is the one that the update means, in the order of k8s.io/apiserver: the store looks at the uid, then the registry at
 * the version. `unconditional`: a PUT need not name the version. @throws StatusError `Conflict`, `Invalid`
 */
export function checkPreconditions(
  definition: ResourceDefinition,
  live: StoredObject,
  { resourceVersion, uid, replaces = false }: UpdatePreconditions,
  unconditional: boolean,
): void {
  const { name } = live.key;
  if (uid !== undefined && uid !== live.object.metadata.uid) throw uidMismatch(definition, live.key, uid, live.object.metadata.uid);
  if (replaces && resourceVersion === undefined && !unconditional) throw versionMissing(definition, name);
  if (resourceVersion === undefined) return;
  if (!/^\d+$/.test(resourceVersion)) throw noVersion(resourceVersion);
  if (resourceVersion !== String(live.revision)) throw conflict(definition.group, definition.resource, name);
}

/** The conflict of a uid with what is stored under the name, in the words of etcd's client; `found` is empty where nothing is. */
export const uidMismatch = (definition: ResourceDefinition, key: ObjectKey, wanted: string, found = ""): StatusError =>
  storageConflict(definition, key, "UID", wanted, found);

/** The same for the version that a binding names. */
export const versionMismatch = (definition: ResourceDefinition, key: ObjectKey, wanted: string, found: string): StatusError =>
  storageConflict(definition, key, "ResourceVersion", wanted, found);

function storageConflict(definition: ResourceDefinition, key: ObjectKey, what: string, wanted: string, found: string): StatusError {
  const why = `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${found}`;
  const text = `StorageError: invalid object, Code: 4, Key: ${etcdKey(definition, key)}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;
  return conflict(key.group, key.resource, key.name, text);
}

/** Where Kubernetes' own places in etcd are not named after the resource. */
const etcdPlaces: Readonly<Record<string, string>> = {
  services: "services/specs",
  endpoints: "services/endpoints",
  nodes: "minions",
  replicationcontrollers: "controllers",
  "networking.k8s.io/ingresses": "ingress",
  "apiregistration.k8s.io/apiservices": "apiregistration.k8s.io/apiservices",
  "apiextensions.k8s.io/customresourcedefinitions": "apiextensions.k8s.io/customresourcedefinitions",
};

/** The key under which kube-apiserver would keep the object. */
function etcdKey({ custom }: ResourceDefinition, { group, resource, namespace, name }: ObjectKey): string {
  const collection = group === "" ? resource : `${group}/${resource}`;
  const place = etcdPlaces[collection] ?? (custom ? collection : resource);
  return ["/registry", place, ...(namespace === "" ? [] : [namespace]), name].join("/");
}

/** As the generic registry says it, which knows the resource and not its kind, and prints the version as Go prints an unsigned number. */
const versionMissing = ({ group, resource }: ResourceDefinition, name: string): StatusError =>
  invalidStatus(resource, group, name, [
    {
      reason: "FieldValueInvalid",
      field: "metadata.resourceVersion",
      message: "Invalid value: 0x0: must be specified for an update",
    },
  ]);
