import { describe, expect, test } from "vitest";
import { createHollowRuntime } from "../../../agent/hollow/hollow-runtime.ts";
import { noPodFiles, type PodFiles } from "../../../agent/pod-files.ts";
import { type ContainerRuntime, RuntimeError } from "../../../agent/runtime.ts";
import { pods } from "../../../shared/kubernetes/known-resources.ts";
import type { Pod, ResourceRequirements } from "../../../shared/kubernetes/types.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";
import { createAgentBed } from "./agent-bed.ts";

test("a pod bound to the node runs and says so as a kubelet would", async () => {
  const { addPod, pass, pod, reasons, stop } = await createAgentBed();
  await addPod("a");
  await pass(300);
  const { status } = pod("a") ?? {};
  expect(status).toMatchObject({
    phase: "Running",
    qosClass: "BestEffort",
    hostIP: "10.0.0.1",
    podIP: "100.64.0.0",
    containerStatuses: [{ name: "main", ready: true, started: true, restartCount: 0, state: { running: {} } }],
  });
  expect(status?.containerStatuses?.[0]?.containerID).toMatch(/^hollow:\/\//);
  const conditions = Object.fromEntries((status?.conditions ?? []).map(({ type, status: value }) => [type, value]));
  expect(conditions).toEqual({ PodReadyToStartContainers: "True", Initialized: "True", Ready: "True", ContainersReady: "True" });
  expect(reasons()).toEqual(["Created", "Started"]);
  await stop();
});

test("a pod that may end succeeds after a second, and stays to be looked at", async () => {
  const { addPod, pass, pod, stop } = await createAgentBed();
  await addPod("job", { restartPolicy: "Never" });
  await pass(500);
  expect(pod("job")?.status?.phase).toBe("Running");
  await pass(1500);
  expect(pod("job")?.status).toMatchObject({
    phase: "Succeeded",
    containerStatuses: [{ ready: false, state: { terminated: { exitCode: 0, reason: "Completed" } } }],
  });
  await stop();
});

test("a deleted pod is ended and goes from the API", async () => {
  const { addPod, pass, pod, deletePod, runtime, stop } = await createAgentBed();
  await addPod("a");
  await pass(300);
  await deletePod("a");
  await pass(300);
  expect(pod("a")).toBeUndefined();
  expect(await runtime.list()).toEqual([]);
  await stop();
});

test("a pod that is forced out of the API is ended too", async () => {
  const { addPod, pass, deletePod, runtime, agent, stop } = await createAgentBed();
  await addPod("a");
  await pass(300);
  await deletePod("a", 0);
  await pass(300);
  expect(await runtime.list()).toEqual([]);
  expect(agent().workers.size).toBe(0);
  await stop();
});

test("an agent that comes back finds its pods and restarts none", async () => {
  const { addPod, pass, pod, restartAgent, runtime, stop } = await createAgentBed();
  await addPod("a");
  await pass(300);
  const before = pod("a");
  const [running] = await runtime.list();
  await restartAgent();
  await pass(500);
  expect((await runtime.list()).map(({ containers }) => containers.map(({ id }) => id))).toEqual([running?.containers.map(({ id }) => id)]);
  expect(pod("a")?.status).toEqual(before?.status);
  await stop();
});

/** The pod as it was before its container began. */
const asBefore = (pod: Pod): Pod => {
  const { conditions = [], containerStatuses = [], ...status } = pod.status ?? {};
  const waiting = containerStatuses.map(({ containerID: _, ...container }) => ({
    ...container,
    ...{ ready: false, started: false, state: { waiting: { reason: "ContainerCreating" } } },
  }));
  const notReady = conditions.map((each) => ({ ...each, status: "False" as const }));
  return { ...pod, status: { ...status, phase: "Pending", conditions: notReady, containerStatuses: waiting } };
};
const readiness = (pod: Pod | undefined): string | undefined => pod?.status?.conditions?.find(({ type }) => type === "Ready")?.status;

test("what others change of a node's word, it sets right as soon as it hears of it", async () => {
  const { addPod, cluster, pass, pod, stop } = await createAgentBed();
  await addPod("a");
  await pass(300);
  const said = pod("a")?.status;
  cluster.edit<Pod>(pods, "default", "a", (made) => {
    for (const condition of made.status?.conditions ?? []) if (condition.type === "Ready") condition.status = "False";
    made.metadata.managedFields = [{ manager: "kube-controller-manager", operation: "Update", subresource: "status" }];
    return made;
  });
  expect(readiness(pod("a"))).toBe("False");
  await pass(300);
  expect(pod("a")?.status).toEqual(said);
  await stop();
});

test("an agent's word is set right that a call of the agent before it overtook", async () => {
  const { addPod, cluster, pass, pod, restartAgent, stop } = await createAgentBed();
  await addPod("a");
  await pass(300);
  await restartAgent();
  await pass(300);
  await addPod("b");
  await pass(300);
  const said = pod("b")?.status;
  cluster.edit<Pod>(pods, "default", "b", asBefore);
  await pass(60_000);
  expect(pod("b")?.status?.phase).toBe("Pending");
  await pass(20_000);
  expect(pod("b")?.status).toMatchObject({ phase: "Running", containerStatuses: said?.containerStatuses });
  expect(readiness(pod("b"))).toBe("True");
  await stop();
});

test("an agent's word is set right that a call of its own overtook which had no answer", async () => {
  let lost = 0;
  const between = (body: string): undefined => {
    if (lost === 0 && body.includes('"phase":')) {
      lost++;
      throw new TypeError("fetch failed");
    }
  };
  const { addPod, cluster, pass, pod, stop } = await createAgentBed({ between });
  await pass(300);
  await addPod("a");
  await pass(3000);
  expect(lost).toBe(1);
  expect(pod("a")?.status?.phase).toBe("Running");
  cluster.edit<Pod>(pods, "default", "a", asBefore);
  await pass(60_000);
  expect(pod("a")?.status?.phase).toBe("Pending");
  await pass(20_000);
  expect(pod("a")?.status?.phase).toBe("Running");
  await stop();
});

test("an agent that comes back ends what was deleted meanwhile", async () => {
  const { addPod, pass, deletePod, agent, runtime, restartAgent } = await createAgentBed();
  await addPod("a");
  await pass(300);
  await agent().stop();
  await deletePod("a", 0);
  await restartAgent();
  await pass(500);
  expect(await runtime.list()).toEqual([]);
  await agent().stop();
});

test("pods run on while the server is away, and what happened is told when it is back", async () => {
  const { addPod, pass, pod, serverAway, serverBack, runtime, stop } = await createAgentBed();
  await addPod("a");
  await addPod("job", { restartPolicy: "Never" });
  await pass(300);
  serverAway();
  await pass(60_000);
  expect((await runtime.list()).find(({ name }) => name === "a")?.containers[0]?.state.kind).toBe("running");
  expect(pod("job")?.status?.phase).toBe("Running");
  serverBack();
  await pass(40_000);
  expect(pod("job")?.status?.phase).toBe("Succeeded");
  await addPod("b");
  await pass(500);
  expect(pod("b")?.status?.phase).toBe("Running");
  await stop();
});

describe("a report that was not taken", () => {
  async function untaken(instead: () => Response) {
    let refuses = true;
    const bed = await createAgentBed({ between: (body) => (refuses && body.includes('"statuses"') ? instead() : undefined) });
    await bed.addPod("a");
    await bed.pass(20_000);
    expect(bed.pod("a")?.status?.phase).toBe("Pending");
    refuses = false;
    await bed.addPod("b");
    await bed.pass(500);
    return bed;
  }

  test("for want of an answer is sent again as soon as the server has answered anything", async () => {
    const { pod, stop } = await untaken(() => {
      throw new TypeError("fetch failed");
    });
    expect([pod("a")?.status?.phase, pod("b")?.status?.phase]).toEqual(["Running", "Running"]);
    await stop();
  });

  test("by a server that is out of order waits its time", async () => {
    const { pod, pass, stop } = await untaken(() => new Response("", { status: 503 }));
    expect(pod("a")?.status?.phase).toBe("Pending");
    await pass(10_000);
    expect([pod("a")?.status?.phase, pod("b")?.status?.phase]).toEqual(["Running", "Running"]);
    await stop();
  });
});

test("an agent that leaves ends its pods, with their files, and does not wait for those that are on their way out", async () => {
  const tornDown: string[] = [];
  const files: PodFiles = { ...noPodFiles, tearDown: async (uid) => void tornDown.push(uid) };
  const { addPod, pass, deletePod, pod, runtime, stop } = await createAgentBed({ files });
  await addPod("stays");
  await addPod("lingers", {
    containers: [{ name: "main", image: "busybox", lifecycle: { preStop: { sleep: { seconds: 25 } } } }],
  });
  await pass(1000);
  const uids = [pod("stays"), pod("lingers")].map((found) => found?.metadata.uid ?? "");
  await deletePod("lingers", 0);
  await pass(1000);
  expect(await runtime.list()).toHaveLength(2);
  await stop("end");
  expect(await runtime.list()).toEqual([]);
  expect(tornDown.sort()).toEqual(uids.sort());
});

test("a node that is removed from its pool ends its pods", async () => {
  const { addPod, pass, pool, agent, runtime, stop } = await createAgentBed();
  await addPod("a");
  await pass(300);
  pool.removed.add("n1");
  await pass(35_000);
  await agent().removed;
  expect(await runtime.list()).toEqual([]);
  await stop();
});

test("a cluster that leaves the pool takes its pods with it", async () => {
  const { addPod, pass, pool, runtime, stop } = await createAgentBed();
  await addPod("a");
  await pass(300);
  pool.clusters.length = 0;
  pool.changed();
  await pass(500);
  expect(await runtime.list()).toEqual([]);
  await stop();
});

test("a pod that does not fit is rejected in kubelet's words and never run", async () => {
  const { addPod, pass, pod, runtime, stop } = await createAgentBed();
  await addPod("big", { containers: [{ name: "main", image: "i", resources: { requests: { cpu: "3" } } }] });
  await pass(300);
  expect(pod("big")?.status).toMatchObject({
    phase: "Failed",
    reason: "OutOfcpu",
    message: "Pod was rejected: Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000",
  });
  expect(await runtime.list()).toEqual([]);
  await stop();
});

test("init containers run in order, a sidecar stays", async () => {
  const { addPod, pass, pod, stop } = await createAgentBed();
  await addPod("a", {
    initContainers: [
      { name: "first", image: "i" },
      { name: "side", image: "i", restartPolicy: "Always" },
      { name: "second", image: "i" },
    ],
  });
  await pass(500);
  const { status } = pod("a") ?? {};
  expect(status?.phase).toBe("Running");
  expect(status?.initContainerStatuses?.map(({ name, ready, state }) => [name, ready, Object.keys(state ?? {})[0]])).toEqual([
    ["first", true, "terminated"],
    ["side", true, "running"],
    ["second", true, "terminated"],
  ]);
  await stop();
});

test("an ephemeral container runs beside the others, once, and its end is none to its pod", async () => {
  const { addPod, pass, pod, cluster, runtime, restartAgent, stop } = await createAgentBed();
  await addPod("a");
  await pass(300);
  cluster.edit<Pod>(pods, "default", "a", (made) => {
    return { ...made, spec: { ...(made.spec ?? { containers: [] }), ephemeralContainers: [{ name: "debug", image: "tools" }] } };
  });
  await pass(300);
  expect(pod("a")?.status?.ephemeralContainerStatuses).toMatchObject([
    { name: "debug", image: "tools", ready: false, restartCount: 0, state: { running: {} } },
  ]);
  const [running] = await runtime.list();
  const debug = running?.containers.find(({ name }) => name === "debug");
  await runtime.stopContainer(debug?.id ?? "", 0);
  await pass(300);
  await restartAgent();
  await pass(2000);
  expect(pod("a")?.status).toMatchObject({
    phase: "Running",
    containerStatuses: [{ name: "main", ready: true, restartCount: 0 }],
    ephemeralContainerStatuses: [{ name: "debug", restartCount: 0, state: { terminated: { exitCode: 0 } } }],
  });
  await stop();
});

describe("a resize", () => {
  const asks = (cpu: string, memory = "1Gi"): ResourceRequirements => ({ requests: { cpu, memory } });
  const begin = async (more: object = {}, given: Parameters<typeof createAgentBed>[0] = {}) => {
    const bed = await createAgentBed(given);
    const resize = (resources: ResourceRequirements): void => {
      bed.cluster.edit<Pod>(pods, "default", "a", (made) => {
        const [main] = made.spec?.containers ?? [];
        return { ...made, spec: { ...made.spec, containers: [{ ...(main ?? { name: "main" }), resources }] } };
      });
    };
    await bed.addPod("a", { containers: [{ name: "main", image: "i", resources: asks("1"), ...more }] });
    await bed.pass(300);
    return { ...bed, resize };
  };
  const conditionsOf = (pod: Pod | undefined) =>
    (pod?.status?.conditions ?? [])
      .filter(({ type }) => type.startsWith("PodResize"))
      .map(({ type, reason, message }) => [type, reason, message]);

  test("is put into effect without a restart, and then shown", async () => {
    const { pass, pod, resize, stop } = await begin();
    expect(pod("a")?.status?.containerStatuses?.[0]?.resources).toEqual(asks("1"));
    resize(asks("2", "2Gi"));
    await pass(300);
    expect(pod("a")?.status?.containerStatuses).toMatchObject([{ restartCount: 0, resources: asks("2", "2Gi"), state: { running: {} } }]);
    expect(conditionsOf(pod("a"))).toEqual([]);
    await stop();
  });

  test("restarts a container that wants it, whatever its pod's policy", async () => {
    const policy = [{ resourceName: "cpu", restartPolicy: "RestartContainer" }];
    const { pass, pod, resize, stop } = await begin({ resizePolicy: policy });
    resize(asks("1", "2Gi"));
    await pass(300);
    expect(pod("a")?.status?.containerStatuses).toMatchObject([{ restartCount: 0, resources: asks("1", "2Gi") }]);
    resize(asks("2", "2Gi"));
    await pass(1000);
    expect(pod("a")?.status?.containerStatuses).toMatchObject([
      { restartCount: 1, resources: asks("2", "2Gi"), state: { running: {} }, lastState: { terminated: { exitCode: 0 } } },
    ]);
    await stop();
  });

  test("beyond the node is infeasible; beside others it waits until there is room", async () => {
    const { addPod, deletePod, pass, pod, resize, stop } = await begin();
    resize(asks("100"));
    await pass(300);
    expect(conditionsOf(pod("a"))).toEqual([
      ["PodResizePending", "Infeasible", "Node didn't have enough capacity: cpu, requested: 100000, capacity: 2000"],
    ]);
    expect(pod("a")?.status?.containerStatuses).toMatchObject([{ resources: asks("1"), state: { running: {} } }]);
    await addPod("b", { containers: [{ name: "main", image: "i", resources: asks("1") }] });
    await pass(300);
    resize(asks("1500m"));
    await pass(300);
    expect(conditionsOf(pod("a"))).toEqual([
      ["PodResizePending", "Deferred", "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"],
    ]);
    await deletePod("b");
    await pass(6000);
    expect(conditionsOf(pod("a"))).toEqual([]);
    expect(pod("a")?.status?.containerStatuses).toMatchObject([{ restartCount: 0, resources: asks("1500m") }]);
    await stop();
  });

  test("that the runtime refuses is shown as in progress with its error, and tried again", async () => {
    const clock = createFakeClock();
    const runtime = createHollowRuntime({ nodeIndex: 0, clock });
    let refuses = true;
    const failing: ContainerRuntime = {
      ...runtime,
      async updateResources() {
        if (refuses) throw new RuntimeError("ResizeError", "cgroup is busy");
      },
    };
    const { pass, pod, resize, stop } = await begin({}, { runtime: failing, clock });
    resize(asks("2"));
    await pass(500);
    expect(conditionsOf(pod("a"))).toEqual([["PodResizeInProgress", "Error", "cgroup is busy"]]);
    expect(pod("a")?.status?.containerStatuses).toMatchObject([{ resources: asks("1") }]);
    refuses = false;
    await pass(6000);
    expect(conditionsOf(pod("a"))).toEqual([]);
    expect(pod("a")?.status?.containerStatuses).toMatchObject([{ restartCount: 0, resources: asks("2") }]);
    await stop();
  });

  test("that came while the agent was away is put into effect when it is back", async () => {
    const { pass, pod, resize, restartAgent, stop } = await begin();
    const restarted = restartAgent();
    resize(asks("2"));
    await restarted;
    await pass(500);
    expect(pod("a")?.status?.containerStatuses).toMatchObject([{ restartCount: 0, resources: asks("2") }]);
    await stop();
  });
});
