import { z } from "zod";
import {
  metricSpecFromV1,
  metricSpecsV1,
  metricSpecToV1,
  metricStatusesV1,
  metricStatusFromV1,
  metricStatusToV1,
} from "./autoscaler-metrics.ts";
import type { KubernetesObject } from "./object.ts";
import type {
  AutoscalingV1HorizontalPodAutoscaler,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerBehavior,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
  ObjectMeta,
} from "./types.ts";

/**
 * `autoscaling/v1` knows one metric, the CPU. What version 2 knows beyond it travels in annotations, so that a client of version 1
 * can read and write back what one of version 2 made. Source: Kubernetes' `pkg/apis/autoscaling/v1/conversion.go` and `annotations.go`.
 */
const annotation = {
  metrics: "autoscaling.alpha.kubernetes.io/metrics",
  currentMetrics: "autoscaling.alpha.kubernetes.io/current-metrics",
  conditions: "autoscaling.alpha.kubernetes.io/conditions",
  behavior: "autoscaling.alpha.kubernetes.io/behavior",
} as const;

/** Used where version 1 names neither a CPU target nor other metrics. */
const defaultCpuUtilization = 80;

/** In the annotation the rules bear the names of Go's fields, and absent ones are null. */
const rules = z
  .object({
    StabilizationWindowSeconds: z.number().int().nullish(),
    SelectPolicy: z.string().nullish(),
    Policies: z.array(z.object({ Type: z.string(), Value: z.number().int(), PeriodSeconds: z.number().int() })).nullish(),
    Tolerance: z.union([z.string(), z.number()]).nullish(),
  })
  .nullish();
const behaviorAnnotation = z.object({ ScaleUp: rules, ScaleDown: rules });
const conditionsAnnotation = z.array(
  z.object({
    type: z.string(),
    status: z.string(),
    lastTransitionTime: z.string().nullish(),
    reason: z.string().optional(),
    message: z.string().optional(),
  }),
);

export function autoscalerToV1(autoscaler: HorizontalPodAutoscaler): KubernetesObject {
  const { metrics: givenMetrics, behavior, ...spec } = autoscaler.spec ?? { scaleTargetRef: undefined, maxReplicas: 0 };
  const { currentMetrics: givenStatuses, conditions: givenConditions, ...status } = autoscaler.status ?? {};
  const metrics = givenMetrics ?? [];
  const currentMetrics = givenStatuses ?? [];
  const conditions = givenConditions ?? [];
  const others = metrics.filter((metric) => !isCpuUtilization(metric));
  const target = metrics.find(isCpuUtilization)?.resource?.target.averageUtilization;
  const current = currentMetrics.findLast(hasCpuUtilization)?.resource?.current.averageUtilization;
  const converted = {
    kind: "HorizontalPodAutoscaler",
    apiVersion: "autoscaling/v1",
    metadata: withAnnotations(autoscaler.metadata, {
      ...(others.length > 0 && { [annotation.metrics]: JSON.stringify(others.map(metricSpecToV1)) }),
      ...(currentMetrics.length > 0 && { [annotation.currentMetrics]: JSON.stringify(currentMetrics.map(metricStatusToV1)) }),
      ...(behavior && { [annotation.behavior]: JSON.stringify(encodeBehavior(behavior)) }),
      ...(conditions.length > 0 && { [annotation.conditions]: JSON.stringify(conditions) }),
    }),
    spec: { ...spec, ...(target !== undefined && { targetCPUUtilizationPercentage: target }) },
    status: {
      ...{ currentReplicas: 0, desiredReplicas: 0 },
      ...status,
      ...(current !== undefined && { currentCPUUtilizationPercentage: current }),
    },
  };
  return converted;
}

