import { partitions } from "../platform/record-keys.ts";
import { webhookPartitions } from "../webhooks/records.ts";

/** What the platform's requests leave to be done: clusters to be deleted, nodes to be drained or taken out of clusters, or webhooks to be sent. */
export type NotedWork = "platform" | "webhooks";

const works: ReadonlyMap<string, NotedWork> = new Map([
  [partitions.deletingClusters, "platform"],
  [partitions.drainingNodes, "platform"],
  [partitions.removingNodes, "platform"],
  [webhookPartitions.due, "webhooks"],
]);

/** The work that a record of this partition notes; undefined: none. */
export const notedWork = (partition: string): NotedWork | undefined => works.get(partition);
