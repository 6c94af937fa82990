import { describe, expect, test } from "vitest";
import { decide } from "../../../../agent/pod/decide.ts";
import { newContainerMemory } from "../../../../agent/pod/memory.ts";
import { actionsOf, container, inputOf, nowMs, podOf, reportFor, type Situation, sandboxOf } from "./pod-fixture.ts";

const running = (name: string, attempt = 0) => ({ name, attempt, running: true as const });
const ended = (name: string, exitCode: number, attempt = 0) => ({ name, attempt, exitCode });
const deleting = { deletionTimestamp: "2026-01-01T12:00:30Z", deletionGracePeriodSeconds: 30 };
const inits = [container("i1"), container("side", { restartPolicy: "Always" }), container("i2")];

describe("what happens next", () => {
  const table: [string, Situation, string[]][] = [
    ["a new pod gets its volumes first", { memory: { volumes: { kind: "unmounted", retryAtMs: 0 } } }, ["mountVolumes"]],
    ["then its sandbox", {}, ["runSandbox#0"]],
    [
      "then its containers, all at once",
      { pod: podOf({ containers: [container("a"), container("b")] }), sandboxes: [sandboxOf([])] },
      ["start:a#0", "start:b#0"],
    ],
    ["a running pod is left alone", { sandboxes: [sandboxOf([running("main")])] }, []],
    ["a container that ended is started again", { sandboxes: [sandboxOf([ended("main", 0)])] }, ["start:main#1"]],
    [
      "but not one that succeeded under OnFailure",
      { pod: podOf({ restartPolicy: "OnFailure" }), sandboxes: [sandboxOf([ended("main", 0)])] },
      ["stopSandbox"],
    ],
    [
      "one that failed under OnFailure is",
      { pod: podOf({ restartPolicy: "OnFailure" }), sandboxes: [sandboxOf([ended("main", 1)])] },
      ["start:main#1"],
    ],
    ["under Never nothing is", { pod: podOf({ restartPolicy: "Never" }), sandboxes: [sandboxOf([ended("main", 1)])] }, ["stopSandbox"]],
    ["init containers run one after the other", { pod: podOf({ initContainers: inits }), sandboxes: [sandboxOf([])] }, ["start:i1#0"]],
    ["while one runs nothing else starts", { pod: podOf({ initContainers: inits }), sandboxes: [sandboxOf([running("i1")])] }, []],
    ["a sidecar follows", { pod: podOf({ initContainers: inits }), sandboxes: [sandboxOf([ended("i1", 0)])] }, ["start:side#0"]],
    [
      "and lets the next go once it has started",
      { pod: podOf({ initContainers: inits }), sandboxes: [sandboxOf([ended("i1", 0), running("side")])] },
      ["start:i2#0"],
    ],
    [
      "then the regular ones",
      { pod: podOf({ initContainers: inits }), sandboxes: [sandboxOf([ended("i1", 0), running("side"), ended("i2", 0)])] },
      ["start:main#0"],
    ],
    [
      "a sidecar that ends is started again beside them",
      {
        pod: podOf({ initContainers: inits }),
        sandboxes: [sandboxOf([ended("i1", 0), ended("side", 0), ended("i2", 0), running("main")])],
      },
      ["start:side#1"],
    ],
    [
      "a failed init container is retried",
      { pod: podOf({ initContainers: inits }), sandboxes: [sandboxOf([ended("i1", 1)])] },
      ["start:i1#1"],
    ],
    [
      "but under Never ends the pod",
      { pod: podOf({ restartPolicy: "Never", initContainers: inits }), sandboxes: [sandboxOf([ended("i1", 1)])] },
      ["stopSandbox"],
    ],
    [
      "a pod that is done ends its sidecars",
      {
        pod: podOf({ restartPolicy: "Never", initContainers: inits }),
        sandboxes: [sandboxOf([ended("i1", 0), running("side"), ended("i2", 0), ended("main", 0)])],
      },
      ["stop:side"],
    ],
    ["a lost sandbox is made anew", { sandboxes: [sandboxOf([ended("main", 137)], { ready: false })] }, ["runSandbox#1"]],
    ["and what still runs in it ends first", { sandboxes: [sandboxOf([running("main")], { ready: false })] }, ["stop:main"]],
    [
      "init containers run again in the new one",
      {
        pod: podOf({ initContainers: [container("i1")] }),
        sandboxes: [sandboxOf([], { attempt: 1 }), sandboxOf([ended("i1", 0), ended("main", 137)], { ready: false })],
      },
      ["start:i1#1"],
    ],
    [
      "a deleted pod's containers are stopped, sidecars last",
      { pod: podOf({ initContainers: inits }, deleting), sandboxes: [sandboxOf([running("side"), running("main")])] },
      ["stop:main"],
    ],
    [
      "then the sidecars",
      { pod: podOf({ initContainers: inits }, deleting), sandboxes: [sandboxOf([running("side"), ended("main", 0)])] },
      ["stop:side"],
    ],
    ["then the sandbox", { pod: podOf({}, deleting), sandboxes: [sandboxOf([ended("main", 0)])] }, ["stopSandbox"]],
    ["then everything goes", { pod: podOf({}, deleting), sandboxes: [sandboxOf([ended("main", 0)], { ready: false })] }, ["cleanUp"]],
    ["a pod deleted before anything ran just goes", { pod: podOf({}, deleting) }, ["cleanUp"]],
    ["one that is gone from the API ends likewise", { removed: true, sandboxes: [sandboxOf([running("main")])] }, ["stop:main"]],
    ["a rejected pod is never run", { memory: { rejected: { reason: "OutOfcpu", message: "m" } } }, []],
    [
      "a pod past its deadline is stopped",
      { pod: podOf({ activeDeadlineSeconds: 30 }), sandboxes: [sandboxOf([running("main")])] },
      ["stop:main"],
    ],
    ["what is under way is not begun again", { sandboxes: [sandboxOf([])], memory: { inFlight: new Set(["start:main"]) } }, []],
  ];
  test.each(table)("%s", (_title, situation, expected) => {
    expect(actionsOf(situation)).toEqual(expected);
  });
});

