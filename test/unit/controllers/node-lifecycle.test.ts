import { describe, expect, it } from "vitest";
import { createNodeLifecycleController } from "../../../shared/controllers/node-lifecycle.ts";
import { createTaintEvictionController } from "../../../shared/controllers/taint-eviction.ts";
import { formatTime } from "../../../shared/controllers/timestamp.ts";
import { leases, nodes, pods } from "../../../shared/kubernetes/known-resources.ts";
import type { Lease, Node, Pod, Taint, Toleration } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { node, pod, recordEvents, runPod } from "./fixtures.ts";
import { runControllers } from "./run-controllers.ts";

const condition = (type: string, status: string) => ({ type, status, lastTransitionTime: "2025-12-31T00:00:00Z" });
const readyNode = (name: string): Node =>
  node(name, { status: { conditions: [condition("Ready", "True"), condition("MemoryPressure", "False")] } });
const tolerate = (key: string, tolerationSeconds?: number): Toleration => ({
  key,
  operator: "Exists",
  effect: "NoExecute",
  ...(tolerationSeconds !== undefined && { tolerationSeconds }),
});

async function start(...names: string[]) {
  const cluster = createFakeCluster();
  const events = recordEvents();
  const seen = new Map<string, number>();
  for (const name of names) {
    await cluster.client.create(nodes, readyNode(name));
    seen.set(name, cluster.clock.now());
  }
  const heartbeats = { lastSeen: (name: string) => seen.get(name) };
  const silences: string[] = [];
  let failures = 0;
  const onSilence = async (name: string, lastSeenMs: number): Promise<void> => {
    if (failures-- > 0) throw new Error("injected");
    silences.push(`${name} ${formatTime(lastSeenMs)}`);
  };
  const failNext = (count: number) => {
    failures = count;
  };
  const controllers = await runControllers(
    cluster,
    createNodeLifecycleController({ heartbeats, events, onSilence }),
    createTaintEvictionController({ events }),
  );
  /** Lets time pass with heartbeats of these nodes only. */
  const pass = async (seconds: number, ...alive: string[]): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      for (const name of alive) seen.set(name, cluster.clock.now());
      await controllers.pass(1);
    }
  };
  const get = (name: string) => cluster.get<Node>(nodes, "", name);
  const ready = (name: string) => get(name)?.status?.conditions?.find(({ type }) => type === "Ready");
  const taints = (name: string) =>
    (get(name)?.spec?.taints ?? []).map(({ key, effect }) => `${key.replace("node.kubernetes.io/", "")}:${effect}`).toSorted();
  /** What an agent that speaks again says. */
  const setReady = (name: string, status: string) => {
    seen.set(name, cluster.clock.now());
    cluster.edit<Node>(nodes, "", name, (node) => ({
      ...node,
      status: { ...node.status, conditions: [{ type: "Ready", status, lastTransitionTime: formatTime(cluster.clock.now()) }] },
    }));
  };
  const taint = (name: string, ...taints: Taint[]) =>
    cluster.edit<Node>(nodes, "", name, (node) => ({ ...node, spec: { ...node.spec, taints } }));
  return { cluster, controllers, events, silences, failNext, pass, get, ready, taints, setReady, taint };
}

