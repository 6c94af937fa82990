import { expect, test } from "vitest";
import { newContainerMemory } from "../../../../agent/pod/memory.ts";
import type { PodStatusReport } from "../../../../shared/api/agent/pod-status-report.ts";
import { container, podOf, reportFor, type Situation, sandboxOf } from "./pod-fixture.ts";

const condition = (report: PodStatusReport, type: string) => report.conditions.find((entry) => entry.type === type);
const running = { name: "main", running: true as const };

test.each<[string, Situation, string]>([
  ["nothing has started", { sandboxes: [sandboxOf([])] }, "Pending"],
  ["all run", { sandboxes: [sandboxOf([running])] }, "Running"],
  ["it always restarts and has just ended", { sandboxes: [sandboxOf([{ name: "main", exitCode: 1 }])] }, "Running"],
  [
    "it may end and succeeded",
    { pod: podOf({ restartPolicy: "Never" }), sandboxes: [sandboxOf([{ name: "main", exitCode: 0 }])] },
    "Succeeded",
  ],
  ["it may end and failed", { pod: podOf({ restartPolicy: "Never" }), sandboxes: [sandboxOf([{ name: "main", exitCode: 2 }])] }, "Failed"],
  [
    "it failed but is retried",
    { pod: podOf({ restartPolicy: "OnFailure" }), sandboxes: [sandboxOf([{ name: "main", exitCode: 2 }])] },
    "Running",
  ],
  [
    "it is being initialized",
    { pod: podOf({ initContainers: [container("i")] }), sandboxes: [sandboxOf([{ name: "i", running: true }])] },
    "Pending",
  ],
])("when %s the phase is right", (_title, situation, phase) => {
  expect(reportFor(situation).phase).toBe(phase);
});

test("a pod that waits for its init container says so in conditions and reasons", () => {
  const report = reportFor({ pod: podOf({ initContainers: [container("i")] }), sandboxes: [sandboxOf([{ name: "i", running: true }])] });
  expect(condition(report, "Initialized")).toMatchObject({
    status: "False",
    reason: "ContainersNotInitialized",
    message: "containers with incomplete status: [i]",
  });
  expect(condition(report, "ContainersReady")).toMatchObject({
    reason: "ContainersNotReady",
    message: "containers with unready status: [main]",
  });
  expect(report.containerStatuses[0]?.state?.waiting?.reason).toBe("PodInitializing");
  expect(report.initContainerStatuses[0]).toMatchObject({ started: true, ready: false });
});

test("a container is ready only when its probe says so", () => {
  const pod = podOf({ containers: [container("main", { readinessProbe: {} })] });
  const ready = (value: boolean) => {
    const probes = { containerId: "main-0", started: true, ready: value, failed: undefined };
    const containers = new Map([["main", { ...newContainerMemory, startedId: "main-0", probes }]]);
    return reportFor({ pod, sandboxes: [sandboxOf([running])], memory: { containers } });
  };
  expect(ready(false).containerStatuses[0]?.ready).toBe(false);
  expect(condition(ready(true), "Ready")).toMatchObject({ status: "True" });
});

test("readiness gates hold a pod back that is ready otherwise", () => {
  const pod = { ...podOf({ readinessGates: [{ conditionType: "x/lb" }] }), status: { conditions: [{ type: "x/lb", status: "False" }] } };
  const report = reportFor({ pod, sandboxes: [sandboxOf([running])] });
  expect(condition(report, "ContainersReady")?.status).toBe("True");
  expect(condition(report, "Ready")).toMatchObject({
    reason: "ReadinessGatesNotReady",
    message: 'the status of pod readiness gate "x/lb" is not "True", but False',
  });
});

test("the former run is the last state of the one that runs", () => {
  const report = reportFor({
    sandboxes: [
      sandboxOf([
        { name: "main", attempt: 0, exitCode: 3 },
        { ...running, attempt: 1 },
      ]),
    ],
  });
  expect(report.containerStatuses[0]).toMatchObject({
    restartCount: 1,
    containerID: "containerd://main-1",
    lastState: { terminated: { exitCode: 3, containerID: "containerd://main-0" } },
  });
});

test("times of conditions stay while they hold", () => {
  const situation = { sandboxes: [sandboxOf([running])] };
  const first = reportFor(situation);
  const older = { ...first, conditions: first.conditions.map((entry) => ({ ...entry, lastTransitionTime: "2025-01-01T00:00:00Z" })) };
  expect(reportFor({ ...situation, previous: older })).toEqual(older);
});

test("a pod past its deadline has failed, with Kubernetes' reason", () => {
  const report = reportFor({ pod: podOf({ activeDeadlineSeconds: 30 }), sandboxes: [sandboxOf([running])] });
  expect(report).toMatchObject({
    phase: "Failed",
    reason: "DeadlineExceeded",
    message: "Pod was active on the node longer than the specified deadline",
  });
  expect(condition(report, "Ready")).toMatchObject({ status: "False", reason: "PodFailed" });
});

test("a pod that is deleted while it runs has an end in the end", () => {
  const pod = podOf({}, { deletionTimestamp: "2026-01-01T12:00:30Z" });
  expect(reportFor({ pod, sandboxes: [sandboxOf([{ name: "main", exitCode: 0 }], { ready: false })] }).phase).toBe("Succeeded");
  expect(reportFor({ pod, sandboxes: [sandboxOf([{ name: "main", exitCode: 143 }], { ready: false })] }).phase).toBe("Failed");
  expect(reportFor({ pod }).phase).toBe("Failed");
});

test("a successful sidecar does not count as the pod's success, and a finished init container is ready", () => {
  const initContainers = [container("i"), container("side", { restartPolicy: "Always" })];
  const sandboxes = [
    sandboxOf([
      { name: "i", exitCode: 0 },
      { name: "side", running: true },
      { name: "main", exitCode: 0 },
    ]),
  ];
  const report = reportFor({ pod: podOf({ restartPolicy: "Never", initContainers }), sandboxes });
  expect(report.phase).toBe("Running");
  expect(report.initContainerStatuses.map(({ ready }) => ready)).toEqual([true, true]);
});

test("what waits for init containers says so, the init containers behind the first among it", () => {
  const pod = podOf({ initContainers: [container("first"), container("second")] });
  const report = reportFor({ pod, sandboxes: [sandboxOf([{ name: "first", running: true }])] });
  const reasons = [...report.initContainerStatuses, ...report.containerStatuses].map(({ name, state }) => [name, state?.waiting?.reason]);
  expect(reasons).toEqual([
    ["first", undefined],
    ["second", "PodInitializing"],
    ["main", "PodInitializing"],
  ]);
});
