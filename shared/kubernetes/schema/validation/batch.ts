import { labelSelectorProblems, matchesSelector } from "../../label-selector.ts";
import { dnsLabelProblems, dnsSubdomainProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type {
  Affinity,
  Job,
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
  PodTemplateSpec,
  SuccessPolicy,
  SuccessPolicyRule,
} from "../../types.ts";
import { duplicate, invalid, notSupported, required, tooLong, tooMany } from "../field-error.ts";
import { goLabelSelector, goQuote, goStringMap } from "../go-text.ts";
import { checkImmutable, checkNonnegative, checkQualifiedName, checkSupported } from "./checks.ts";
import { countIndexes } from "./index-intervals.ts";
import { same } from "./object-meta.ts";
import { checkPodTemplate } from "./pod-spec.ts";
import { checkTemplateLabels, isReadable } from "./workloads.ts";

const maximumIndexes = 100_000;
const highCompletionsLimit = 10_000;
const maximumRules = 20;
const maximumExitCodes = 255;
const maximumManagedBy = 63;
const maximumSucceededIndexes = 64 * 1024;

/** `ValidateJob`. */
export function validateJob(job: Job): StatusCause[] {
  const causes = [...checkGeneratedSelector(job), ...checkWholeSpec(job)];
  const { completions, completionMode } = job.spec ?? {};
  if (completionMode === "Indexed" && completions !== undefined && completions > 0) {
    const hostname = `${job.metadata.name}-${completions - 1}`;
    if (dnsLabelProblems(hostname).length > 0) {
      causes.push(invalid("metadata.name", job.metadata.name ?? "", `will not able to create pod with invalid DNS label: ${hostname}`));
    }
  }
  return causes;
}

/** `ValidateJobSpec`, which a job's template in a cron job does not go through. */
function checkWholeSpec({ spec }: Job): StatusCause[] {
  const { selector, template = {} } = spec ?? {};
  const problems = selector === undefined ? [required("spec.selector")] : labelSelectorProblems(selector, "spec.selector");
  return [...checkJobSpec(spec, "spec"), ...problems, ...checkTemplateLabels(selector, template, "spec.template")];
}

/** Labels and selector that the server made must be as it made them (`validateGeneratedSelector`). */
function checkGeneratedSelector({ metadata, spec }: Job): StatusCause[] {
  if (spec?.manualSelector === true || spec?.selector === undefined) return [];
  const { uid = "", name = "" } = metadata;
  const expected = {
    "controller-uid": uid,
    "job-name": name,
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
  };
  const causes = uid === "" ? [required("metadata.uid")] : [];
  const path = "spec.template.metadata.labels";
  for (const [key, value] of Object.entries(expected)) {
    const found = spec.template?.metadata?.labels?.[key];
    if (found === undefined) causes.push(required(`${path}[${key}]`, `must be '${value}'`));
    else if (found !== value)
      causes.push(invalid(`${path}[${key}]`, { go: goStringMap(spec.template?.metadata?.labels) }, `must be '${value}'`));
  }
  if (isReadable(spec.selector) && !matchesSelector(spec.selector, expected))
    causes.push(invalid("spec.selector", { go: goLabelSelector(spec.selector) }, "`selector` not auto-generated"));
  return causes;
}

/** `ValidateJobSpecUpdate`; a suspended job that has not started may still change where its pods go. */
export function validateJobUpdate(next: Job, live: Job): StatusCause[] {
  const causes = checkWholeSpec(next);
  const after = next.spec;
  const before = live.spec;
  if (after === undefined || before === undefined) return causes;
  if (after.completionMode !== "Indexed") causes.push(...checkImmutable(after.completions, before.completions, "spec.completions"));
  else if (!same(after.completions, before.completions) && after.completions !== undefined && after.completions !== after.parallelism) {
    causes.push(invalid("spec.completions", after.completions, "can only be modified in tandem with spec.parallelism"));
  }
  causes.push(...checkImmutable(after.selector, before.selector, "spec.selector", goLabelSelector(after.selector)));
  const suspended = before.suspend === true && live.status?.startTime === undefined;
  const template = suspended ? withPlacement(before.template, after.template) : before.template;
  causes.push(...checkImmutable(after.template, template, "spec.template"));
  for (const field of ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] as const) {
    causes.push(...checkImmutable(after[field], before[field], `spec.${field}`));
  }
  return causes;
}

