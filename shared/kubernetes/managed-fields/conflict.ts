import { goQuote } from "../schema/go-text.ts";
import { StatusError } from "../status-error.ts";
import { describePaths, type FieldSet } from "./field-set.ts";
import type { FieldManager } from "./managers.ts";

/** What an apply would take from another manager. */
export interface FieldConflict {
  readonly owner: FieldManager;
  readonly fields: FieldSet;
}

/** The answer to an apply that conflicts and is not forced (apimachinery `NewConflictError`). */
export function conflictError(conflicts: readonly FieldConflict[]): StatusError {
  const found = conflicts
    .map(({ owner, fields }) => ({ owner: describeOwner(owner), paths: describePaths(fields) }))
    .sort((a, b) => (a.owner < b.owner ? -1 : a.owner > b.owner ? 1 : 0));
  const causes = found.flatMap(({ owner, paths }) =>
    paths.map((field) => ({ reason: "FieldManagerConflict", message: `conflict with ${owner}`, field })),
  );
  const [only] = causes;
  const message =
    causes.length === 1 && only !== undefined
      ? `Apply failed with 1 conflict: ${only.message}: ${only.field}`
      : `Apply failed with ${causes.length} conflicts: ${found.map(describeConflicts).join("\n")}`;
  return new StatusError("Conflict", message, { causes });
}

function describeConflicts({ owner, paths }: { owner: string; paths: readonly string[] }): string {
  return [`conflicts with ${owner}:`, ...paths.map((path) => `- ${path}`)].join("\n");
}

function describeOwner({ manager, operation, apiVersion, subresource }: FieldManager): string {
  const through = subresource === "" ? "" : ` with subresource ${goQuote(subresource)}`;
  return goQuote(manager) + through + (operation === "Update" ? ` using ${apiVersion}` : "");
}
