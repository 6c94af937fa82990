import { ConditionalCheckFailedException, DynamoDBServiceException, TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import { expect, it } from "vitest";
import { tableErrorOf } from "../../../../shared/store/dynamo/aws-failures.ts";
import { storeErrorOf } from "../../../../shared/store/dynamo/failures.ts";

const $metadata = {};
const named = (name: string): Error => new DynamoDBServiceException({ name, $fault: "client", $metadata, message: name });
const cancelled = (...codes: string[]): Error =>
  new TransactionCanceledException({ $metadata, message: "cancelled", CancellationReasons: codes.map((Code) => ({ Code })) });

it.each([
  [named("ThrottlingException"), "Throttled", "Throttled"],
  [named("ProvisionedThroughputExceededException"), "Throttled", "Throttled"],
  [named("RequestLimitExceeded"), "Throttled", "Throttled"],
  [named("TransactionConflictException"), "Conflict", "Throttled"],
  [named("TransactionInProgressException"), "InProgress", "Throttled"],
  [named("InternalServerError"), "Unknown", "Unavailable"],
  [named("TimeoutError"), "Unknown", "Unavailable"],
  [Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }), "Unknown", "Unavailable"],
  [named("ValidationException"), "Refused", "Unavailable"],
  [named("IdempotentParameterMismatchException"), "Refused", "Unavailable"],
  [cancelled("None", "ThrottlingError"), "Throttled", "Throttled"],
  [cancelled("TransactionConflict", "ProvisionedThroughputExceeded"), "Throttled", "Throttled"],
  [cancelled("None", "TransactionConflict"), "Conflict", "Throttled"],
  [cancelled("ValidationError", "None"), "Refused", "Unavailable"],
  [cancelled("ItemCollectionSizeLimitExceeded"), "Refused", "Unavailable"],
])("%s is %s, and %s to the store's callers", (error, table, store) => {
  const known = tableErrorOf(error);
  expect(known.code).toBe(table);
  expect(known.ambiguous).toBe(table === "Unknown");
  expect(storeErrorOf(known).code).toBe(store);
});

it("names each failed condition with what lay there, whatever else went wrong", () => {
  const item = { pk: { S: "p" }, sk: { S: "s" }, revision: { N: "7" } };
  const reasons = [{ Code: "TransactionConflict" }, { Code: "ConditionalCheckFailed", Item: item }, { Code: "ConditionalCheckFailed" }];
  const error = tableErrorOf(new TransactionCanceledException({ $metadata, message: "", CancellationReasons: reasons }));
  expect(error.code).toBe("ConditionFailed");
  expect(error.failed).toEqual([
    { index: 1, found: { pk: "p", sk: "s", revision: 7 } },
    { index: 2, found: undefined },
  ]);
  const single = tableErrorOf(new ConditionalCheckFailedException({ $metadata, message: "", Item: item }));
  expect(single.failed).toEqual([{ index: 0, found: { pk: "p", sk: "s", revision: 7 } }]);
});
