import { StoreError } from "../store.ts";
import { TableError } from "./table.ts";

/** What callers of the store are told. */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (!(error instanceof TableError)) return new StoreError("Unavailable", "the store failed", { cause: error });
  switch (error.code) {
    case "Throttled":
    case "Conflict":
    case "InProgress":
      return new StoreError("Throttled", "DynamoDB is busy", { cause: error });
    case "ConditionFailed":
    case "Unknown":
    case "Refused":
      return new StoreError("Unavailable", "DynamoDB did not do it", { cause: error });
  }
}