/** `live` with the scheduling directives of `next`. */
function withPlacement(live: PodTemplateSpec, next: PodTemplateSpec): PodTemplateSpec {
  const { nodeSelector: _n, tolerations: _t, schedulingGates: _g, affinity, ...spec } = live.spec ?? { containers: [] };
  const from = next.spec ?? { containers: [] };
  const { nodeAffinity: _a, ...others } = affinity ?? {};
  const merged: Affinity = { ...others, ...(from.affinity?.nodeAffinity !== undefined && { nodeAffinity: from.affinity.nodeAffinity }) };
  const { labels: _l, annotations: _s, ...meta } = live.metadata ?? {};
  return {
    ...live,
    metadata: {
      ...meta,
      ...(next.metadata?.labels !== undefined && { labels: next.metadata.labels }),
      ...(next.metadata?.annotations !== undefined && { annotations: next.metadata.annotations }),
    },
    spec: {
      ...spec,
      ...(Object.keys(merged).length > 0 && { affinity: merged }),
      ...(from.nodeSelector !== undefined && { nodeSelector: from.nodeSelector }),
      ...(from.tolerations !== undefined && { tolerations: from.tolerations }),
      ...(from.schedulingGates !== undefined && { schedulingGates: from.schedulingGates }),
    },
  };
}

/** A job's spec, of a job or of a template (`validateJobSpec`). */
export function checkJobSpec(spec: JobSpec | undefined, path: string): StatusCause[] {
  if (spec === undefined) return [required(`${path}.template`)];
  const causes: StatusCause[] = [];
  const numbers = [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
  ] as const;
  for (const field of numbers) causes.push(...checkNonnegative(spec[field], `${path}.${field}`));
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    causes.push(required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  }
  if (spec.managedBy !== undefined) causes.push(...checkManagedBy(spec.managedBy, `${path}.managedBy`));
  causes.push(...checkSupported(spec.completionMode, ["NonIndexed", "Indexed"], `${path}.completionMode`));
  causes.push(...(spec.completionMode === "Indexed" ? checkIndexed(spec, path) : checkNotIndexed(spec, path)));
  causes.push(...checkPodFailurePolicy(spec, `${path}.podFailurePolicy`), ...checkSuccessPolicy(spec, `${path}.successPolicy`));
  const replacement = spec.podFailurePolicy === undefined ? ["Failed", "TerminatingOrFailed"] : ["Failed"];
  causes.push(...checkSupported(spec.podReplacementPolicy, replacement, `${path}.podReplacementPolicy`));
  causes.push(...checkPodTemplate(spec.template ?? {}, `${path}.template`));
  return [...causes, ...checkRestartPolicy(spec, `${path}.template.spec.restartPolicy`)];
}

