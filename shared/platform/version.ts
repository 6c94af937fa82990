import { PlatformError } from "./problem.ts";

/** The version a client saw (`If-Match`); absent: whatever is there. */
export type ExpectedVersion = number | undefined;

export function checkVersion(version: number, expected: ExpectedVersion): void {
  if (expected !== undefined && expected !== version) {
    throw new PlatformError("precondition-failed", "The resource was changed since it was read: read it again.");
  }
}
