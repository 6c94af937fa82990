import { deepEqual } from "../kubernetes/deep-equal.ts";
import { pods, resourceQuotas } from "../kubernetes/known-resources.ts";
import { collectionOf } from "../kubernetes/object.ts";
import { addQuantities, formatQuantity, type Quantity, quantityOf } from "../kubernetes/quantity.ts";
import { isInQuotaScope, quotaResourceOf, quotaUsageOf } from "../kubernetes/quota-usage.ts";
import type { Pod, ResourceQuota } from "../kubernetes/types.ts";
import { type Change, type ClusterView, objectOf } from "../store/view.ts";
import type { Controller } from "./controller.ts";
import { isPodTerminal } from "./pod-state.ts";
import { isOf } from "./same-resource.ts";

/** Keeps what ResourceQuotas say is used. That nothing goes beyond is for admission, which counts by the same rules. */
export function createResourceQuotaController(): Controller {
  return {
    name: "resourcequota",
    allKeys: (view) => view.list(resourceQuotas).map(({ key }) => `${key.namespace}/${key.name}`),
    keysOf(change, view) {
      if (isOf(resourceQuotas, change.key)) {
        const own = change.type === "DELETED" ? [] : [`${change.key.namespace}/${change.key.name}`];
        return change.type === "MODIFIED" ? own : [...own, ...quotasFor(change, view)];
      }
      return view.count(resourceQuotas) > 0 && changesUsage(change) ? quotasFor(change, view) : [];
    },
    async reconcile(key, { view, client }) {
      const [namespace = "", name = ""] = key.split("/");
      const stored = view.get(resourceQuotas, namespace, name);
      if (!stored) return { kind: "done" };
      const quota = objectOf<ResourceQuota>(stored);
      const hard = quota.spec?.hard ?? {};
      const used = usedOf(quota, view);
      const status = { hard, used: Object.fromEntries([...used].map(([name, amount]) => [name, formatQuantity(amount)])) };
      if (!deepEqual(status, quota.status))
        await client.update(resourceQuotas, { ...quota, status } as ResourceQuota, { subresource: "status" });
      return { kind: "done" };
    },
  };
}

/** Something came or went, or a pod ended, or what an object asks for is another. */
function changesUsage({ type, object, previous, key }: Change): boolean {
  if (key.namespace === "") return false;
  if (type !== "MODIFIED" || !previous) return true;
  if (isOf(pods, key) && isPodTerminal(object as Pod) !== isPodTerminal(previous.object as Pod)) return true;
  const specOf = (each: object): unknown => (each as { spec?: unknown }).spec;
  return quotaUsageOf(key, object).size > 1 && !deepEqual(specOf(object), specOf(previous.object));
}

function quotasFor({ key }: Change, view: ClusterView): string[] {
  const collection = collectionOf(key);
  return view
    .list(resourceQuotas, key.namespace)
    .filter((stored) =>
      Object.keys(objectOf<ResourceQuota>(stored).spec?.hard ?? {}).some((name) => {
        const counted = quotaResourceOf(name);
        return counted !== undefined && collectionOf(counted) === collection;
      }),
    )
    .map((stored) => `${stored.key.namespace}/${stored.key.name}`);
}

function usedOf({ metadata, spec = {} }: ResourceQuota, view: ClusterView): Map<string, Quantity> {
  const used = new Map<string, Quantity>();
  const resources = new Map<string, NonNullable<ReturnType<typeof quotaResourceOf>>>();
  for (const name of Object.keys(spec.hard ?? {})) {
    const resource = quotaResourceOf(name);
    if (!resource) continue;
    used.set(name, quantityOf(0));
    resources.set(collectionOf(resource), resource);
  }
  for (const resource of resources.values()) {
    for (const { object } of view.list(resource, metadata.namespace ?? "")) {
      if (!isInQuotaScope(spec, resource, object)) continue;
      for (const [name, amount] of quotaUsageOf(resource, object)) {
        const before = used.get(name);
        if (before) used.set(name, addQuantities(before, amount));
      }
    }
  }
  return used;
}