function checkRestartPolicy(spec: JobSpec, path: string): StatusCause[] {
  const policy = spec.template?.spec?.restartPolicy;
  if (policy === undefined || policy === "Always") return [required(path, 'valid values: "OnFailure", "Never"')];
  if (policy !== "OnFailure" && policy !== "Never") return [notSupported(path, policy, ["OnFailure", "Never"])];
  if (spec.podFailurePolicy === undefined || policy === "Never") return [];
  return [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')];
}

/** `domain/path`, as apimachinery's `IsDomainPrefixedPath` has it. */
function checkManagedBy(value: string, path: string): StatusCause[] {
  const slash = value.indexOf("/");
  const causes: StatusCause[] = [];
  if (value === "") causes.push(required(path));
  else if (slash <= 0 || slash === value.length - 1)
    causes.push(invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")'));
  else for (const text of dnsSubdomainProblems(value.slice(0, slash))) causes.push(invalid(path, value.slice(0, slash), text));
  if (value.length > maximumManagedBy) causes.push(tooLong(path, maximumManagedBy));
  return causes;
}

function checkIndexed({ completions, parallelism = 0, maxFailedIndexes, backoffLimitPerIndex }: JobSpec, path: string): StatusCause[] {
  const causes: StatusCause[] = completions === undefined ? [required(`${path}.completions`, "when completion mode is Indexed")] : [];
  if (parallelism > maximumIndexes) {
    causes.push(
      invalid(`${path}.parallelism`, parallelism, `must be less than or equal to ${maximumIndexes} when completion mode is Indexed`),
    );
  }
  if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions) {
    causes.push(invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, "must be less than or equal to completions"));
  }
  if (maxFailedIndexes !== undefined && maxFailedIndexes > maximumIndexes) {
    causes.push(invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, `must be less than or equal to ${maximumIndexes}`));
  }
  if (completions === undefined || completions <= maximumIndexes || backoffLimitPerIndex === undefined) return causes;
  const text = `must be less than or equal to ${highCompletionsLimit} when completions are above ${maximumIndexes} and used with backoff limit per index`;
  if (maxFailedIndexes === undefined)
    causes.push(required(`${path}.maxFailedIndexes`, `must be specified when completions is above ${maximumIndexes}`));
  if (parallelism > highCompletionsLimit) causes.push(invalid(`${path}.parallelism`, parallelism, text));
  if ((maxFailedIndexes ?? 0) > highCompletionsLimit) causes.push(invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, text));
  return causes;
}

function checkNotIndexed(spec: JobSpec, path: string): StatusCause[] {
  return (["backoffLimitPerIndex", "maxFailedIndexes"] as const).flatMap((field) =>
    spec[field] === undefined ? [] : [invalid(`${path}.${field}`, spec[field], "requires indexed completion mode")],
  );
}

function checkPodFailurePolicy(spec: JobSpec, path: string): StatusCause[] {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const names = [...(spec.template?.spec?.containers ?? []), ...(spec.template?.spec?.initContainers ?? [])].map(
    (container) => container.name,
  );
  return [
    ...(rules.length > maximumRules ? [tooMany(`${path}.rules`, rules.length, maximumRules)] : []),
    ...rules.flatMap((rule, index) => checkFailureRule(spec, rule, names, `${path}.rules[${index}]`)),
  ];
}

const failureActions = ["Count", "FailIndex", "FailJob", "Ignore"];

function checkFailureRule(spec: JobSpec, rule: PodFailurePolicyRule, names: readonly string[], path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { action, onExitCodes, onPodConditions = [] } = rule;
  if ((action as string) === "") causes.push(required(`${path}.action`, `valid values: [${failureActions.map(goQuote).join(" ")}]`));
  else if (action === "FailIndex") {
    if (spec.backoffLimitPerIndex === undefined)
      causes.push(invalid(`${path}.action`, action, "requires the backoffLimitPerIndex to be set"));
  } else causes.push(...checkSupported(action, failureActions, `${path}.action`));
  if (onExitCodes !== undefined) causes.push(...checkExitCodes(onExitCodes, names, `${path}.onExitCodes`));
  if (onPodConditions.length > maximumRules) causes.push(tooMany(`${path}.onPodConditions`, onPodConditions.length, maximumRules));
  onPodConditions.forEach(({ type, status }, index) => {
    const at = `${path}.onPodConditions[${index}]`;
    causes.push(...checkQualifiedName(type, `${at}.type`), ...checkSupported(status, ["False", "True", "Unknown"], `${at}.status`));
  });
  const without = (detail: string): StatusCause => ({ reason: "FieldValueInvalid", message: `Invalid value: ${detail}`, field: path });
  if (onExitCodes !== undefined && onPodConditions.length > 0)
    causes.push(without("specifying both OnExitCodes and OnPodConditions is not supported"));
  if (onExitCodes === undefined && onPodConditions.length === 0)
    causes.push(without("specifying one of OnExitCodes and OnPodConditions is required"));
  return causes;
}

