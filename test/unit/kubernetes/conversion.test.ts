import { describe, expect, it } from "vitest";
import { convert } from "../../../shared/kubernetes/conversion.ts";
import type { KubernetesObject } from "../../../shared/kubernetes/object.ts";
import { findResource, type ResourceDefinition } from "../../../shared/kubernetes/resources.ts";

function resource(group: string, version: string, name: string): ResourceDefinition {
  const found = findResource(group, version, name);
  if (!found) throw new Error(`no ${group}/${version} ${name}`);
  return found;
}

const v1 = resource("autoscaling", "v1", "horizontalpodautoscalers");
const v2 = resource("autoscaling", "v2", "horizontalpodautoscalers");
const coreEvents = resource("", "v1", "events");
const groupEvents = resource("events.k8s.io", "v1", "events");

const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };

function autoscaler(apiVersion: string, spec: object, status?: object, annotations?: Record<string, string>): KubernetesObject {
  const metadata = { name: "web", namespace: "default", ...(annotations && { annotations }) };
  return Object.assign({ kind: "HorizontalPodAutoscaler", apiVersion, metadata, spec }, status && { status });
}

const everyMetric = [
  { type: "Resource", resource: { name: "memory", target: { type: "AverageValue", averageValue: "100Mi" } } },
  {
    type: "ContainerResource",
    containerResource: { name: "cpu", container: "app", target: { type: "Utilization", averageUtilization: 70 } },
  },
  {
    type: "Pods",
    pods: { metric: { name: "requests", selector: { matchLabels: { a: "b" } } }, target: { type: "AverageValue", averageValue: "10" } },
  },
  {
    type: "Object",
    object: {
      describedObject: { kind: "Ingress", name: "main", apiVersion: "networking.k8s.io/v1" },
      metric: { name: "rps" },
      target: { type: "Value", value: "2k" },
    },
  },
  { type: "External", external: { metric: { name: "queue" }, target: { type: "AverageValue", averageValue: "30" } } },
];

describe("conversion of HorizontalPodAutoscalers", () => {
  it("turns the CPU target of version 1 into a resource metric", () => {
    const given = autoscaler("autoscaling/v1", { scaleTargetRef, minReplicas: 1, maxReplicas: 5, targetCPUUtilizationPercentage: 60 });
    const converted = convert(given, "autoscaling/v1", v2);
    const metrics = [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 60 } } }];
    const status = { desiredReplicas: 0, currentMetrics: null };
    expect(converted).toEqual(autoscaler("autoscaling/v2", { scaleTargetRef, minReplicas: 1, maxReplicas: 5, metrics }, status));
    expect(convert(converted, "autoscaling/v2", v1)).toEqual({ ...given, status: { currentReplicas: 0, desiredReplicas: 0 } });
  });

  it("takes null for nothing", () => {
    const status = { currentMetrics: null, desiredReplicas: 0 };
    const old = convert(autoscaler("autoscaling/v2", { scaleTargetRef, maxReplicas: 5, metrics: null }, status), "autoscaling/v2", v1);
    expect(old).toEqual(autoscaler("autoscaling/v1", { scaleTargetRef, maxReplicas: 5 }, { currentReplicas: 0, desiredReplicas: 0 }));
  });

  it("assumes 80 % where version 1 names no metric at all", () => {
    expect(convert(autoscaler("autoscaling/v1", { scaleTargetRef, maxReplicas: 5 }), "autoscaling/v1", v2)).toMatchObject({
      spec: { metrics: [{ resource: { name: "cpu", target: { averageUtilization: 80 } } }] },
    });
  });

  it("keeps everything that version 1 does not know over a round trip", () => {
    const spec = {
      scaleTargetRef,
      maxReplicas: 9,
      metrics: [...everyMetric, { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } }],
      behavior: {
        scaleDown: { stabilizationWindowSeconds: 300, selectPolicy: "Min", policies: [{ type: "Pods", value: 4, periodSeconds: 60 }] },
      },
    };
    const status = {
      currentReplicas: 2,
      desiredReplicas: 3,
      currentMetrics: [
        { type: "Resource", resource: { name: "cpu", current: { averageValue: "20m", averageUtilization: 40 } } },
        { type: "Pods", pods: { metric: { name: "requests" }, current: { averageValue: "8" } } },
        { type: "External", external: { metric: { name: "queue" }, current: { value: "1", averageValue: "5" } } },
      ],
      conditions: [{ type: "AbleToScale", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z", reason: "ReadyForNewScale" }],
    };
    const given = autoscaler("autoscaling/v2", spec, status, { mine: "kept" });
    const old = convert(given, "autoscaling/v2", v1);
    expect(old).toMatchObject({
      spec: { targetCPUUtilizationPercentage: 50 },
      status: { currentCPUUtilizationPercentage: 40, currentReplicas: 2 },
    });
    expect(Object.keys(old.metadata.annotations ?? {})).toHaveLength(5);
    expect(JSON.parse(old.metadata.annotations?.["autoscaling.alpha.kubernetes.io/behavior"] ?? "")).toEqual({
      ScaleUp: null,
      ScaleDown: {
        StabilizationWindowSeconds: 300,
        SelectPolicy: "Min",
        Policies: [{ Type: "Pods", Value: 4, PeriodSeconds: 60 }],
        Tolerance: null,
      },
    });
    expect(convert(old, "autoscaling/v1", v2)).toEqual(given);
  });

  it("drops a round-trip annotation that does not parse", () => {
    const annotations = {
      "autoscaling.alpha.kubernetes.io/metrics": "{",
      "autoscaling.alpha.kubernetes.io/conditions": '[{"type":1}]',
    };
    const converted = convert(
      autoscaler("autoscaling/v1", { scaleTargetRef, maxReplicas: 1 }, undefined, annotations),
      "autoscaling/v1",
      v2,
    );
    expect(converted.metadata).toEqual({ name: "web", namespace: "default" });
    expect(converted).toHaveProperty("status", { desiredReplicas: 0, currentMetrics: null });
  });
});