test("a container that keeps failing is held back, and the status and the time of the next try say so", () => {
  const crash = { delayMs: 20_000, updatedAtMs: nowMs - 60_000 };
  const situation = {
    sandboxes: [sandboxOf([{ name: "main", attempt: 2, exitCode: 1, endedSecondsAgo: 5 }])],
    memory: { containers: new Map([["main", { ...newContainerMemory, crash }]]) },
  };
  const decision = decide(inputOf(situation));
  expect(decision.actions).toEqual([]);
  expect(decision.wakeAtMs).toBe(nowMs + 15_000);
  expect(reportFor(situation).containerStatuses[0]).toMatchObject({
    restartCount: 2,
    ready: false,
    state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 20s restarting failed container=main pod=p_ns(u)" } },
    lastState: { terminated: { exitCode: 1, reason: "Error" } },
  });
});

test("a container that its liveness probe gave up is stopped with the probe's grace, once", () => {
  const sandboxes = [sandboxOf([running("main")])];
  const probes = { containerId: "main-0", started: true, ready: false, failed: { probe: "liveness" as const, graceSeconds: 3 } };
  const containers = new Map([["main", { ...newContainerMemory, startedId: "main-0", probes }]]);
  const [action] = decide(inputOf({ sandboxes, memory: { containers } })).actions;
  expect(action).toMatchObject({
    kind: "stopContainer",
    deadlineMs: nowMs + 3000,
    message: "Container main failed liveness probe, will be restarted",
  });
  expect(actionsOf({ sandboxes, memory: { containers, inFlight: new Set([`stop:main-0:${nowMs + 3000}`]) } })).toEqual([]);
});

test("a shorter grace hastens a stop that is under way, a longer one does not delay it", () => {
  const situation = (deadlineMs: number) => ({
    pod: podOf({}, deleting),
    sandboxes: [sandboxOf([running("main")])],
    memory: { stopDeadlineMs: deadlineMs, inFlight: new Set([`stop:main-0:${nowMs + 10_000}`]) },
  });
  expect(actionsOf(situation(nowMs + 1000))).toEqual(["stop:main"]);
  expect(actionsOf(situation(nowMs + 20_000))).toEqual([]);
});

test("an image that cannot be pulled reads ErrImagePull first, then ImagePullBackOff", () => {
  const status = (agoMs: number) => {
    const failure = { reason: "ErrImagePull", message: "no such image", atMs: nowMs - agoMs, retryAtMs: nowMs + 10_000 };
    const memory = { containers: new Map([["main", { ...newContainerMemory, failure }]]) };
    return reportFor({ sandboxes: [sandboxOf([])], memory }).containerStatuses[0]?.state?.waiting;
  };
  expect(status(0)).toMatchObject({ reason: "ErrImagePull", message: "no such image" });
  expect(status(3000)).toMatchObject({
    reason: "ImagePullBackOff",
    message: 'Back-off pulling image "image": ErrImagePull: no such image',
  });
});