function checkExitCodes(requirement: PodFailurePolicyOnExitCodesRequirement, names: readonly string[], path: string): StatusCause[] {
  const { operator, containerName } = requirement;
  const values = requirement.values ?? [];
  const printed = { go: `[]int32{${values.join(", ")}}` };
  const causes: StatusCause[] = [];
  if ((operator as string) === "") causes.push(required(`${path}.operator`, 'valid values: ["In" "NotIn"]'));
  else causes.push(...checkSupported(operator, ["In", "NotIn"], `${path}.operator`));
  if (containerName !== undefined && !names.includes(containerName)) {
    causes.push(invalid(`${path}.containerName`, containerName, "must be one of the container or initContainer names in the pod template"));
  }
  if (values.length === 0) causes.push(invalid(`${path}.values`, printed, "at least one value is required"));
  if (values.length > maximumExitCodes) causes.push(tooMany(`${path}.values`, values.length, maximumExitCodes));
  values.forEach((value, index) => {
    if (operator === "In" && value === 0) causes.push(invalid(`${path}.values[${index}]`, value, "must not be 0 for the In operator"));
    if (values.indexOf(value) < index) causes.push(duplicate(`${path}.values[${index}]`, value));
  });
  if (values.some((value, index) => (values[index - 1] ?? value) > value))
    causes.push(invalid(`${path}.values`, printed, "must be ordered"));
  return causes;
}

function checkSuccessPolicy(spec: JobSpec, path: string): StatusCause[] {
  if (spec.successPolicy === undefined) return [];
  if (spec.completionMode !== "Indexed")
    return [invalid(path, { go: goSuccessPolicy(spec.successPolicy) }, "requires indexed completion mode")];
  const rules = spec.successPolicy.rules ?? [];
  const causes: StatusCause[] = [];
  if (rules.length === 0)
    causes.push(required(`${path}.rules`, "at least one rules must be specified when the successPolicy is specified"));
  if (rules.length > maximumRules) causes.push(tooMany(`${path}.rules`, rules.length, maximumRules));
  return [...causes, ...rules.flatMap((rule, index) => checkSuccessRule(rule, spec.completions ?? 0, `${path}.rules[${index}]`))];
}

/** As `%#v` prints it, but for addresses. */
function goSuccessPolicy({ rules }: SuccessPolicy): string {
  const pointer = (type: string, value: unknown) => `(*${type})(${value === undefined ? "nil" : "0xc000000000"})`;
  const texts = (rules ?? []).map(
    ({ succeededIndexes, succeededCount }) =>
      `batch.SuccessPolicyRule{SucceededIndexes:${pointer("string", succeededIndexes)}, SucceededCount:${pointer("int32", succeededCount)}}`,
  );
  return `batch.SuccessPolicy{Rules:[]batch.SuccessPolicyRule{${texts.join(", ")}}}`;
}

function checkSuccessRule({ succeededCount, succeededIndexes }: SuccessPolicyRule, completions: number, path: string): StatusCause[] {
  if (succeededCount === undefined && succeededIndexes === undefined) {
    return [required(path, "at least one of succeededCount or succeededIndexes must be specified")];
  }
  const causes: StatusCause[] = [];
  if (succeededIndexes !== undefined && succeededIndexes.length > maximumSucceededIndexes)
    causes.push(tooLong(`${path}.succeededIndexes`, maximumSucceededIndexes));
  const indexes = countIndexes(succeededIndexes ?? "", completions);
  if (typeof indexes === "string")
    causes.push(invalid(`${path}.succeededIndexes`, succeededIndexes, `error parsing succeededIndexes: ${indexes}`));
  if (succeededCount === undefined) return causes;
  causes.push(...checkNonnegative(succeededCount, `${path}.succeededCount`));
  if (succeededCount > completions) {
    const detail = `must be less than or equal to ${completions} (the number of specified completions)`;
    causes.push(invalid(`${path}.succeededCount`, succeededCount, detail));
  }
  const total = typeof indexes === "number" ? indexes : 0;
  if (succeededIndexes !== undefined && succeededCount > total) {
    const detail = `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`;
    causes.push(invalid(`${path}.succeededCount`, succeededCount, detail));
  }
  return causes;
}
