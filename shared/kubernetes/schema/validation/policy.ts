import { labelSelectorProblems } from "../../label-selector.ts";
import { dnsLabelProblems, qualifiedNameProblems } from "../../names.ts";
import type { StatusCause } from "../../status-error.ts";
import type { Lease, PodDisruptionBudget, PriorityClass, RuntimeClass, Toleration } from "../../types.ts";
import { duplicate, forbidden, invalid } from "../field-error.ts";
import { goQuote } from "../go-text.ts";
import { checkImmutable, checkNonnegative, checkOneOf, checkSupported, invalidEach } from "./checks.ts";
import { same, validateLabels } from "./object-meta.ts";
import { checkResourceRequirements } from "./resources.ts";
import { checkTolerations } from "./selectors.ts";
import { checkIntOrPercent, checkNotOver100Percent } from "./workloads.ts";

/** The highest priority that users may give (`scheduling.HighestUserDefinablePriority`). */
const highestPriority = 1_000_000_000;
const systemPriorities: Readonly<Record<string, number>> = {
  "system-node-critical": 2_000_001_000,
  "system-cluster-critical": 2_000_000_000,
};

export function validatePriorityClass({ metadata, value, globalDefault, preemptionPolicy }: PriorityClass): StatusCause[] {
  const { name = "" } = metadata;
  const causes: StatusCause[] = [];
  if (name.startsWith("system-")) {
    const problem = systemPriorityProblem(name, value, globalDefault === true);
    const text = "priority class names with 'system-' prefix are reserved for system use only. error: ";
    if (problem !== undefined) causes.push(forbidden("metadata.name", text + problem));
  } else if (value > highestPriority)
    causes.push(forbidden("value", `maximum allowed value of a user defined priority is ${highestPriority}`));
  return preemptionPolicy === undefined
    ? causes
    : [...causes, ...checkOneOf(preemptionPolicy, ["PreemptLowerPriority", "Never"], "preemptionPolicy")];
}

function systemPriorityProblem(name: string, value: number, globalDefault: boolean): string | undefined {
  const known = systemPriorities[name];
  if (known === undefined) return `${name} is not a known system priority class`;
  if (known !== value) return `value of ${name} PriorityClass must be ${known}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

export function validatePriorityClassUpdate(next: PriorityClass, live: PriorityClass): StatusCause[] {
  return [
    ...(next.value === live.value ? [] : [forbidden("value", "may not be changed in an update.")]),
    ...checkImmutable(next.preemptionPolicy, live.preemptionPolicy, "preemptionPolicy"),
  ];
}

export function validateLease({ spec = {} }: Lease): StatusCause[] {
  const { leaseDurationSeconds, leaseTransitions, strategy = "", preferredHolder = "" } = spec;
  const causes: StatusCause[] = [];
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0)
    causes.push(invalid("spec.leaseDurationSeconds", leaseDurationSeconds, "must be greater than 0"));
  causes.push(...checkNonnegative(leaseTransitions, "spec.leaseTransitions"));
  if (strategy.includes("/")) causes.push(...invalidEach("spec.strategy.strategy", strategy, qualifiedNameProblems(strategy)));
  else if (strategy !== "") causes.push(...checkSupported(strategy, ["OldestEmulationVersion"], "spec.strategy.strategy"));
  if (preferredHolder !== "" && strategy === "")
    causes.push(forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"));
  return causes;
}

/** As `%#v` prints it, but for addresses. */
function goBudget(spec: NonNullable<PodDisruptionBudget["spec"]>): string {
  const pointers = [
    ["MinAvailable", "intstr.IntOrString", spec.minAvailable],
    ["Selector", "v1.LabelSelector", spec.selector],
    ["MaxUnavailable", "intstr.IntOrString", spec.maxUnavailable],
    ["UnhealthyPodEvictionPolicy", "policy.UnhealthyPodEvictionPolicyType", spec.unhealthyPodEvictionPolicy],
  ] as const;
  const texts = pointers.map(([name, type, value]) => `${name}:(*${type})(${value === undefined ? "nil" : "0xc000000000"})`);
  return `policy.PodDisruptionBudgetSpec{${texts.join(", ")}}`;
}

export function validateDisruptionBudget({ spec = {} }: PodDisruptionBudget): StatusCause[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = spec;
  const causes: StatusCause[] = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    causes.push(invalid("spec", { go: goBudget(spec) }, "minAvailable and maxUnavailable cannot be both set"));
  }
  causes.push(...checkIntOrPercent(minAvailable, "spec.minAvailable"), ...checkNotOver100Percent(minAvailable, "spec.minAvailable"));
  causes.push(
    ...checkIntOrPercent(maxUnavailable, "spec.maxUnavailable"),
    ...checkNotOver100Percent(maxUnavailable, "spec.maxUnavailable"),
  );
  causes.push(...labelSelectorProblems(selector, "spec.selector"));
  return [...causes, ...checkSupported(unhealthyPodEvictionPolicy, ["AlwaysAllow", "IfHealthyBudget"], "spec.unhealthyPodEvictionPolicy")];
}

export function validateDisruptionBudgetStatus({ status }: PodDisruptionBudget): StatusCause[] {
  const fields = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] as const;
  return fields.flatMap((field) => checkNonnegative(status?.[field], `status.${field}`));
}

export function validateRuntimeClass({ handler, overhead, scheduling }: RuntimeClass): StatusCause[] {
  const causes = invalidEach("handler", handler, dnsLabelProblems(handler));
  if (overhead?.podFixed !== undefined) causes.push(...checkResourceRequirements({ limits: overhead.podFixed }, "overhead"));
  if (scheduling === undefined) return causes;
  causes.push(...validateLabels(scheduling.nodeSelector, "scheduling.nodeSelector"));
  const tolerations = scheduling.tolerations ?? [];
  causes.push(...checkTolerations(tolerations, "scheduling.tolerations.tolerations"));
  tolerations.forEach((toleration, index) => {
    if (tolerations.slice(0, index).some((other) => same(other, toleration)))
      causes.push(duplicate(`scheduling.tolerations[${index}]`, { go: goToleration(toleration) }));
  });
  return causes;
}

function goToleration(toleration: Toleration): string {
  const { key = "", operator = "", value = "", effect = "" }: { [field in keyof Toleration]: string | number } = toleration;
  const fields = Object.entries({ Key: key, Operator: operator, Value: value, Effect: effect });
  const texts = fields.map(([name, text]) => `${name}:${goQuote(String(text))}`).join(", ");
  return `core.Toleration{${texts}, TolerationSeconds:(*int64)(nil)}`;
}

export function validateRuntimeClassUpdate(next: RuntimeClass, live: RuntimeClass): StatusCause[] {
  return same(next.handler, live.handler) ? [] : checkImmutable(next.handler, live.handler, "handler");
}
