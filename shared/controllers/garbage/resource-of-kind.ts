import { customResourceDefinitions } from "../../kubernetes/known-resources.ts";
import type { GroupResource } from "../../kubernetes/object.ts";
import { findKind, parseApiVersion, storageResource } from "../../kubernetes/resources.ts";
import type { CustomResourceDefinition } from "../../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../../store/view.ts";

/** Where objects of a kind lie in this cluster: built in, or defined in it. Undefined when nobody serves the kind. */
export function resourceOfKind(
  view: ClusterView,
  apiVersion: string,
  kind: string,
): (GroupResource & { readonly namespaced: boolean }) | undefined {
  const builtin = findKind(apiVersion, kind);
  if (builtin) return storageResource(builtin) ?? builtin;
  const { group, version } = parseApiVersion(apiVersion);
  for (const stored of view.list(customResourceDefinitions)) {
    const { spec } = objectOf<CustomResourceDefinition>(stored);
    if (spec.group !== group || spec.names.kind !== kind || !spec.versions.some(({ name }) => name === version)) continue;
    return { group, resource: spec.names.plural, namespaced: spec.scope === "Namespaced" };
  }
  return undefined;
}