/** The inverse of `autoscalerToV1`. Annotations that do not parse are dropped, as kube-apiserver drops them. */
export function autoscalerFromV1(autoscaler: AutoscalingV1HorizontalPodAutoscaler): KubernetesObject {
  const annotations = autoscaler.metadata.annotations ?? {};
  const { targetCPUUtilizationPercentage, ...spec } = autoscaler.spec ?? { maxReplicas: 0 };
  const { currentCPUUtilizationPercentage, currentReplicas, desiredReplicas, ...status } = autoscaler.status ?? {};
  const others = parsed(metricSpecsV1, annotations[annotation.metrics])?.map(metricSpecFromV1) ?? [];
  const metrics = typeof targetCPUUtilizationPercentage !== "number" ? others : [...others, cpuSpec(targetCPUUtilizationPercentage)];
  const behavior = decodeBehavior(annotations[annotation.behavior]);
  const cpuStatus = typeof currentCPUUtilizationPercentage !== "number" ? undefined : [cpuCurrent(currentCPUUtilizationPercentage)];
  const currentMetrics = parsed(metricStatusesV1, annotations[annotation.currentMetrics])?.map(metricStatusFromV1) ?? cpuStatus;
  const conditions = parsed(conditionsAnnotation, annotations[annotation.conditions]);
  const converted = {
    kind: "HorizontalPodAutoscaler",
    apiVersion: "autoscaling/v2",
    metadata: withAnnotations(autoscaler.metadata, {}),
    spec: { ...spec, metrics: metrics.length > 0 ? metrics : [cpuSpec(defaultCpuUtilization)], ...(behavior && { behavior }) },
    status: {
      ...status,
      ...(currentReplicas && { currentReplicas }),
      desiredReplicas: desiredReplicas ?? 0,
      currentMetrics: currentMetrics ?? null,
      ...(conditions && { conditions }),
    },
  };
  return converted;
}

function isCpuUtilization({ type, resource }: MetricSpec): boolean {
  return type === "Resource" && resource?.name === "cpu" && typeof resource.target.averageUtilization === "number";
}

function hasCpuUtilization({ type, resource }: MetricStatus): boolean {
  return type === "Resource" && resource?.name === "cpu" && typeof resource.current.averageUtilization === "number";
}

function cpuSpec(averageUtilization: number): MetricSpec {
  return { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization } } };
}

function cpuCurrent(averageUtilization: number): MetricStatus {
  return { type: "Resource", resource: { name: "cpu", current: { averageUtilization } } };
}

/** The metadata with these round-trip annotations in place of the ones it had. */
function withAnnotations(metadata: ObjectMeta, added: Readonly<Record<string, string>>): ObjectMeta {
  const { annotations, ...rest } = metadata;
  const ours = new Set<string>(Object.values(annotation));
  const kept = Object.entries(annotations ?? {}).filter(([name]) => !ours.has(name));
  const all = { ...Object.fromEntries(kept), ...added };
  return Object.keys(all).length === 0 ? rest : { ...rest, annotations: all };
}

function encodeBehavior({ scaleUp, scaleDown }: HorizontalPodAutoscalerBehavior): object {
  const encode = (side: HPAScalingRules | undefined) =>
    side
      ? {
          StabilizationWindowSeconds: side.stabilizationWindowSeconds ?? null,
          SelectPolicy: side.selectPolicy ?? null,
          Policies:
            side.policies?.map(({ type, value, periodSeconds }) => ({ Type: type, Value: value, PeriodSeconds: periodSeconds })) ?? null,
          Tolerance: side.tolerance ?? null,
        }
      : null;
  return { ScaleUp: encode(scaleUp), ScaleDown: encode(scaleDown) };
}

function decodeBehavior(text: string | undefined): HorizontalPodAutoscalerBehavior | undefined {
  const behavior = parsed(behaviorAnnotation, text);
  if (!behavior?.ScaleUp && !behavior?.ScaleDown) return undefined;
  const decode = (side: NonNullable<z.infer<typeof rules>>): HPAScalingRules => ({
    ...(typeof side.StabilizationWindowSeconds === "number" && { stabilizationWindowSeconds: side.StabilizationWindowSeconds }),
    ...(side.SelectPolicy && { selectPolicy: side.SelectPolicy }),
    ...(side.Policies && {
      policies: side.Policies.map(({ Type, Value, PeriodSeconds }) => ({ type: Type, value: Value, periodSeconds: PeriodSeconds })),
    }),
    ...(side.Tolerance !== undefined && side.Tolerance !== null && { tolerance: side.Tolerance }),
  });
  return {
    ...(behavior.ScaleUp && { scaleUp: decode(behavior.ScaleUp) }),
    ...(behavior.ScaleDown && { scaleDown: decode(behavior.ScaleDown) }),
  };
}

function parsed<T>(schema: z.ZodType<T>, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
