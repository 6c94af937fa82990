import { expect, test } from "vitest";
import { resourcesOf, sandboxSpec } from "../../../../agent/pod/container-spec.ts";
import { container, podOf } from "./pod-fixture.ts";

test.each([
  ["Burstable", "1Mi", 999],
  ["Burstable", "30Mi", 971],
  ["Burstable", "512Mi", 501],
  ["Burstable", "2Gi", 3],
  ["Guaranteed", "30Mi", -997],
  ["BestEffort", undefined, 1000],
] as const)("of a %s pod a container that asks for %s memory is killed by its share of the node's", (qosClass, memory, score) => {
  const pod = { ...podOf(), status: { qosClass } };
  const resources = memory === undefined ? {} : { requests: { memory } };
  expect(resourcesOf(pod, container("main", { resources }), { memory: "1025Mi" }).oomScoreAdjust).toBe(score);
});

test("a sandbox is privileged where one of the pod's containers is", () => {
  const context = { cluster: "c1", attempt: 0, nodeName: "n", dns: undefined, logDirectory: "/logs" };
  const privileged = container("setup", { securityContext: { privileged: true } });
  expect(sandboxSpec(podOf(), context).privileged).toBe(false);
  expect(sandboxSpec(podOf({ initContainers: [privileged] }), context).privileged).toBe(true);
});
