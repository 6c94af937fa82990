import type { ContainerStatus, Job, Pod, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule } from "../../kubernetes/types.ts";
import { countCommonIndexes, countIndexes, type IndexIntervals, parseIndexes } from "./index-intervals.ts";

/** What `spec.podFailurePolicy` says of a failed pod; `Count` where no rule matches. */
export type FailureVerdict =
  | { readonly action: "Count" | "Ignore" | "FailIndex" }
  | { readonly action: "FailJob"; readonly message: string };

/** Whether a failed pod counts toward the back-off limits. */
export function countsAsFailure(pod: Pod, job: Job): boolean {
  return judgeFailure(pod, job).action !== "Ignore";
}

/** The first rule that matches decides (`matchPodFailurePolicy`). */
export function judgeFailure(pod: Pod, { spec }: Job): FailureVerdict {
  for (const [index, rule] of (spec?.podFailurePolicy?.rules ?? []).entries()) {
    const what = matchRule(pod, rule);
    if (what === undefined) continue;
    if (rule.action !== "FailJob") return { action: rule.action };
    return { action: "FailJob", message: `${what} matching FailJob rule at index ${index}` };
  }
  return { action: "Count" };
}

/** What of the pod the rule matches, in words; undefined when nothing. */
function matchRule({ metadata, status }: Pod, { onExitCodes, onPodConditions }: PodFailurePolicyRule): string | undefined {
  const pod = `${metadata.namespace ?? ""}/${metadata.name ?? ""}`;
  if (onExitCodes !== undefined) {
    const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
    const failed = statuses.find((container) => matchesExitCode(container, onExitCodes));
    return failed && `Container ${failed.name} for pod ${pod} failed with exit code ${failed.state?.terminated?.exitCode ?? 0}`;
  }
  const condition = status?.conditions?.find(({ type, status }) =>
    onPodConditions?.some((pattern) => pattern.type === type && pattern.status === status),
  );
  return condition && `Pod ${pod} has condition ${condition.type}`;
}

function matchesExitCode(
  { name, state }: ContainerStatus,
  { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement,
): boolean {
  const exitCode = state?.terminated?.exitCode;
  if (exitCode === undefined || exitCode === 0 || (containerName !== undefined && containerName !== name)) return false;
  return values.includes(exitCode) === (operator === "In");
}

/** The message of the first rule of `spec.successPolicy` that the succeeded indexes fulfil; undefined when none (KEP-3998). */
export function metSuccessPolicy({ spec }: Job, succeeded: IndexIntervals): string | undefined {
  if (succeeded.length === 0) return undefined;
  const met = (spec?.successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount = Number.POSITIVE_INFINITY }) => {
    if (succeededIndexes === undefined) return countIndexes(succeeded) >= succeededCount;
    const required = parseIndexes(succeededIndexes, spec?.completions ?? 0);
    const common = countCommonIndexes(required, succeeded);
    return required.length > 0 && (common === countIndexes(required) || common >= succeededCount);
  });
  return met < 0 ? undefined : `Matched rules at index ${met}`;
}
