import { cloneJson } from "../kubernetes/clone.ts";
import { deepEqual } from "../kubernetes/deep-equal.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import type { ResourceDefinition } from "../kubernetes/resources.ts";
import { same } from "../kubernetes/schema/validation/object-meta.ts";
import type { ObjectMeta } from "../kubernetes/types.ts";
import { asRecord } from "./field-managers.ts";
import type { UpdateSubresource } from "./registry.ts";
import { type Body, strategyOf } from "./strategy.ts";

export const hasStatus = (definition: ResourceDefinition): boolean => definition.subresources.some(({ name }) => name === "status");

/** The metadata of an object that is made: what the server owns is not the client's to give (`rest.BeforeCreate`). */
export function newMetadata(
  given: ObjectMeta,
  definition: ResourceDefinition,
  namespace: string,
  born: { readonly uid: string; readonly creationTimestamp: string },
): ObjectMeta {
  const {
    uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    resourceVersion,
    selfLink,
    generation: asked,
    managedFields,
    namespace: _n,
    ...kept
  } = given;
  const { generation } = strategyOf(definition);
  return {
    ...kept,
    ...(definition.namespaced && { namespace }),
    uid: born.uid,
    creationTimestamp: born.creationTimestamp,
    ...(generation === true || generation === "first" ? { generation: 1 } : (asked ?? 0) !== 0 && { generation: asked }),
  };
}

const serverOwned = ["creationTimestamp", "generation", "namespace", "resourceVersion"] as const;
const onceSet = ["uid", "deletionTimestamp", "deletionGracePeriodSeconds"] as const;
const notFromClient: ReadonlySet<string> = new Set([...serverOwned, ...onceSet, "selfLink"]);

/**
 * What the server owns in metadata stays as it is, whatever the client sent; what it gives once, a client may repeat or leave out, and
 * validation refuses anything else (`rest.BeforeUpdate`). Nothing is deleted here: V8 turns such an object into a slow one for good.
 */
export function keptMetadata(next: ObjectMeta, live: ObjectMeta): ObjectMeta {
  const kept: ObjectMeta = {};
  const owned: Record<string, unknown> = asRecord(kept);
  for (const field in next) if (!notFromClient.has(field)) owned[field] = next[field as keyof ObjectMeta];
  for (const field of serverOwned) if (live[field] !== undefined) owned[field] = live[field];
  const given = {
    uid: next.uid === "" ? undefined : next.uid,
    deletionTimestamp: live.deletionTimestamp ?? next.deletionTimestamp,
    deletionGracePeriodSeconds: next.deletionGracePeriodSeconds,
  };
  for (const field of onceSet) {
    const value = given[field] ?? live[field];
    if (value !== undefined) owned[field] = value;
  }
  kept.name ??= live.name ?? "";
  return kept;
}

/** A write through the resource leaves the status as it was, one through the status everything else. */
export function keepOtherPart(definition: ResourceDefinition, subresource: UpdateSubresource, next: Body, before: Body): void {
  if (subresource === "status") keepAllButStatus(next, before);
  else if (subresource !== "approval" && subresource !== "binding" && hasStatus(definition)) restoreStatus(next, before);
}

function keepAllButStatus(next: Body, before: Body): void {
  const { kind: _kind, apiVersion: _version, metadata: _metadata, status: _status, ...desired } = before;
  for (const field of Object.keys(next)) if (!(field in before) && field !== "status") Reflect.deleteProperty(next, field);
  Object.assign(next, cloneJson(desired));
}

export function restoreStatus(next: Body, { status }: Body): void {
  if (status === undefined) delete next.status;
  else next.status = status;
}

/** Whether a change raises the generation. A custom object without a status of its own has no other field apart. */
export function countsAsChange(definition: ResourceDefinition, next: Body, live: Body): boolean {
  const { generation, countedMetadata } = strategyOf(definition);
  if (generation !== true && generation !== "later") return false;
  const { metadata, status, ...desired } = next;
  const { metadata: liveMetadata, status: liveStatus, ...before } = live;
  if (countedMetadata !== undefined && !same(metadata[countedMetadata], liveMetadata[countedMetadata])) return true;
  const withStatus = definition.custom !== undefined && !hasStatus(definition);
  return !deepEqual(desired, before) || (withStatus && !deepEqual(status, liveStatus));
}

/** The last finalizer has gone, or the node has confirmed that the pod ended: nothing holds the object any more. */
export function isFinished(next: Body, live: KubernetesObject): boolean {
  if (live.metadata.deletionTimestamp === undefined || (next.metadata.finalizers?.length ?? 0) > 0) return false;
  const specFinalizers = next.kind === "Namespace" ? next.spec?.finalizers : undefined;
  if (Array.isArray(specFinalizers) && specFinalizers.length > 0) return false;
  return (next.metadata.deletionGracePeriodSeconds ?? 0) === 0;
}
