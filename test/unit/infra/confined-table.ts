import { expect } from "vitest";
import { sessionPolicy } from "../../../functions/session-policy.ts";
import type { PartitionAccess } from "../../../infra/table-access.ts";
import { keyOfWrite, type Table, type Write } from "../../../shared/store/dynamo/table.ts";

export const leadingKeys = "dynamodb:LeadingKeys";
const enclosing = ["TransactWriteItems"];

/** IAM's StringLike, for patterns whose only wildcard is `*`. */
export function likeness(pattern: string): RegExp {
  const words = pattern.split("*").map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${words.join(".*")}$`, "s");
}

const actionOf = { put: "PutItem", delete: "DeleteItem", update: "UpdateItem" } as const satisfies Record<Write["kind"], string>;

/** A statement of a policy, as far as it is of the table. */
export interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: Readonly<Record<string, unknown>>;
}

const asList = (value: unknown): string[] => [value].flat().filter((each) => typeof each === "string");
const keysOf = (condition: unknown): string[] => asList((condition as Record<string, unknown>)[leadingKeys]);

/** What statements say of items; a condition that is not known here is an error. */
export const accessOf = (statements: readonly Statement[]): PartitionAccess[] =>
  statements
    .filter(({ Action }) => asList(Action).some((action) => /^dynamodb:.*(Item|Query|Scan)/.test(action)))
    .map(({ Action, Condition = {} }) => {
      const {
        "ForAllValues:StringLike": like,
        "ForAllValues:StringNotLike": unlike,
        "ForAnyValue:StringEquals": enclosed,
        Null: named,
        ...others
      } = Condition;
      // Who names no key at all would pass a condition for all of them.
      expect(named).toEqual(like || unlike ? { [leadingKeys]: "false" } : undefined);
      if (enclosed) expect(enclosed).toEqual({ "dynamodb:EnclosingOperation": enclosing });
      expect(others).toEqual({});
      return {
        actions: asList(Action).map((action) => action.replace("dynamodb:", "")),
        ...(like !== undefined && { partitions: keysOf(like) }),
        ...(unlike !== undefined && { except: keysOf(unlike) }),
        ...(enclosed !== undefined && { inTransactions: true }),
      };
    });

/** What the policy of a tenant's session lets it reach. */
export const policyAccess = (tenant: string): PartitionAccess[] => accessOf(sessionPolicy(tenant).Statement);

/** The table in a session of a tenant: what the policy and the role both allow. */
export const sessionTable = (table: Table, role: readonly PartitionAccess[], tenant: string, told: Told = {}): Table =>
  confinedTable(confinedTable(table, role, { denied: told.denied }), policyAccess(tenant), told);

/** Who hears of what is done, and of what is refused: the store hides it from its callers. */
interface Told {
  readonly used?: ((action: string, partition: string) => void) | undefined;
  readonly denied?: ((call: string) => void) | undefined;
}

/**
 * A table as IAM confines it by `dynamodb:LeadingKeys`: one entry must have the action and every partition that the call names. AWS does not say whether each write
 * of a transaction is looked at with its own key or with those of all; here it is with those of all, the stricter of the two.
 */
export function confinedTable(table: Table, access: readonly PartitionAccess[], { used, denied }: Told = {}): Table {
  const entries = access.map(({ actions, partitions = ["*"], except = [], inTransactions }) => ({
    ...{ actions, inTransactions, like: partitions.map(likeness), unlike: except.map(likeness) },
  }));
  const admit = (action: string, partitions: readonly string[], together = false): void => {
    const isLike = (partition: string, patterns: readonly RegExp[]): boolean => patterns.some((pattern) => pattern.test(partition));
    const allowed = entries.some(
      ({ actions, like, unlike, inTransactions }) =>
        actions.includes(action) &&
        (together || !inTransactions) &&
        partitions.every((each) => isLike(each, like) && !isLike(each, unlike)),
    );
    const call = `${action} of ${[...new Set(partitions)]}`;
    if (!allowed) {
      denied?.(call);
      throw new Error(`AccessDeniedException: ${call}`);
    }
    for (const partition of partitions) used?.(action, partition);
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
      for (const kind of new Set(writes.map((write) => write.kind))) admit(actionOf[kind], partitionsOf(writes), true);
      return table.writeTogether(writes, token);
    },
    async writeMany(writes) {
      admit("BatchWriteItem", partitionsOf(writes));
      return table.writeMany(writes);
    },
    close: () => table.close(),
  };
}
