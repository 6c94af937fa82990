import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from "../types.ts";
import { age, type Printer } from "./format.ts";

const shown = 2;
const none = "<nil>";

/** The object is an autoscaler of version 2. */
export const horizontalPodAutoscalerCells: Printer = (object, nowMs) => {
  const autoscaler = object as HorizontalPodAutoscaler;
  const { spec, status } = autoscaler;
  return [
    autoscaler.metadata.name,
    `${spec?.scaleTargetRef?.kind ?? ""}/${spec?.scaleTargetRef?.name ?? ""}`,
    targets(spec?.metrics ?? [], status?.currentMetrics ?? []),
    String(spec?.minReplicas ?? "<unset>"),
    spec?.maxReplicas ?? 0,
    status?.currentReplicas ?? 0,
    age(autoscaler, nowMs),
  ];
};

function targets(specs: readonly MetricSpec[], statuses: readonly MetricStatus[]): string {
  if (specs.length === 0) return "<none>";
  const texts = specs.slice(0, shown).map((spec, position) => target(spec, statuses[position]));
  return specs.length > shown ? `${texts.join(", ")} + ${specs.length - shown} more...` : texts.join(", ");
}

function target(spec: MetricSpec, status: MetricStatus | undefined): string {
  switch (spec.type) {
    case "External":
      return spec.external ? averageOrValue(spec.external.target, status?.external?.current) : "";
    case "Object":
      return spec.object ? averageOrValue(spec.object.target, status?.object?.current) : "";
    case "Pods":
      return `${average(status?.pods?.current)}/${spec.pods?.target.averageValue ?? none}`;
    case "Resource":
      return spec.resource ? `${spec.resource.name}: ${resource(spec.resource.target, status?.resource?.current)}` : "";
    case "ContainerResource":
      return spec.containerResource
        ? `${spec.containerResource.name}: ${resource(spec.containerResource.target, status?.containerResource?.current)}`
        : "";
    default:
      return "<unknown type>";
  }
}

function averageOrValue(wanted: MetricTarget, current: MetricValueStatus | undefined): string {
  if (isGiven(wanted.averageValue)) return `${current?.averageValue ?? "<unknown>"}/${wanted.averageValue} (avg)`;
  return `${current ? (current.value ?? none) : "<unknown>"}/${wanted.value ?? none}`;
}

/** Where a status has another value than the one that is asked for, Go prints a nil pointer. */
function average(current: MetricValueStatus | undefined): string | number {
  return current ? (current.averageValue ?? none) : "<unknown>";
}

function resource(wanted: MetricTarget, current: MetricValueStatus | undefined): string {
  if (isGiven(wanted.averageValue)) return `${average(current)}/${wanted.averageValue}`;
  return `${percent(current?.averageUtilization) ?? "<unknown>"}/${percent(wanted.averageUtilization) ?? "<auto>"}`;
}

function percent(value: number | undefined): string | undefined {
  return isGiven(value) ? `${value}%` : undefined;
}

/** JSON's null is as good as nothing. */
function isGiven<T>(value: T | undefined | null): value is T {
  return value !== undefined && value !== null;
}
