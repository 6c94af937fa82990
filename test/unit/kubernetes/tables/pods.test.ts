import { describe, expect, it } from "vitest";
import type { KubernetesObject } from "../../../../shared/kubernetes/object.ts";
import { podCells } from "../../../../shared/kubernetes/tables/pods.ts";

const now = Date.parse("2026-01-01T00:10:00Z");

interface Given {
  readonly metadata?: object;
  readonly spec?: object;
  readonly status?: object;
}

/** READY, STATUS and RESTARTS of a pod with one container, "a". */
function shown({ metadata, spec, status }: Given): string {
  const pod = {
    metadata: { name: "p", creationTimestamp: "2026-01-01T00:00:00Z", ...metadata },
    spec: { containers: [{ name: "a" }], ...spec },
    status,
  };
  return podCells(pod as KubernetesObject, now)
    .slice(1, 4)
    .join(" | ");
}

const running = { name: "a", ready: true, restartCount: 0, state: { running: {} } };
const initDone = { name: "i", ready: true, restartCount: 0, state: { terminated: { exitCode: 0, reason: "Completed" } } };

describe("STATUS of a pod", () => {
  it.each<[string, Given, string]>([
    ["its phase", { status: { phase: "Pending" } }, "0/1 | Pending | 0"],
    ["the reason of the status before the phase", { status: { phase: "Failed", reason: "Evicted" } }, "0/1 | Evicted | 0"],
    [
      "that it waits for its scheduling gates",
      { status: { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] } },
      "0/1 | SchedulingGated | 0",
    ],
    ["running containers", { status: { phase: "Running", containerStatuses: [running] } }, "1/1 | Running | 0"],
    [
      "why a container waits",
      {
        status: {
          phase: "Running",
          containerStatuses: [
            {
              name: "a",
              ready: false,
              restartCount: 3,
              state: { waiting: { reason: "CrashLoopBackOff" } },
              lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T00:09:30Z" } },
            },
          ],
        },
      },
      "0/1 | CrashLoopBackOff | 3 (30s ago)",
    ],
    [
      "how a container ended",
      { status: { phase: "Failed", containerStatuses: [{ ...running, ready: false, state: { terminated: { exitCode: 3 } } }] } },
      "0/1 | ExitCode:3 | 0",
    ],
    [
      "the signal that ended it",
      {
        status: { phase: "Failed", containerStatuses: [{ ...running, ready: false, state: { terminated: { exitCode: 137, signal: 9 } } }] },
      },
      "0/1 | Signal:9 | 0",
    ],
    [
      "Running while one container is done and another ready",
      {
        spec: { containers: [{ name: "a" }, { name: "b" }] },
        status: {
          phase: "Running",
          conditions: [{ type: "Ready", status: "True" }],
          containerStatuses: [
            { name: "b", ready: false, restartCount: 0, state: { terminated: { exitCode: 0, reason: "Completed" } } },
            running,
          ],
        },
      },
      "1/2 | Running | 0",
    ],
    [
      "NotReady when the pod as a whole is not",
      {
        spec: { containers: [{ name: "a" }, { name: "b" }] },
        status: {
          phase: "Running",
          containerStatuses: [
            { name: "b", ready: false, restartCount: 0, state: { terminated: { exitCode: 0, reason: "Completed" } } },
            running,
          ],
        },
      },
      "1/2 | NotReady | 0",
    ],
    [
      "that it terminates",
      { metadata: { deletionTimestamp: "2026-01-01T00:09:00Z" }, status: { phase: "Running", containerStatuses: [running] } },
      "1/1 | Terminating | 0",
    ],
    [
      "how it ended although it is being deleted",
      { metadata: { deletionTimestamp: "2026-01-01T00:09:00Z" }, status: { phase: "Succeeded" } },
      "0/1 | Succeeded | 0",
    ],
    [
      "Unknown on a lost node",
      { metadata: { deletionTimestamp: "2026-01-01T00:09:00Z" }, status: { phase: "Running", reason: "NodeLost" } },
      "0/1 | Unknown | 0",
    ],
  ])("shows %s", (_, given, text) => {
    expect(shown(given)).toBe(text);
  });
});

describe("STATUS of a pod that initializes", () => {
  const spec = { containers: [{ name: "a" }], initContainers: [{ name: "i" }, { name: "j" }] };
  const waiting = { name: "a", ready: false, restartCount: 0, state: { waiting: { reason: "PodInitializing" } } };
  it.each<[string, object[], string]>([
    ["how many are done", [initDone, { name: "j", restartCount: 0, state: { running: {} } }], "0/1 | Init:1/2 | 0"],
    [
      "an ordinary wait as progress",
      [{ name: "i", restartCount: 0, state: { waiting: { reason: "PodInitializing" } } }],
      "0/1 | Init:0/2 | 0",
    ],
    [
      "another wait by its reason",
      [{ name: "i", restartCount: 0, state: { waiting: { reason: "ErrImagePull" } } }],
      "0/1 | Init:ErrImagePull | 0",
    ],
    [
      "a failure by its reason",
      [{ name: "i", restartCount: 2, state: { terminated: { exitCode: 1, reason: "Error" } } }],
      "0/1 | Init:Error | 2",
    ],
    ["a failure by its exit code", [{ name: "i", restartCount: 0, state: { terminated: { exitCode: 7 } } }], "0/1 | Init:ExitCode:7 | 0"],
    [
      "a failure by its signal",
      [{ name: "i", restartCount: 0, state: { terminated: { exitCode: 7, signal: 15 } } }],
      "0/1 | Init:Signal:15 | 0",
    ],
  ])("shows %s", (_, initContainerStatuses, text) => {
    expect(shown({ spec, status: { phase: "Pending", initContainerStatuses, containerStatuses: [waiting] } })).toBe(text);
  });

  it("forgets the restarts of init containers once they are done", () => {
    const initContainerStatuses = [{ ...initDone, restartCount: 4 }];
    expect(shown({ spec, status: { phase: "Running", initContainerStatuses, containerStatuses: [running] } })).toBe("1/1 | Running | 0");
  });

  it("counts sidecars among the containers, with their restarts", () => {
    const sidecar = { name: "s", ready: true, started: true, restartCount: 1, state: { running: {} } };
    const sidecars = { containers: [{ name: "a" }], initContainers: [{ name: "s", restartPolicy: "Always" }] };
    expect(shown({ spec: sidecars, status: { phase: "Running", initContainerStatuses: [sidecar], containerStatuses: [running] } })).toBe(
      "2/2 | Running | 1",
    );
  });
});

describe("the wide columns of a pod", () => {
  it("show address, node, nominated node and readiness gates", () => {
    const pod = {
      metadata: { name: "p" },
      spec: { containers: [], nodeName: "n1", readinessGates: [{ conditionType: "a" }, { conditionType: "b" }] },
      status: { podIPs: [{ ip: "10.0.0.1" }], nominatedNodeName: "n2", conditions: [{ type: "a", status: "True" }] },
    };
    expect(podCells(pod as KubernetesObject, now).slice(4)).toEqual(["<unknown>", "10.0.0.1", "n1", "n2", "1/2"]);
    expect(podCells({ metadata: { name: "p" } }, now)).toEqual(["p", "0/0", "", "0", "<unknown>", "<none>", "<none>", "<none>", "<none>"]);
  });
});
