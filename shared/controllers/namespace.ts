import { namespaces, pods } from "../kubernetes/known-resources.ts";
import type { GroupResource } from "../kubernetes/object.ts";
import { isStatus } from "../kubernetes/status-error.ts";
import type { Namespace } from "../kubernetes/types.ts";
import type { StoredObject } from "../store/store.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import { forEachBounded } from "./bounded.ts";
import type { Controller, ControllerContext, ReconcileOutcome } from "./controller.ts";
import { messageOf, unlessMissing } from "./failures.ts";
import { namespaceConditions, type RemainingContent, withConditions } from "./namespaces/deletion-conditions.ts";
import { isOf } from "./same-resource.ts";

const finalizer = "kubernetes";
const done: ReconcileOutcome = { kind: "done" };
/** Deletions under way at once in one namespace. */
const parallelDeletions = 50;
/** How long to wait before looking again at content that has finalizers (`finalizerEstimateSeconds`). */
const lookAgainMs = 15_000;

/**
 * Empties a namespace that is being deleted and then lets it go: first the pods, and when the last of them is gone everything else
 * (KEP-5080), each with its finalizers and grace. What is left is told in the namespace's conditions.
 */
export function createNamespaceController(): Controller {
  return {
    name: "namespace",
    allKeys: (view) =>
      view
        .list(namespaces)
        .filter(isTerminating)
        .map(({ key }) => key.name),
    keysOf(change, view) {
      if (isOf(namespaces, change.key)) return change.type !== "DELETED" && isTerminating(change) ? [change.key.name] : [];
      if (change.type === "MODIFIED" || change.key.namespace === "") return [];
      const home = view.get(namespaces, "", change.key.namespace);
      return home && isTerminating(home) ? [home.key.name] : [];
    },
    async reconcile(key, context) {
      const stored = context.view.get(namespaces, "", key);
      if (!stored || !isTerminating(stored)) return done;
      const namespace = objectOf<Namespace>(stored);
      if (!namespace.spec?.finalizers?.includes(finalizer)) return done;
      const { failures, remaining } = await empty(key, context);
      if (failures.length === 0 && remaining.count === 0) {
        await finalize(namespace, context);
        return done;
      }
      await tell(namespace, failures, remaining, context);
      if (failures.length > 0) throw failures[0];
      return { kind: "again", afterMs: lookAgainMs };
    },
  };
}

const isTerminating = ({ object }: StoredObject): boolean => object.metadata.deletionTimestamp !== undefined;

async function empty(
  namespace: string,
  { view, client }: ControllerContext,
): Promise<{ failures: unknown[]; remaining: RemainingContent }> {
  const remove = async (resources: readonly GroupResource[]): Promise<unknown[]> => {
    const doomed = resources.flatMap((resource) => view.list(resource, namespace)).filter((stored) => !isTerminating(stored));
    return forEachBounded(doomed, parallelDeletions, async ({ key, object: { metadata } }) => {
      const { uid } = metadata;
      try {
        await unlessMissing(
          client.delete(key, namespace, key.name, { propagationPolicy: "Background", ...(uid !== undefined && { uid }) }),
        );
      } catch (error) {
        // Another object of that name: the next look takes it.
        if (!isStatus(error, "Conflict")) throw error;
      }
    });
  };
  const failures = await remove([pods]);
  if (view.count(pods, namespace) > 0) return { failures, remaining: remainingOf([pods], namespace, view) };
  failures.push(...(await remove(view.resources())));
  return { failures, remaining: remainingOf(view.resources(), namespace, view) };
}

function remainingOf(resources: readonly GroupResource[], namespace: string, view: ClusterView): RemainingContent {
  const byResource = new Map<string, number>();
  const byFinalizer = new Map<string, number>();
  let count = 0;
  for (const resource of resources) {
    for (const { object } of view.list(resource, namespace)) {
      count++;
      const name = `${resource.resource}.${resource.group}`;
      byResource.set(name, (byResource.get(name) ?? 0) + 1);
      for (const each of object.metadata.finalizers ?? []) byFinalizer.set(each, (byFinalizer.get(each) ?? 0) + 1);
    }
  }
  return { count, byResource, byFinalizer };
}

async function finalize(namespace: Namespace, { client }: ControllerContext): Promise<void> {
  const finalizers = (namespace.spec?.finalizers ?? []).filter((each) => each !== finalizer);
  const next: Namespace = { ...namespace, spec: { ...namespace.spec, finalizers } };
  await unlessMissing(client.update(namespaces, next, { subresource: "finalize" }));
}

async function tell(
  namespace: Namespace,
  failures: readonly unknown[],
  remaining: RemainingContent,
  { client, clock }: ControllerContext,
): Promise<void> {
  const wanted = namespaceConditions(failures.map(messageOf), remaining);
  const conditions = withConditions(namespace.status?.conditions ?? [], wanted, clock.now());
  if (!conditions) return;
  const next: Namespace = { ...namespace, status: { ...namespace.status, phase: "Terminating", conditions } };
  await unlessMissing(client.update(namespaces, next, { subresource: "status" }));
}
