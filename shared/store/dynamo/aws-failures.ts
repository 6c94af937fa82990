import { type CancellationReason, ConditionalCheckFailedException, TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import { fromItem } from "./expressions.ts";
import { TableError } from "./table.ts";

const throttled = new Set([
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "ThrottlingException",
  "LimitExceededException",
  // Codes of cancellation reasons.
  "ProvisionedThroughputExceeded",
  "ThrottlingError",
]);
const refused = new Set([
  "AccessDeniedException",
  "IdempotentParameterMismatchException",
  "ItemCollectionSizeLimitExceededException",
  "ResourceNotFoundException",
  "UnrecognizedClientException",
  "ValidationException",
]);

/**
 * What an exception of the SDK means for the store (DynamoDB Developer Guide, "Error handling" and "Transaction conflict handling"). Whatever is not
 * known to have been refused may have been written.
 */
export function tableErrorOf(error: unknown): TableError {
  if (error instanceof TableError) return error;
  const name = error instanceof Error ? error.name : "";
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ConditionalCheckFailedException) {
    const found = error.Item && fromItem(error.Item);
    return new TableError("ConditionFailed", message, { failed: [{ index: 0, found }], cause: error });
  }
  if (error instanceof TransactionCanceledException) return ofReasons(error.CancellationReasons ?? [], message, error);
  if (name === "TransactionConflictException") return new TableError("Conflict", message, { cause: error });
  if (name === "TransactionInProgressException") return new TableError("InProgress", message, { cause: error });
  if (throttled.has(name)) return new TableError("Throttled", message, { cause: error });
  if (refused.has(name)) return new TableError("Refused", message, { cause: error });
  return new TableError("Unknown", message, { cause: error });
}

/** A condition that failed decides, whatever else was wrong: trying again cannot help. */
function ofReasons(reasons: readonly CancellationReason[], message: string, cause: Error): TableError {
  const failed = reasons.flatMap(({ Code, Item }, index) =>
    Code === "ConditionalCheckFailed" ? [{ index, found: Item && fromItem(Item) }] : [],
  );
  if (failed.length > 0) return new TableError("ConditionFailed", message, { failed, cause });
  const codes = new Set(reasons.map(({ Code }) => Code ?? "None"));
  if (codes.has("ValidationError") || codes.has("ItemCollectionSizeLimitExceeded")) return new TableError("Refused", message, { cause });
  if ([...codes].some((code) => throttled.has(code))) return new TableError("Throttled", message, { cause });
  if (codes.has("TransactionConflict")) return new TableError("Conflict", message, { cause });
  return new TableError("Unknown", message, { cause });
}