describe("node life cycle", () => {
  it("gives a node up that was silent for 40 seconds, and tells so in its conditions", async () => {
    const { pass, ready, get, events } = await start("a", "b");
    await pass(39, "b");
    expect(ready("a")?.status).toBe("True");
    await pass(2, "b");
    expect(ready("a")).toMatchObject({
      status: "Unknown",
      reason: "NodeStatusUnknown",
      message: "Kubelet stopped posting node status.",
      lastTransitionTime: "2026-01-01T00:00:40Z",
    });
    expect(get("a")?.status?.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      "Ready=Unknown",
      "MemoryPressure=Unknown",
      "DiskPressure=Unknown",
      "PIDPressure=Unknown",
    ]);
    expect(ready("b")?.status).toBe("True");
    expect(events.told).toContain("Normal NodeNotReady: Node a status is now: NodeNotReady");
  });

  it("taints it so that nothing lands there and what is there ends, and takes that back when it returns", async () => {
    const { pass, taints, setReady, controllers } = await start("a", "b");
    await pass(41, "b");
    expect(taints("a")).toEqual(["unreachable:NoExecute", "unreachable:NoSchedule"]);
    setReady("a", "False");
    await controllers.settle();
    expect(taints("a")).toEqual(["not-ready:NoExecute", "not-ready:NoSchedule"]);
    setReady("a", "True");
    await controllers.settle();
    expect(taints("a")).toEqual([]);
  });

  it("tells the host of each silence once, and again what could not be told", async () => {
    const { pass, setReady, silences, failNext } = await start("a", "b");
    await pass(60, "b");
    expect(silences).toEqual(["a 2026-01-01T00:00:00Z"]);
    setReady("a", "True");
    failNext(2);
    await pass(70, "b");
    expect(silences).toEqual(["a 2026-01-01T00:00:00Z", "a 2026-01-01T00:01:00Z"]);
  });

  it("counts a Lease as a heartbeat", async () => {
    const { cluster, pass, ready } = await start("a", "b");
    const lease: Lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { namespace: "kube-node-lease", name: "a" } };
    await cluster.client.create(leases, { ...lease, spec: { renewTime: "2026-01-01T00:00:30.000000Z" } } as Lease);
    await pass(60, "b");
    expect(ready("a")?.status).toBe("True");
    await pass(15, "b");
    expect(ready("a")?.status).toBe("Unknown");
  });

  it("takes a node without heartbeats at its word, and lets its taints follow its conditions", async () => {
    const { cluster, controllers, taints, ready } = await start();
    const made = node("quiet", {
      status: { conditions: [condition("Ready", "True"), condition("DiskPressure", "True")] },
      spec: { unschedulable: true },
    });
    made.spec = {
      ...made.spec,
      taints: [
        { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" },
        { key: "mine", effect: "NoSchedule" },
      ],
    };
    await cluster.client.create(nodes, made);
    await controllers.pass(100);
    expect(ready("quiet")?.status).toBe("True");
    expect(taints("quiet")).toEqual(["disk-pressure:NoSchedule", "mine:NoSchedule", "unschedulable:NoSchedule"]);
  });

  it("no longer counts the pods of a lost node as ready", async () => {
    const { cluster, pass, events } = await start("a", "b");
    await cluster.client.create(pods, pod("p", { spec: { containers: [], tolerations: [tolerate("node.kubernetes.io/unreachable")] } }));
    runPod(cluster, "p", { node: "a" });
    await pass(41, "b");
    expect(cluster.get<Pod>(pods, "default", "p")?.status?.conditions).toMatchObject([{ type: "Ready", status: "False" }]);
    expect(events.told).toContain("Warning NodeNotReady: Node is not ready");
  });

  it("gives up one node of a zone every ten seconds", async () => {
    const { pass, taints } = await start("a", "b", "c", "d", "e");
    const ending = () => ["a", "b"].filter((name) => taints(name).includes("unreachable:NoExecute")).length;
    await pass(41, "c", "d", "e");
    expect(ending()).toBe(1);
    await pass(8, "c", "d", "e");
    expect(ending()).toBe(1);
    await pass(3, "c", "d", "e");
    expect(ending()).toBe(2);
  });

  it("ends nobody's pods when the whole cluster seems down", async () => {
    const { pass, taints } = await start("a", "b");
    await pass(60);
    expect([taints("a"), taints("b")]).toEqual([["unreachable:NoSchedule"], ["unreachable:NoSchedule"]]);
  });

  it("copies the labels that older clients read", async () => {
    const { cluster, controllers, get } = await start();
    await cluster.client.create(
      nodes,
      node("n", { metadata: { name: "n", labels: { "kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64" } } }),
    );
    await controllers.settle();
    expect(get("n")?.metadata.labels).toMatchObject({ "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "arm64" });
  });
});

describe("eviction by taint", () => {
  const dedicated: Taint = { key: "dedicated", effect: "NoExecute", timeAdded: "2026-01-01T00:00:00Z" };

  async function startWith(...tolerations: Toleration[]) {
    const started = await start("a", "b");
    await started.cluster.client.create(pods, pod("p", { spec: { containers: [], tolerations } }));
    runPod(started.cluster, "p", { node: "a" });
    const gets = () => started.cluster.get<Pod>(pods, "default", "p");
    return { ...started, isEnding: () => gets()?.metadata.deletionTimestamp !== undefined, gets };
  }

  it("ends at once what does not tolerate the taint, and says why", async () => {
    const { controllers, taint, isEnding, gets, events } = await startWith();
    taint("a", dedicated);
    await controllers.settle();
    expect(isEnding()).toBe(true);
    expect(gets()?.status?.conditions).toContainEqual({
      type: "DisruptionTarget",
      status: "True",
      reason: "DeletionByTaintManager",
      message: "Taint manager: deleting due to NoExecute taint",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    });
    expect(events.told).toContain("Normal TaintManagerEviction: Marking for deletion Pod default/p");
  });

  it("waits for the least toleration that the pod needs", async () => {
    const { pass, taint, isEnding } = await startWith(tolerate("dedicated", 20), tolerate("other", 5), tolerate("dedicated", 60));
    taint("a", dedicated, { ...dedicated, key: "other", timeAdded: "2026-01-01T00:00:00Z" });
    await pass(4, "a", "b");
    expect(isEnding()).toBe(false);
    await pass(2, "a", "b");
    expect(isEnding()).toBe(true);
  });

  it("lets stay what tolerates the taint for good, or until the taint goes", async () => {
    const { pass, taint, isEnding, events } = await startWith(tolerate("dedicated", 10), tolerate("forever"));
    taint("a", { ...dedicated, key: "forever" });
    await pass(30, "a", "b");
    expect(isEnding()).toBe(false);
    taint("a", { ...dedicated, timeAdded: "2026-01-01T00:00:30Z" });
    await pass(5, "a", "b");
    taint("a");
    await pass(30, "a", "b");
    expect(isEnding()).toBe(false);
    expect(events.told).toContain("Normal TaintManagerEviction: Cancelling deletion of Pod default/p");
  });

  it("forgets a node that is deleted, and says of no pod that it stays", async () => {
    const { cluster, controllers, pass, taint, isEnding, events } = await startWith(tolerate("dedicated", 10));
    taint("a", dedicated);
    await pass(6, "a", "b");
    await cluster.client.delete(nodes, "", "a");
    await controllers.settle();
    expect(events.told.filter((told) => told.includes("TaintManagerEviction"))).toEqual([]);
    await cluster.client.create(nodes, node("a", { spec: { taints: [{ ...dedicated, timeAdded: "2026-01-01T00:00:06Z" }] } }));
    await controllers.settle();
    await pass(9, "a", "b");
    expect(isEnding()).toBe(false);
    await pass(1, "a", "b");
    expect(isEnding()).toBe(true);
  });

  it("counts anew where the taint went and came again before anybody looked", async () => {
    const { controllers, pass, taint, isEnding } = await startWith(tolerate("dedicated", 10));
    taint("a", dedicated);
    await controllers.settle();
    await pass(6, "a", "b");
    taint("a");
    taint("a", { ...dedicated, timeAdded: "2026-01-01T00:00:06Z" });
    await controllers.settle();
    await pass(9, "a", "b");
    expect(isEnding()).toBe(false);
    await pass(1, "a", "b");
    expect(isEnding()).toBe(true);
  });

  it("follows a lost node after the pod's five minutes", async () => {
    const { pass, isEnding } = await startWith(
      tolerate("node.kubernetes.io/unreachable", 300),
      tolerate("node.kubernetes.io/not-ready", 300),
    );
    await pass(339, "b");
    expect(isEnding()).toBe(false);
    await pass(3, "b");
    expect(isEnding()).toBe(true);
  });
});
