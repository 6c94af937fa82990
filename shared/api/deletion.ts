import { cloneJson } from "../kubernetes/clone.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { type ResourceDefinition, storedAs } from "../kubernetes/resources.ts";
import type { StoredObject } from "../store/store.ts";
import { LazyObject, serialize } from "../store/stored-entry.ts";
import type { AdmissionContext } from "./admission/attributes.ts";
import { admitRequest } from "./admission.ts";
import { timestamp } from "./api-cluster.ts";
import { needsWebhook, showFresh } from "./conversion/converted-objects.ts";
import type { DeleteOptions } from "./object-client.ts";
import { keyOf, type Registry } from "./registry.ts";
import { conflict, notFound } from "./response.ts";
import { type Body, strategyOf } from "./strategy.ts";

export interface Deletion {
  /** The object as it was deleted, or as it waits for its finalizers or its grace period. */
  readonly object: StoredObject;
  readonly gone: boolean;
}

const attempts = 30;

/**
 * Deletes as k8s.io/apiserver's `rest.BeforeDelete` and the generic store do: preconditions, grace, propagation by finalizers;
 * an object that something still holds gets a deletion timestamp, one that nothing holds goes. `admit` is asked about each state that is to go.
 */
export async function deleteObject(
  registry: Registry,
  served: ResourceDefinition,
  namespace: string,
  name: string,
  options: DeleteOptions,
  context: AdmissionContext,
  admit = admitRequest,
): Promise<Deletion> {
  const definition = storedAs(served);
  /** The grace that an object has by itself is settled before admission is asked. */
  const shownTo = (next: Body, live: StoredObject): AdmissionContext => {
    if (!strategyOf(definition).gracePeriodSeconds || live.object.metadata.deletionTimestamp !== undefined) return context;
    return { ...context, options: { ...context.options, gracePeriodSeconds: next.metadata.deletionGracePeriodSeconds ?? 0 } };
  };
  for (let attempt = 0; ; attempt++) {
    const live = await registry.latest(keyOf(definition, namespace, name));
    if (!live) throw notFound(served.group, served.resource, name);
    checkPreconditions(served, live, options);
    const attributes = { served, definition, schema: undefined, subresource: "", namespace: live.key.namespace, name };
    const shown = needsWebhook(definition) ? await showFresh(registry.cluster, definition, live) : live;
    const next = marked(definition, live.object, options, registry.cluster.clock.now());
    await admit(registry.cluster, { ...attributes, operation: "DELETE", oldObject: shown.object, context: shownTo(next, live) });
    const gone = isFree(next);
    if (context.dryRun) return { object: new LazyObject(live.key, live.revision, serialize(next), next), gone };
    if (!gone && sameDeletion(next, live.object) && (await registry.lasts(live))) return { object: live, gone };
    const entry = gone ? await registry.remove(definition, live, next) : await registry.replace(definition, live, next);
    if (entry) return { object: entry, gone };
    if (options.resourceVersion !== undefined || attempt >= attempts) throw conflict(served.group, served.resource, name);
  }
}

function checkPreconditions(definition: ResourceDefinition, live: StoredObject, options: DeleteOptions): void {
  const { uid = "" } = live.object.metadata;
  // The kind in the place of the resource, as apiserver's `BeforeDelete` has it.
  const fail = (what: string, wanted: string, found: string, why: string): Error =>
    conflict(
      definition.group,
      definition.kind,
      live.key.name,
      `the ${what} in the precondition (${wanted}) does not match the ${what} in record (${found}). The object might have been ${why}`,
    );
  if (options.uid !== undefined && options.uid !== uid) throw fail("UID", options.uid, uid, "deleted and then recreated");
  if (options.resourceVersion !== undefined && options.resourceVersion !== String(live.revision)) {
    throw fail("ResourceVersion", options.resourceVersion, String(live.revision), "modified");
  }
}

/** The next state of an object whose deletion was asked for. */
function marked(definition: ResourceDefinition, live: KubernetesObject, options: DeleteOptions, nowMs: number): Body {
  const strategy = strategyOf(definition);
  const next: Body = cloneJson(live);
  const { metadata } = next;
  if (metadata.deletionTimestamp === undefined) strategy.prepareDeletion?.(next, timestamp(nowMs));
  const finalizers = new Set(metadata.finalizers ?? []);
  const policy = options.propagationPolicy ?? (hasDependentsPolicy(finalizers) ? undefined : strategy.defaultPropagation);
  if (policy !== undefined) {
    finalizers.delete("orphan");
    finalizers.delete("foregroundDeletion");
    if (policy === "Orphan") finalizers.add("orphan");
    if (policy === "Foreground") finalizers.add("foregroundDeletion");
  }
  delete metadata.finalizers;
  if (finalizers.size > 0) metadata.finalizers = [...finalizers];

  const grace = strategy.gracePeriodSeconds?.(next, options.gracePeriodSeconds) ?? 0;
  const already = metadata.deletionGracePeriodSeconds;
  if (metadata.deletionTimestamp !== undefined && already !== undefined) {
    if (!strategy.gracePeriodSeconds || options.gracePeriodSeconds === undefined || grace >= already) return next;
    metadata.deletionTimestamp = timestamp(Date.parse(metadata.deletionTimestamp) - (already - grace) * 1000);
    metadata.deletionGracePeriodSeconds = grace;
    return next;
  }
  const held = grace > 0 || finalizers.size > 0 || specFinalizers(next) > 0;
  if (!held && !strategy.gracePeriodSeconds) return next;
  metadata.deletionTimestamp = timestamp(nowMs + grace * 1000);
  metadata.deletionGracePeriodSeconds = grace;
  // The registries of these two mark what they delete themselves.
  if (next.kind === "Namespace" || next.kind === "CustomResourceDefinition") delete metadata.deletionGracePeriodSeconds;
  else if (metadata.generation !== undefined) metadata.generation += 1;
  if (next.kind === "Namespace") next.status = { ...next.status, phase: "Terminating" };
  return next;
}

const hasDependentsPolicy = (finalizers: ReadonlySet<string>): boolean => finalizers.has("orphan") || finalizers.has("foregroundDeletion");

function specFinalizers(object: Body): number {
  return object.kind === "Namespace" && Array.isArray(object.spec?.finalizers) ? object.spec.finalizers.length : 0;
}

const isFree = (object: Body): boolean =>
  (object.metadata.finalizers?.length ?? 0) === 0 &&
  specFinalizers(object) === 0 &&
  (object.metadata.deletionGracePeriodSeconds ?? 0) === 0;

function sameDeletion(next: KubernetesObject, live: KubernetesObject): boolean {
  const [a, b] = [next.metadata, live.metadata];
  return (
    a.deletionTimestamp === b.deletionTimestamp &&
    a.deletionGracePeriodSeconds === b.deletionGracePeriodSeconds &&
    (a.finalizers ?? []).join() === (b.finalizers ?? []).join()
  );
}
