import { nodes } from "../../kubernetes/known-resources.ts";
import { isStatus } from "../../kubernetes/status-error.ts";
import type { Node } from "../../kubernetes/types.ts";
import { objectOf } from "../../store/view.ts";
import { type NodeSource, newNode, nodePatch, nodeWithStatus } from "./node-object.ts";
import { nodeFieldManager } from "./pod-status-report.ts";
import type { PoolCluster } from "./ports.ts";

const attempts = 5;

/**
 * Brings the Node object of one cluster in line with what the machine says of itself: makes it, corrects labels and annotations, writes
 * the status where it differs (a lifecycle controller may have called it unknown) or its times have grown older than `refreshSeconds`.
 */
export async function registerNode(cluster: PoolCluster, source: NodeSource, now: () => number, refreshSeconds: number): Promise<void> {
  const { nodeName, description } = source;
  for (let attempt = 0; attempt < attempts; attempt++) {
    try {
      let stored = cluster.view.get(nodes, "", nodeName) ?? (await cluster.client.create(nodes, newNode(source)));
      const patch = nodePatch(objectOf<Node>(stored), source);
      if (patch !== undefined) stored = await cluster.client.patch(nodes, "", nodeName, { type: "merge", body: patch });
      const next = nodeWithStatus(objectOf<Node>(stored), description, now(), refreshSeconds);
      if (next !== undefined) await cluster.client.update(nodes, next, { subresource: "status", fieldManager: nodeFieldManager });
      return;
    } catch (error) {
      const again = isStatus(error, "Conflict") || isStatus(error, "AlreadyExists") || isStatus(error, "NotFound");
      if (!again || attempt === attempts - 1) throw error;
    }
  }
}
