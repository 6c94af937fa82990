/** Attributes of the table's key, and the one by which DynamoDB deletes what is over. */
export const tableKeys = { partition: "pk", sort: "sk", ttl: "ttl" } as const;

/** What keys of partitions begin with that are no tenant's: the operator's lists, and look-ups by a secret or an id. */
export const noTenants = ["platform", "api-key", "cluster", "join-token", "node-credential"] as const;

/** What DynamoDB does with the table's key in the caller's name: what its guide asks for, but `CreateGrant`, which is for who makes the table. */
export const tableKeyActions = [
  "Decrypt",
  "DescribeKey",
  "Encrypt",
  "GenerateDataKey",
  "GenerateDataKeyWithoutPlaintext",
  "ReEncryptFrom",
  "ReEncryptTo",
] as const;

/**
 * Which records of the stream wake `on-change`: new log entries that say something (a void does not), and marks of platform work
 * (clusters being deleted, nodes being drained or taken out, webhooks to be sent). An event source takes a record that any of them matches.
 */
export const streamFilters = [
  { eventName: ["INSERT"], dynamodb: { NewImage: { type: { S: ["ADDED", "MODIFIED", "DELETED"] } } } },
  {
    eventName: ["INSERT", "MODIFY"],
    dynamodb: {
      Keys: {
        pk: {
          S: ["platform#deleting#records", "platform#draining#records", "platform#removing#records", "platform#webhooks-due#records"],
        },
      },
    },
  },
] as const;
