import { sessionPolicy } from "../../../functions/session-policy.ts";
import type { PartitionAccess } from "../../../infra/table-access.ts";
import { keyOfWrite, type Table, type Write } from "../../../shared/store/dynamo/table.ts";

export const leadingKeys = "dynamodb:LeadingKeys";

/** IAM's StringLike, for patterns whose only wildcard is `*`. */
export function likeness(pattern: string): RegExp {
  const words = pattern.split("*").map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${words.join(".*")}$`, "s");
}

const actionOf = { put: "PutItem", delete: "DeleteItem", update: "UpdateItem" } as const satisfies Record<Write["kind"], string>;

/** What the session of a tenant reaches. */
export const sessionAccess = (tenant: string): PartitionAccess[] =>
  sessionPolicy(tenant).Statement.flatMap(({ Action, Condition }) =>
    Condition
      ? [
          {
            actions: Action.map((action) => action.replace("dynamodb:", "")),
            partitions: Condition["ForAllValues:StringLike"][leadingKeys],
          },
        ]
      : [],
  );

/**
 * A table as IAM confines it by `dynamodb:LeadingKeys`: one entry must have the action and every partition that the call names. AWS does not say whether each write
 * of a transaction is looked at with its own key or with those of all; here it is with those of all, the stricter of the two.
 */
export function confinedTable(
  table: Table,
  access: readonly PartitionAccess[],
  onUse: (action: string, partition: string) => void = () => {},
): Table {
  const entries = access.map(({ actions, partitions }) => ({ actions, patterns: partitions.map(likeness) }));
  const admit = (action: string, partitions: readonly string[]): void => {
    const isIn = (partition: string, patterns: readonly RegExp[]): boolean => patterns.some((pattern) => pattern.test(partition));
    const allowed = entries.some(({ actions, patterns }) => actions.includes(action) && partitions.every((each) => isIn(each, patterns)));
    if (!allowed) throw new Error(`AccessDeniedException: ${action} of ${[...new Set(partitions)]}`);
    for (const partition of partitions) onUse(action, partition);
  };
  const partitionsOf = (writes: readonly Write[]): string[] => writes.map((write) => keyOfWrite(write).pk);
  return {
    async get(key) {
      admit("GetItem", [key.pk]);
      return table.get(key);
    },
    async getMany(keys) {
      admit(
        "BatchGetItem",
        keys.map(({ pk }) => pk),
      );
      return table.getMany(keys);
    },
    async query(pk, range) {
      admit("Query", [pk]);
      return table.query(pk, range);
    },
    async write(write) {
      admit(actionOf[write.kind], partitionsOf([write]));
      return table.write(write);
    },
    async writeTogether(writes, token) {
      for (const kind of new Set(writes.map((write) => write.kind))) admit(actionOf[kind], partitionsOf(writes));
      return table.writeTogether(writes, token);
    },
    async writeMany(writes) {
      admit("BatchWriteItem", partitionsOf(writes));
      return table.writeMany(writes);
    },
    close: () => table.close(),
  };
}
