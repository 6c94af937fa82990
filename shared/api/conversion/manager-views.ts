import type { KubernetesObject } from "../../kubernetes/object.ts";
import { apiVersionOf, type ResourceDefinition } from "../../kubernetes/resources.ts";
import type { JsonObject } from "../../kubernetes/schema/schema-node.ts";
import { isStatus } from "../../kubernetes/status-error.ts";
import type { ApiCluster } from "../api-cluster.ts";
import { asRecord, type ManagerViews } from "../field-managers.ts";
import { convertObjects } from "./convert-objects.ts";

/**
 * What managers that wrote an object in other versions see of a write: theirs is what changes there. Answers undefined where there are
 * none. A version that the webhook cannot make is missing: like in kube-apiserver nobody owns anything there any more.
 */
export async function viewsForManagers(
  cluster: ApiCluster,
  definition: ResourceDefinition,
  live: KubernetesObject,
  next: KubernetesObject,
): Promise<ManagerViews | undefined> {
  const { conversion } = definition.custom ?? {};
  const own = apiVersionOf(definition);
  const wanted = new Set((live.metadata.managedFields ?? []).map(({ apiVersion = "" }) => apiVersion));
  wanted.delete(own);
  if (!conversion || wanted.size === 0) return undefined;
  const versions = new Map<string, { live: JsonObject; next: JsonObject }>();
  for (const apiVersion of wanted) {
    if (!conversion.kinds.has(apiVersion)) continue;
    try {
      const [before, after] = await convertObjects(cluster, conversion, [live, next], apiVersion);
      if (before && after) versions.set(apiVersion, { live: asRecord(before), next: asRecord(after) });
    } catch (error) {
      if (!isStatus(error)) throw error;
      cluster.log.warn("managers of another version lose their fields", { apiVersion, reason: error.message });
    }
  }
  return { versions, schemaOf: (apiVersion) => conversion.kinds.get(apiVersion)?.() };
}
