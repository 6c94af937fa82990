import { expect, test } from "vitest";
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
