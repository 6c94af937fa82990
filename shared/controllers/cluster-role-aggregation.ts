import { deepEqual } from "../kubernetes/deep-equal.ts";
import { clusterRoles } from "../kubernetes/known-resources.ts";
import { matchesSelector } from "../kubernetes/label-selector.ts";
import type { ClusterRole, PolicyRule } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import type { Controller } from "./controller.ts";
import { unlessMissing } from "./failures.ts";
import { isOf } from "./same-resource.ts";

/**
 * Fills the rules of ClusterRoles with an `aggregationRule`: selector by selector those of the roles it selects, by name, each once
 * (kube-controller-manager's clusterrole-aggregation-controller). One aggregated role may select another, so any change concerns all.
 */
export function createClusterRoleAggregationController(): Controller {
  return {
    name: "clusterrole-aggregation",
    allKeys: aggregatedRoles,
    keysOf: ({ key }, view) => (isOf(clusterRoles, key) ? aggregatedRoles(view) : []),
    async reconcile(name, { view, client }) {
      const stored = view.get(clusterRoles, "", name);
      const role = stored && objectOf<ClusterRole>(stored);
      if (!role?.aggregationRule) return { kind: "done" };
      const rules = aggregatedRules(role, view);
      if (deepEqual(rules.map(normalized), (role.rules ?? []).map(normalized))) return { kind: "done" };
      await unlessMissing(
        client.update(clusterRoles, { ...role, rules } as ClusterRole, { fieldManager: "clusterrole-aggregation-controller" }),
      );
      return { kind: "done" };
    },
  };
}

function aggregatedRoles(view: ClusterView): string[] {
  return view.list(clusterRoles).flatMap((stored) => (objectOf<ClusterRole>(stored).aggregationRule ? [stored.key.name] : []));
}

function aggregatedRules(role: ClusterRole, view: ClusterView): PolicyRule[] {
  const rules = new Map<string, PolicyRule>();
  const others = view.list(clusterRoles).filter(({ key }) => key.name !== role.metadata.name);
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    for (const stored of others) {
      const other = objectOf<ClusterRole>(stored);
      if (!matchesSelector(selector, other.metadata.labels)) continue;
      for (const rule of other.rules ?? []) {
        const text = JSON.stringify(normalized(rule));
        if (!rules.has(text)) rules.set(text, rule);
      }
    }
  }
  return [...rules.values()];
}

/** One spelling of a rule: an empty list says what an absent one does. */
function normalized({ verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule): PolicyRule {
  return { verbs, apiGroups, resources, resourceNames, nonResourceURLs };
}
