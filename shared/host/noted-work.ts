import { partitions } from "../platform/record-keys.ts";
import { webhookPartitions } from "../webhooks/records.ts";

/** What the platform's requests leave to be done: clusters to be deleted and nodes to be drained, or webhooks to be sent. */
export type NotedWork = "platform" | "webhooks";

const works: ReadonlyMap<string, NotedWork> = new Map([
  [partitions.deletingClusters, "platform"],
  [partitions.drainingNodes, "platform"],
  [webhookPartitions.due, "webhooks"],
]);

/** The work that a record of this partition notes; undefined: none. */
export const notedWork = (partition: string): NotedWork | undefined => works.get(partition);
