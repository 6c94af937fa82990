import { expect, test } from "vitest";
import { admit, podRequests } from "../../../../agent/pod/admission.ts";
import { goSeconds, heldUntil, lengthened } from "../../../../agent/pod/back-off.ts";
import { container, podOf } from "./pod-fixture.ts";

const asks = (cpu: string, memory = "0") => ({ resources: { requests: { cpu, memory } } });

test("a pod asks for the most that its containers need at one time", () => {
  const pod = podOf({
    overhead: { cpu: "10m" },
    initContainers: [container("side", { restartPolicy: "Always", ...asks("100m") }), container("init", asks("2"))],
    containers: [container("a", asks("500m")), container("b", asks("500m"))],
  });
  expect(podRequests(pod).get("cpu")).toBe(2_110_000_000n);
});

test("a node with room takes a pod, one without refuses with the figures", () => {
  const pod = podOf({ containers: [container("a", asks("1", "1Gi"))] });
  expect(admit(pod, [], { cpu: "1", memory: "1Gi", pods: "1" })).toBeUndefined();
  expect(admit(pod, [pod], { cpu: "1", memory: "1Gi", pods: "1" })?.reason).toBe("OutOfpods");
  expect(admit(pod, [pod], { cpu: "1500m", memory: "8Gi", pods: "9" })).toEqual({
    reason: "OutOfcpu",
    message: "Node didn't have enough resource: cpu, requested: 1000, used: 1000, capacity: 1500",
  });
});

test("an extended resource that the node does not know is the scheduler's business alone", () => {
  const pod = podOf({ containers: [container("a", { resources: { requests: { "example.com/foo": "2", "hugepages-2Mi": "0" } } })] });
  expect(admit(pod, [], { cpu: "1", pods: "9" })).toBeUndefined();
  expect(admit(pod, [], { "example.com/foo": "1", pods: "9" })?.reason).toBe("OutOfexample.com/foo");
});

test("two pods cannot have the same host port", () => {
  const pod = podOf({ containers: [container("a", { ports: [{ containerPort: 80, hostPort: 8080 }] })] });
  expect(admit(pod, [pod], { pods: "9" })).toEqual({ reason: "NodePorts", message: "Predicate NodePorts failed" });
});

test("the back-off begins at 10 s, doubles to 5 minutes and is forgotten after 10 quiet minutes", () => {
  let backOff = lengthened(undefined, 0, 0);
  const delays = [backOff.delayMs];
  for (let at = 1; at < 8; at++) {
    backOff = lengthened(backOff, 0, 0);
    delays.push(backOff.delayMs);
  }
  expect(delays.map((ms) => ms / 1000)).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
  expect(heldUntil(backOff, 1000, 2000)).toBe(301_000);
  expect(heldUntil(backOff, 1000, 301_000)).toBeUndefined();
  expect(heldUntil(backOff, 700_000, 700_001)).toBeUndefined();
  expect(lengthened(backOff, 700_000, 700_000).delayMs).toBe(10_000);
});

test.each([
  [10, "10s"],
  [80, "1m20s"],
  [300, "5m0s"],
  [3600, "1h0m0s"],
])("%i seconds read %s", (seconds, text) => {
  expect(goSeconds(seconds * 1000)).toBe(text);
});
