import { labelSelectorProblems, matchesSelector } from "../../label-selector.ts";
import { percentProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { LabelSelector, PodTemplate, PodTemplateSpec, ReplicationController } from "../../types.ts";
import { forbidden, invalid, notSupported, required } from "../field-error.ts";
import { goIntOrString, goLabelSelector, goStringMap } from "../go-text.ts";
import { checkImmutable, checkNonnegative } from "./checks.ts";
import { negativeMessage } from "./object-meta.ts";
import { checkPodTemplate } from "./pod-spec.ts";

const mismatch = "`selector` does not match template `labels`";

/** What the status fields of a workload count; they may not be negative nor exceed the whole (`ValidateReplicaSetStatus` and its like). */
export function checkReplicaCounts(
  status: object | undefined,
  fields: readonly string[],
  parts: readonly string[],
  readyName = "readyReplicas",
): StatusCause[] {
  const counts = (status ?? {}) as Readonly<Record<string, number | undefined>>;
  const of = (field: string) => counts[field] ?? 0;
  const causes = fields.flatMap((field) => checkNonnegative(counts[field], `status.${field}`));
  for (const field of parts) {
    if (of(field) > of("replicas")) causes.push(invalid(`status.${field}`, of(field), "cannot be greater than status.replicas"));
  }
  if (of("availableReplicas") > of("readyReplicas"))
    causes.push(invalid("status.availableReplicas", of("availableReplicas"), `cannot be greater than ${readyName}`));
  return causes;
}

/** A count that may only grow. */
export function checkCollisionCount(
  next: { collisionCount?: number } | undefined,
  live: { collisionCount?: number } | undefined,
): StatusCause[] {
  const count = next?.collisionCount ?? 0;
  return live?.collisionCount !== undefined && count < live.collisionCount
    ? [invalid("status.collisionCount", count, "cannot be decremented")]
    : [];
}

/** The selector and template of a workload whose pods run for ever. `kindName` is how Kubernetes' messages name the kind. */
export function checkSelectorAndTemplate(
  selector: LabelSelector | undefined,
  template: PodTemplateSpec | undefined,
  path: string,
  kindName: { readonly selector: string; readonly deadline: string },
): StatusCause[] {
  const causes = checkSelector(selector, `${path}.selector`, kindName.selector);
  if (!isReadable(selector)) return [...causes, invalid(`${path}.selector`, { go: goLabelSelector(selector) }, "invalid label selector")];
  return [...causes, ...checkTemplateFor(selector, template ?? {}, `${path}.template`, kindName.deadline)];
}

/** Whether `LabelSelectorAsSelector` makes something of it. */
export function isReadable(selector: LabelSelector | undefined): boolean {
  return selector === undefined || labelSelectorProblems(selector, "").length === 0;
}

export function checkSelector(selector: LabelSelector | undefined, path: string, kindName: string): StatusCause[] {
  if (selector === undefined) return [required(path)];
  const causes = labelSelectorProblems(selector, path);
  if (isEmptySelector(selector)) causes.push(invalid(path, { go: goLabelSelector(selector) }, `empty selector is invalid for ${kindName}`));
  return causes;
}

function checkTemplateFor(selector: LabelSelector | undefined, template: PodTemplateSpec, path: string, kindName: string): StatusCause[] {
  return [
    ...checkTemplateLabels(selector, template, path),
    ...checkPodTemplate(template, path),
    ...checkRunsForever(template, path, kindName),
  ];
}

export function checkTemplateLabels(selector: LabelSelector | undefined, template: PodTemplateSpec, path: string): StatusCause[] {
  const labels = template.metadata?.labels;
  if (selector !== undefined && (isEmptySelector(selector) || matches(selector, labels))) return [];
  return [invalid(`${path}.metadata.labels`, { go: goStringMap(labels) }, mismatch)];
}

/** A selector that cannot be read matches nothing; its own problems are named elsewhere. */
function matches(selector: LabelSelector, labels: Record<string, string> | undefined): boolean {
  return !isReadable(selector) || matchesSelector(selector, labels);
}

export function checkRunsForever(template: PodTemplateSpec, path: string, kindName: string): StatusCause[] {
  const { restartPolicy = "" as string, activeDeadlineSeconds } = template.spec ?? {};
  const causes = restartPolicy === "Always" ? [] : [notSupported(`${path}.spec.restartPolicy`, restartPolicy, ["Always"])];
  if (template.spec === undefined) causes.length = 0;
  if (activeDeadlineSeconds !== undefined) {
    causes.push(forbidden(`${path}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kindName} is not Supported`));
  }
  return causes;
}

function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0;
}

export function checkSelectorUnchanged(next: LabelSelector | undefined, live: LabelSelector | undefined): StatusCause[] {
  return checkImmutable(next, live, "spec.selector", goLabelSelector(next));
}

/** A number that is not negative, or a percentage (`ValidatePositiveIntOrPercent`). */
export function checkIntOrPercent(value: number | string | undefined, path: string): StatusCause[] {
  if (typeof value === "string") return percentProblems(value).map((text) => invalid(path, { go: goIntOrString(value) }, text));
  return value !== undefined && value < 0 ? [invalid(path, value, negativeMessage)] : [];
}

export function checkNotOver100Percent(value: number | string | undefined, path: string): StatusCause[] {
  const over = typeof value === "string" && percentProblems(value).length === 0 && Number.parseInt(value, 10) > 100;
  return over ? [invalid(path, { go: goIntOrString(value) }, "must not be greater than 100%")] : [];
}

/** The number of a value or of its percentage; anything unreadable is zero, as in Go. */
export function intOrPercentValue(value: number | string | undefined): number {
  if (typeof value === "number") return value;
  const parsed = Number.parseInt(value ?? "0", 10);
  return Number.isNaN(parsed) ? 0 : parsed;
}

export function validateReplicationController({ spec = {} }: ReplicationController): StatusCause[] {
  const { selector, template, replicas } = spec;
  const causes = checkNonnegative(spec.minReadySeconds, "spec.minReadySeconds");
  const empty = Object.keys(selector ?? {}).length === 0;
  if (empty) causes.push(required("spec.selector"));
  if (replicas === undefined) causes.push(required("spec.replicas"));
  else causes.push(...checkNonnegative(replicas, "spec.replicas"));
  if (template === undefined) return [...causes, required("spec.template")];
  const labels = template.metadata?.labels;
  if (!empty && Object.entries(selector ?? {}).some(([key, value]) => labels?.[key] !== value))
    causes.push(invalid("spec.template.metadata.labels", { go: goStringMap(labels) }, mismatch));
  return [
    ...causes,
    ...checkPodTemplate(template, "spec.template"),
    ...checkRunsForever(template, "spec.template", "ReplicationController"),
  ];
}

export function validatePodTemplateObject({ template }: PodTemplate): StatusCause[] {
  return checkPodTemplate(template ?? {}, "template");
}

export const replicaStatusFields = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"];
export const replicaStatusParts = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
