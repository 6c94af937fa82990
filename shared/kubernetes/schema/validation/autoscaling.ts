import { pathSegmentProblems } from "../../names.ts";
import { compareQuantities, parseQuantity } from "../../quantity.ts";
import type { StatusCause } from "../../status-error.ts";
import type { HorizontalPodAutoscaler, HPAScalingRules, MetricSpec, MetricTarget } from "../../types.ts";
import { forbidden, invalid, notSupported, required } from "../field-error.ts";
import { goQuantity, goQuote } from "../go-text.ts";
import { checkDnsLabel, checkNonnegative, checkSupported, invalidEach } from "./checks.ts";
import { checkContainerResourceName } from "./resources.ts";

const maximumStabilizationSeconds = 3600;
const maximumPeriodSeconds = 1800;
const metricTypes = ["ContainerResource", "External", "Object", "Pods", "Resource"];
const populate = "must populate information for the given metric source";

interface ScaledSpec {
  readonly minReplicas?: number;
  readonly maxReplicas?: number;
  readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
}

/** What version 1 and 2 have in common. */
export function validateScaling({ spec = {} }: { spec?: ScaledSpec }): StatusCause[] {
  const { minReplicas, maxReplicas = 0, scaleTargetRef } = spec;
  const causes: StatusCause[] = [];
  if (minReplicas !== undefined && minReplicas < 1)
    causes.push(invalid("spec.minReplicas", minReplicas, "must be greater than or equal to 1"));
  if (maxReplicas < 1) causes.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than 0"));
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    causes.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than or equal to `minReplicas`"));
  }
  return [...causes, ...checkTarget(scaleTargetRef ?? { kind: "", name: "" }, "spec.scaleTargetRef")];
}

export function validateAutoscaler(autoscaler: HorizontalPodAutoscaler): StatusCause[] {
  const { metrics = [], behavior } = autoscaler.spec ?? {};
  return [
    ...validateScaling(autoscaler),
    ...metrics.flatMap((metric, index) => checkMetric(metric, `spec.metrics[${index}]`)),
    ...checkScaleToZero(autoscaler.spec?.minReplicas, metrics),
    ...checkRules(behavior?.scaleUp, "spec.behavior.scaleUp"),
    ...checkRules(behavior?.scaleDown, "spec.behavior.scaleDown"),
  ];
}

/** What is not there cannot be measured in its own pods. */
function checkScaleToZero(minimum: number | undefined, metrics: readonly MetricSpec[]): StatusCause[] {
  if (minimum !== 0 || metrics.some(({ object, external }) => object !== undefined || external !== undefined)) return [];
  return [forbidden("spec.metrics", "must specify at least one Object or External metric to support scaling to zero replicas")];
}

export function validateAutoscalerStatus({ status }: HorizontalPodAutoscaler): StatusCause[] {
  return [
    ...checkNonnegative(status?.currentReplicas, "status.currentReplicas"),
    ...checkNonnegative(status?.desiredReplicas, "status.desiredReplicas"),
  ];
}

function checkTarget(reference: { readonly kind: string; readonly name: string }, path: string): StatusCause[] {
  return (["kind", "name"] as const).flatMap((field) => {
    const value = reference[field];
    return value === "" ? [required(`${path}.${field}`)] : invalidEach(`${path}.${field}`, value, pathSegmentProblems(value));
  });
}

function checkRules(rules: HPAScalingRules | undefined, path: string): StatusCause[] {
  if (rules === undefined) return [];
  const { stabilizationWindowSeconds: seconds = 0, selectPolicy, policies = [] } = rules;
  const causes: StatusCause[] = [];
  const at = `${path}.stabilizationWindowSeconds`;
  if (seconds < 0) causes.push(invalid(at, seconds, "must be greater than or equal to zero"));
  if (seconds > maximumStabilizationSeconds)
    causes.push(invalid(at, seconds, `must be less than or equal to ${maximumStabilizationSeconds}`));
  causes.push(...checkSupported(selectPolicy, ["Disabled", "Max", "Min"], `${path}.selectPolicy`));
  if (policies.length === 0) causes.push(required(`${path}.policies`, "must specify at least one Policy"));
  policies.forEach(({ type, value, periodSeconds }, index) => {
    const policy = `${path}.policies[${index}]`;
    if ((type as string) !== "Pods" && (type as string) !== "Percent")
      causes.push(notSupported(`${policy}.type`, type, ["Percent", "Pods"]));
    if (value <= 0) causes.push(invalid(`${policy}.value`, value, "must be greater than zero"));
    if (periodSeconds <= 0) causes.push(invalid(`${policy}.periodSeconds`, periodSeconds, "must be greater than zero"));
    if (periodSeconds > maximumPeriodSeconds)
      causes.push(invalid(`${policy}.periodSeconds`, periodSeconds, `must be less than or equal to ${maximumPeriodSeconds}`));
  });
  return causes;
}

