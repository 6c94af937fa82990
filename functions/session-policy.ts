import { tableKeyActions } from "./names/table.ts";

const actions = ["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"];

/** What a session may do at the most: reach partitions whose key begins with the tenant's id. */
export const sessionPolicy = (tenant: string) => ({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Action: actions.map((action) => `dynamodb:${action}`),
      Resource: "*",
      Condition: { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": [`${tenant}#*`] }, Null: { "dynamodb:LeadingKeys": "false" } },
    },
    // The table is encrypted with a key of its own; which items are read is decided above.
    { Effect: "Allow", Action: tableKeyActions.map((action) => `kms:${action}`), Resource: "*" },
  ],
});
