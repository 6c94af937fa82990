import { z } from "zod";
import type { MetricSpec, MetricStatus } from "./types.ts";

/**
 * Metrics as `autoscaling/v1` writes them into annotations: the fields of version 2, flattened and under older names.
 * Source: Kubernetes' `pkg/apis/autoscaling/v1/conversion.go` and `staging/src/k8s.io/api/autoscaling/v1/types.go`.
 */
const quantity = z.union([z.string(), z.number()]);
const integer = z.number().int();
const reference = z.object({ kind: z.string(), name: z.string(), apiVersion: z.string().optional() });
const selector = z.record(z.string(), z.unknown());

const specV1 = z.object({
  type: z.string(),
  object: z
    .object({
      target: reference,
      metricName: z.string(),
      targetValue: quantity.optional(),
      selector: selector.optional(),
      averageValue: quantity.optional(),
    })
    .optional(),
  pods: z.object({ metricName: z.string(), targetAverageValue: quantity, selector: selector.optional() }).optional(),
  resource: z
    .object({ name: z.string(), targetAverageUtilization: integer.optional(), targetAverageValue: quantity.optional() })
    .optional(),
  containerResource: z
    .object({
      name: z.string(),
      targetAverageUtilization: integer.optional(),
      targetAverageValue: quantity.optional(),
      container: z.string(),
    })
    .optional(),
  external: z
    .object({
      metricName: z.string(),
      metricSelector: selector.optional(),
      targetValue: quantity.optional(),
      targetAverageValue: quantity.optional(),
    })
    .optional(),
});

const statusV1 = z.object({
  type: z.string(),
  object: z
    .object({
      target: reference,
      metricName: z.string(),
      currentValue: quantity,
      selector: selector.optional(),
      averageValue: quantity.optional(),
    })
    .optional(),
  pods: z.object({ metricName: z.string(), currentAverageValue: quantity, selector: selector.optional() }).optional(),
  resource: z.object({ name: z.string(), currentAverageUtilization: integer.optional(), currentAverageValue: quantity }).optional(),
  containerResource: z
    .object({ name: z.string(), currentAverageUtilization: integer.optional(), currentAverageValue: quantity, container: z.string() })
    .optional(),
  external: z
    .object({
      metricName: z.string(),
      metricSelector: selector.optional(),
      currentValue: quantity,
      currentAverageValue: quantity.optional(),
    })
    .optional(),
});

export const metricSpecsV1 = z.array(specV1);
export const metricStatusesV1 = z.array(statusV1);

export function metricSpecToV1({ type, object, pods, resource, containerResource, external }: MetricSpec): object {
  return {
    type,
    ...(object && {
      object: present({
        target: object.describedObject,
        metricName: object.metric.name,
        targetValue: object.target.value ?? "0",
        selector: object.metric.selector,
        averageValue: object.target.averageValue,
      }),
    }),
    ...(pods && {
      pods: present({ metricName: pods.metric.name, targetAverageValue: pods.target.averageValue ?? "0", selector: pods.metric.selector }),
    }),
    ...(resource && {
      resource: present({
        name: resource.name,
        targetAverageUtilization: resource.target.averageUtilization,
        targetAverageValue: resource.target.averageValue,
      }),
    }),
    ...(containerResource && {
      containerResource: present({
        name: containerResource.name,
        targetAverageUtilization: containerResource.target.averageUtilization,
        targetAverageValue: containerResource.target.averageValue,
        container: containerResource.container,
      }),
    }),
    ...(external && {
      external: present({
        metricName: external.metric.name,
        metricSelector: external.metric.selector,
        targetValue: external.target.value,
        targetAverageValue: external.target.averageValue,
      }),
    }),
  };
}