describe("conversion of Events", () => {
  const metadata = { name: "e", namespace: "default" };
  it("spells the same values in either group's words", () => {
    const given = {
      kind: "Event",
      apiVersion: "v1",
      metadata,
      involvedObject: { kind: "Pod", name: "p" },
      reason: "Started",
      message: "Started container",
      source: { component: "kubelet", host: "n1" },
      firstTimestamp: "2026-01-01T00:00:00Z",
      lastTimestamp: "2026-01-01T00:01:00Z",
      count: 3,
      type: "Normal",
      eventTime: null,
      reportingComponent: "kubelet",
      reportingInstance: "n1",
    };
    const converted = convert(given, "v1", groupEvents);
    expect(converted).toEqual({
      kind: "Event",
      apiVersion: "events.k8s.io/v1",
      metadata,
      eventTime: null,
      reportingController: "kubelet",
      reportingInstance: "n1",
      reason: "Started",
      regarding: { kind: "Pod", name: "p" },
      note: "Started container",
      type: "Normal",
      deprecatedSource: { component: "kubelet", host: "n1" },
      deprecatedFirstTimestamp: "2026-01-01T00:00:00Z",
      deprecatedLastTimestamp: "2026-01-01T00:01:00Z",
      deprecatedCount: 3,
    });
    expect(convert(converted, "events.k8s.io/v1", coreEvents)).toEqual(given);
  });

  it("keeps a series and the related object", () => {
    const given = {
      kind: "Event",
      apiVersion: "events.k8s.io/v1",
      metadata,
      eventTime: "2026-01-01T00:00:00.000000Z",
      series: { count: 2, lastObservedTime: "2026-01-01T00:00:00.000000Z" },
      action: "Binding",
      regarding: {},
      related: { kind: "Node", name: "n" },
      deprecatedSource: {},
      deprecatedFirstTimestamp: null,
      deprecatedLastTimestamp: null,
    };
    expect(convert(convert(given, "events.k8s.io/v1", coreEvents), "v1", groupEvents)).toEqual(given);
  });
});

it("changes nothing but apiVersion where versions have no conversion of their own", () => {
  const boats = { ...v2, group: "example.com", version: "v2", resource: "boats", kind: "Boat" };
  const boat = { apiVersion: "example.com/v1", kind: "Boat", metadata: { name: "b" }, spec: { oars: 2 } };
  expect(convert(boat, "example.com/v1", boats)).toEqual({ ...boat, apiVersion: "example.com/v2" });
  expect(convert(boat, "example.com/v2", boats)).toBe(boat);
});
