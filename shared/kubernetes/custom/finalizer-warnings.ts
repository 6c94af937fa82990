import { qualifiedNameProblems } from "../names.ts";
import { goQuote } from "../schema/go-text.ts";
import type { ObjectMeta } from "../types.ts";

const standard = new Set(["orphan", "foregroundDeletion", "kubernetes"]);
const advice = "to avoid accidental conflicts with other finalizer writers";

/** What is said of finalizers that were added (apiextensions `registry/customresource/validator.go`): nothing is refused. */
export function finalizerWarnings({ finalizers = [] }: ObjectMeta, live: ObjectMeta | undefined): string[] {
  const added = finalizers.filter((finalizer) => !live?.finalizers?.includes(finalizer));
  return [...new Set(added)].sort().flatMap((finalizer) => {
    const warnings = qualifiedNameProblems(finalizer).map((problem) => `metadata.finalizers: ${goQuote(finalizer)}: ${problem}`);
    if (finalizer.includes("/") || standard.has(finalizer)) return warnings;
    const including = finalizer.includes(".") ? " including a path (/)" : "";
    return [...warnings, `metadata.finalizers: ${goQuote(finalizer)}: prefer a domain-qualified finalizer name${including} ${advice}`];
  });
}