export function metricSpecFromV1({ type, object, pods, resource, containerResource, external }: z.infer<typeof specV1>): MetricSpec {
  const utilization = (target: { targetAverageUtilization?: number | undefined; targetAverageValue?: string | number | undefined }) =>
    present({
      type: target.targetAverageUtilization === undefined ? "AverageValue" : "Utilization",
      averageValue: target.targetAverageValue,
      averageUtilization: target.targetAverageUtilization,
    });
  const metric = {
    type,
    ...(object && {
      object: {
        describedObject: present(object.target),
        metric: present({ name: object.metricName, selector: object.selector }),
        target: present({
          type: object.averageValue === undefined ? "Value" : "AverageValue",
          value: object.targetValue ?? "0",
          averageValue: object.averageValue,
        }),
      },
    }),
    ...(pods && {
      pods: {
        metric: present({ name: pods.metricName, selector: pods.selector }),
        target: { type: "AverageValue", averageValue: pods.targetAverageValue },
      },
    }),
    ...(resource && { resource: { name: resource.name, target: utilization(resource) } }),
    ...(containerResource && {
      containerResource: { name: containerResource.name, target: utilization(containerResource), container: containerResource.container },
    }),
    ...(external && {
      external: {
        metric: present({ name: external.metricName, selector: external.metricSelector }),
        target: present({
          type: external.targetValue === undefined ? "AverageValue" : "Value",
          value: external.targetValue,
          averageValue: external.targetAverageValue,
        }),
      },
    }),
  };
  return metric as MetricSpec;
}

export function metricStatusToV1({ type, object, pods, resource, containerResource, external }: MetricStatus): object {
  return {
    type,
    ...(object && {
      object: present({
        target: object.describedObject,
        metricName: object.metric.name,
        currentValue: object.current.value ?? "0",
        selector: object.metric.selector,
        averageValue: object.current.averageValue,
      }),
    }),
    ...(pods && {
      pods: present({
        metricName: pods.metric.name,
        currentAverageValue: pods.current.averageValue ?? "0",
        selector: pods.metric.selector,
      }),
    }),
    ...(resource && {
      resource: present({
        name: resource.name,
        currentAverageUtilization: resource.current.averageUtilization,
        currentAverageValue: resource.current.averageValue ?? "0",
      }),
    }),
    ...(containerResource && {
      containerResource: present({
        name: containerResource.name,
        currentAverageUtilization: containerResource.current.averageUtilization,
        currentAverageValue: containerResource.current.averageValue ?? "0",
        container: containerResource.container,
      }),
    }),
    ...(external && {
      external: present({
        metricName: external.metric.name,
        metricSelector: external.metric.selector,
        currentValue: external.current.value ?? "0",
        currentAverageValue: external.current.averageValue,
      }),
    }),
  };
}

export function metricStatusFromV1({ type, object, pods, resource, containerResource, external }: z.infer<typeof statusV1>): MetricStatus {
  const current = (status: { currentAverageUtilization?: number | undefined; currentAverageValue: string | number }) =>
    present({ averageValue: status.currentAverageValue, averageUtilization: status.currentAverageUtilization });
  const metric = {
    type,
    ...(object && {
      object: {
        metric: present({ name: object.metricName, selector: object.selector }),
        current: present({ value: object.currentValue, averageValue: object.averageValue }),
        describedObject: present(object.target),
      },
    }),
    ...(pods && {
      pods: { metric: present({ name: pods.metricName, selector: pods.selector }), current: { averageValue: pods.currentAverageValue } },
    }),
    ...(resource && { resource: { name: resource.name, current: current(resource) } }),
    ...(containerResource && {
      containerResource: { name: containerResource.name, current: current(containerResource), container: containerResource.container },
    }),
    ...(external && {
      external: {
        metric: present({ name: external.metricName, selector: external.metricSelector }),
        current: present({ value: external.currentValue, averageValue: external.currentAverageValue }),
      },
    }),
  };
  return metric as MetricStatus;
}

/** The same object without the fields that have no value; null is none. */
function present<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)) as T;
}
