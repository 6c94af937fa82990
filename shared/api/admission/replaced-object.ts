import { deepEqual } from "../../kubernetes/deep-equal.ts";
import type { KubernetesObject } from "../../kubernetes/object.ts";
import { StatusError } from "../../kubernetes/status-error.ts";
import { asRecord } from "../field-managers.ts";
import type { AdmissionAttributes } from "./attributes.ts";

/** Puts what a webhook or a policy made of an object in the place of what `attributes.object` holds: whoever holds it sees the change. Answers whether there is one. */
export function replaceObject({ operation, object, schema, subresource }: AdmissionAttributes, changed: KubernetesObject): boolean {
  if (!object) return false;
  const { namespace: given } = changed.metadata ?? {};
  if (given && given !== object.metadata.namespace && (operation === "CREATE" || operation === "UPDATE"))
    throw new StatusError("BadRequest", "the namespace of the provided object does not match the namespace sent on the request", {});
  const before = { ...object };
  for (const field of Object.keys(object)) Reflect.deleteProperty(object, field);
  Object.assign(object, protectedFrom(asRecord(changed), asRecord(before), subresource));
  schema?.prune(asRecord(object));
  schema?.applyDefaults(asRecord(object));
  return !deepEqual(before, object);
}

const serverOwned = [
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "resourceVersion",
  "namespace",
];

/** What is not theirs to change stays: the server's part of metadata, and the status but for a request about the status, which changes nothing else. */
function protectedFrom(changed: Record<string, unknown>, before: Record<string, unknown>, subresource: string): Record<string, unknown> {
  const metadata: Record<string, unknown> = { ...asRecord(changed.metadata ?? {}) };
  const owned = asRecord(before.metadata ?? {});
  for (const field of serverOwned) {
    if (owned[field] === undefined) delete metadata[field];
    else metadata[field] = owned[field];
  }
  if (subresource === "status") return { ...before, metadata, ...("status" in changed && { status: changed.status }) };
  const { status: _status, ...rest } = changed;
  return { ...rest, ...("status" in before && { status: before.status }), metadata };
}
