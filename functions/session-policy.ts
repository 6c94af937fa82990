import { usagePartitions } from "../shared/metering/usage-records.ts";
import { partitions, recordKeys } from "../shared/platform/record-keys.ts";
import { recordPartition } from "../shared/store/dynamo/keys.ts";
import { webhookPartitions } from "../shared/webhooks/records.ts";
import { tableKeyActions } from "./names/table.ts";

const writes = ["PutItem", "UpdateItem", "DeleteItem"];
const all = ["GetItem", "BatchGetItem", "Query", ...writes, "BatchWriteItem"];

const { apiKeyByHash, clusterTenant, joinTokenByHash, nodeCredential } = recordKeys;
/**
 * What is no tenant's, and is written in one transaction with what is: look-ups by a secret or an id, and word of work that waits. All else that is no
 * tenant's is written by itself, in the program's own name.
 */
const writtenAlong = [
  ...[apiKeyByHash, clusterTenant, joinTokenByHash, nodeCredential].map((keyOf) => keyOf("*").partition),
  ...[partitions.deletingClusters, partitions.drainingNodes, partitions.removingNodes, partitions.removedNodes],
  ...[webhookPartitions.due, usagePartitions.allOpenDays],
].map(recordPartition);

const inPartitions = (patterns: readonly string[]) => ({
  "ForAllValues:StringLike": { "dynamodb:LeadingKeys": patterns },
  // A call that names no key would pass the first alone.
  Null: { "dynamodb:LeadingKeys": "false" },
});
const allow = (service: string, actions: readonly string[], Condition?: Readonly<Record<string, unknown>>) => ({
  ...{ Effect: "Allow", Action: actions.map((action) => `${service}:${action}`), Resource: "*" },
  ...(Condition && { Condition }),
});

/** What a session may do at the most: reach partitions whose key begins with the tenant's id, and write others in transactions, whose answers show nothing of them. */
export const sessionPolicy = (tenant: string) => ({
  Version: "2012-10-17",
  Statement: [
    allow("dynamodb", all, inPartitions([`${tenant}#*`])),
    allow("dynamodb", writes, {
      ...inPartitions([`${tenant}#*`, ...writtenAlong]),
      "ForAnyValue:StringEquals": { "dynamodb:EnclosingOperation": ["TransactWriteItems"] },
    }),
    // The table is encrypted with a key of its own; which items are read is decided above.
    allow("kms", tableKeyActions),
  ],
});
