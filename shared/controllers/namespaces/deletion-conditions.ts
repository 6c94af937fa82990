import type { NamespaceCondition } from "../../kubernetes/types.ts";
import { formatTime } from "../timestamp.ts";

export interface RemainingContent {
  readonly count: number;
  /** `pods.`, `deployments.apps`: how many are left. */
  readonly byResource: ReadonlyMap<string, number>;
  /** In how many objects each finalizer stands. */
  readonly byFinalizer: ReadonlyMap<string, number>;
}

type Wanted = Pick<NamespaceCondition, "type" | "status"> & { readonly reason: string; readonly message: string };

/** The five conditions of a namespace on its way out, in kube-controller-manager's words and order (`namespace_conditions.go`). */
export function namespaceConditions(failures: readonly string[], { byResource, byFinalizer }: RemainingContent): Wanted[] {
  const listed = (counts: ReadonlyMap<string, number>, text: (name: string, count: number) => string): string =>
    [...counts]
      .map(([name, count]) => text(name, count))
      .sort()
      .join(", ");
  const ok = (type: string, reason: string, message: string): Wanted => ({ type, status: "False", reason, message });
  const bad = (type: string, reason: string, message: string): Wanted => ({ type, status: "True", reason, message });
  const resources = listed(byResource, (name, count) => `${name} has ${count} resource instances`);
  const finalizers = listed(byFinalizer, (name, count) => `${name} in ${count} resource instances`);
  return [
    ok("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ok("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    failures.length > 0
      ? bad(
          "NamespaceDeletionContentFailure",
          "ContentDeletionFailed",
          `Failed to delete all resource types, ${failures.length} remaining: ${[...failures].sort().join(", ")}`,
        )
      : ok("NamespaceDeletionContentFailure", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    byResource.size > 0
      ? bad("NamespaceContentRemaining", "SomeResourcesRemain", `Some resources are remaining: ${resources}`)
      : ok("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
    byFinalizer.size > 0
      ? bad("NamespaceFinalizersRemaining", "SomeFinalizersRemain", `Some content in the namespace has finalizers remaining: ${finalizers}`)
      : ok("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
  ];
}

/** The conditions with the wanted ones in place, or undefined when they stand already. The time of transition is that of the status. */
export function withConditions(
  current: readonly NamespaceCondition[],
  wanted: readonly Wanted[],
  nowMs: number,
): NamespaceCondition[] | undefined {
  let isChanged = false;
  const next = wanted.map((each): NamespaceCondition => {
    const before = current.find(({ type }) => type === each.type);
    if (before?.status === each.status && before.reason === each.reason && before.message === each.message) return before;
    isChanged = true;
    const since = before?.status === each.status ? before.lastTransitionTime : undefined;
    return { ...each, lastTransitionTime: since ?? formatTime(nowMs) };
  });
  const others = current.filter(({ type }) => !wanted.some((each) => each.type === type));
  return isChanged ? [...others, ...next] : undefined;
}