function checkMetric(metric: MetricSpec, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { type } = metric;
  if ((type as string) === "") causes.push(required(`${path}.type`, "must specify a metric source type"));
  if (!metricTypes.includes(type)) causes.push(notSupported(`${path}.type`, type, metricTypes));
  const present = (["object", "external", "pods", "resource", "containerResource"] as const).filter((field) => metric[field] !== undefined);
  const first = present[0];
  if (first !== undefined) causes.push(...checkSource(metric, first, `${path}.${first}`));
  const expected = type.charAt(0).toLowerCase() + type.slice(1);
  if (!metricTypes.includes(type)) causes.push(notSupported(`${path}.type`, type, metricTypes));
  else if (!present.some((field) => field === expected)) causes.push(required(`${path}.${expected}`, populate));
  if (present.length === 1) return causes;
  return [
    ...causes,
    ...present
      .filter((field) => field !== expected)
      .map((field) => forbidden(`${path}.${field}`, "must populate the given metric source only")),
  ];
}

function checkSource(
  metric: MetricSpec,
  source: "object" | "external" | "pods" | "resource" | "containerResource",
  path: string,
): StatusCause[] {
  const { object, external, pods, resource, containerResource } = metric;
  const target = `${path}.target`;
  if (source === "object" && object !== undefined) {
    const causes = [
      ...checkTarget(object.describedObject, `${path}.describedObject`),
      ...checkMetricName(object.metric.name, path),
      ...checkMetricTarget(object.target, target),
    ];
    const unset = object.target.value === undefined && object.target.averageValue === undefined;
    return unset ? [...causes, required(`${target}.averageValue`, "must set either a target value or averageValue")] : causes;
  }
  if (source === "external" && external !== undefined) {
    const { value, averageValue } = external.target;
    const causes = [...checkMetricName(external.metric.name, path), ...checkMetricTarget(external.target, target)];
    if (value === undefined && averageValue === undefined)
      causes.push(required(`${target}.averageValue`, "must set either a target value for metric or a per-pod target"));
    if (value !== undefined && averageValue !== undefined)
      causes.push(forbidden(`${target}.value`, "may not set both a target value for metric and a per-pod target"));
    return causes;
  }
  if (source === "pods" && pods !== undefined) {
    const causes = [...checkMetricName(pods.metric.name, path), ...checkMetricTarget(pods.target, target)];
    return pods.target.averageValue === undefined
      ? [...causes, required(`${target}.averageValue`, "must specify a positive target averageValue")]
      : causes;
  }
  const causes: StatusCause[] = [];
  const named = resource ?? containerResource;
  if (named === undefined) return causes;
  if (named.name === "") causes.push(required(`${path}.name`, "must specify a resource name"));
  else if (source === "containerResource")
    causes.push(...checkContainerResourceName(named.name, `${path}.name`).map((cause) => quoted(cause, named.name)));
  if (source === "containerResource") {
    const container = containerResource?.container ?? "";
    causes.push(
      ...(container === "" ? [required(`${path}.container`, "must specify a container")] : checkDnsLabel(container, `${path}.container`)),
    );
  }
  causes.push(...checkMetricTarget(named.target, target));
  const { averageUtilization, averageValue } = named.target;
  if (averageUtilization === undefined && averageValue === undefined) {
    causes.push(required(`${target}.averageUtilization`, "must set either a target raw value or a target utilization"));
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    causes.push(forbidden(`${target}.averageValue`, "may not set both a target raw value and a target utilization"));
  }
  return causes;
}

/** Here the name is a string, which Go quotes; a `ResourceName` it does not. */
function quoted(cause: StatusCause, name: string): StatusCause {
  const plain = `Invalid value: ${name}: `;
  const { message = "" } = cause;
  return message.startsWith(plain) && !message.includes(": must be a standard resource")
    ? { ...cause, message: `Invalid value: ${goQuote(name)}: ${message.slice(plain.length)}` }
    : cause;
}

function checkMetricName(name: string, path: string): StatusCause[] {
  const at = `${path}.metric.name`;
  return name === "" ? [required(at, "must specify a metric name")] : invalidEach(at, name, pathSegmentProblems(name));
}

function checkMetricTarget(target: MetricTarget, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  if ((target.type as string) === "") causes.push(required(`${path}.type`, "must specify a metric target type"));
  if (!["Utilization", "Value", "AverageValue"].includes(target.type)) {
    causes.push(invalid(`${path}.type`, target.type, "must be either Utilization, Value, or AverageValue"));
  }
  for (const field of ["value", "averageValue"] as const) {
    const amount = target[field];
    if (amount === undefined) continue;
    const quantity = parseQuantity(amount);
    if (compareQuantities(quantity, parseQuantity("0")) <= 0)
      causes.push(invalid(`${path}.${field}`, { go: goQuantity(String(amount)) }, "must be positive"));
  }
  const utilization = target.averageUtilization;
  if (utilization !== undefined && utilization < 1)
    causes.push(invalid(`${path}.averageUtilization`, utilization, "must be greater than 0"));
  return causes;
}
