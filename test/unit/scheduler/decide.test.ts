import { describe, expect, it } from "vitest";
import type { Node, Pod } from "../../../shared/kubernetes/types.ts";
import { type DecideOptions, decide, nodesToFind } from "../../../shared/scheduler/decide.ts";
import { readPendingPod } from "../../../shared/scheduler/pod-info.ts";
import { type ClusterSnapshot, createSnapshot } from "../../../shared/scheduler/snapshot.ts";

const nodeOf = (name: string, cpu: number, zone = "a"): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "topology.kubernetes.io/zone": zone } },
  status: { allocatable: { cpu, memory: "64Gi", pods: 110 } },
});
const podOf = (name: string, cpu = "100m"): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: name },
  spec: { containers: [{ name: "c", resources: { requests: { cpu, memory: "10Mi" } } }] },
});

function clusterOf(...nodes: Node[]): ClusterSnapshot {
  const snapshot = createSnapshot();
  for (const node of nodes) snapshot.applyNode(node);
  return snapshot;
}

function place(snapshot: ClusterSnapshot, names: readonly string[], options: Partial<DecideOptions> = {}) {
  const pods = names.map((name) => readPendingPod(podOf(name)));
  const { decisions, nextStartIndex } = decide(snapshot, pods, { random: () => 0, ...options });
  return { nextStartIndex, nodeNames: decisions.map((decision) => (decision.kind === "placed" ? decision.nodeName : "")) };
}

describe("decide", () => {
  it("looks at all nodes up to 100, then at a share that falls to 5 %", () => {
    expect([1, 99, 100, 200, 1000, 5000, 6000, 15_000].map((count) => nodesToFind(count))).toEqual([1, 99, 100, 100, 420, 500, 300, 750]);
    expect([nodesToFind(1000, 70), nodesToFind(1000, 100)]).toEqual([700, 1000]);
  });

  it("begins each search where the last one ended, so that every node gets its turn", () => {
    const names = Array.from({ length: 250 }, (_, i) => `n${String(i).padStart(3, "0")}`);
    const snapshot = clusterOf(...names.map((name) => nodeOf(name, 4)));
    const first = place(snapshot, ["p1"]);
    expect(first).toEqual({ nextStartIndex: 120, nodeNames: ["n000"] });
    expect(place(snapshot, ["p2"], { startIndex: first.nextStartIndex })).toEqual({ nextStartIndex: 240, nodeNames: ["n120"] });
  });

  it("looks at the zones in turns", () => {
    const snapshot = clusterOf(nodeOf("a1", 4, "a"), nodeOf("a2", 4, "a"), nodeOf("b1", 4, "b"), nodeOf("c1", 4, "c"));
    expect([...snapshot.nodes.order()].map((slot) => snapshot.nodes.name(slot))).toEqual(["a1", "b1", "c1", "a2"]);
  });

  it("breaks ties by the random numbers it is given", () => {
    const placeWith = (random: number): string[] =>
      place(clusterOf(nodeOf("n1", 4), nodeOf("n2", 4), nodeOf("n3", 4)), ["p"], { random: () => random }).nodeNames;
    expect([0, 0.34, 0.99].flatMap(placeWith)).toEqual(["n1", "n2", "n3"]);
  });

  it("counts what it has placed in the same batch", () => {
    const snapshot = clusterOf(nodeOf("n1", 1), nodeOf("n2", 1));
    expect(place(snapshot, ["a", "b", "c", "d"]).nodeNames).toEqual(["n1", "n2", "n1", "n2"]);
  });

  it("stops when it is told to, after one pod at the least", () => {
    const snapshot = clusterOf(nodeOf("n1", 4));
    expect(place(snapshot, ["a", "b", "c"], { shouldStop: () => true }).nodeNames).toHaveLength(1);
  });

  it("gives the room back that a placement took which was not carried out", () => {
    const snapshot = clusterOf(nodeOf("n1", 0.1));
    expect(place(snapshot, ["a", "b"]).nodeNames).toEqual(["n1", ""]);
    snapshot.forget("a");
    expect(place(snapshot, ["b"]).nodeNames).toEqual(["n1"]);
  });

  it("keeps a placement while the pod is still seen pending, and lets go of it when the pod is gone", () => {
    const snapshot = clusterOf(nodeOf("n1", 0.1));
    place(snapshot, ["a"]);
    snapshot.applyPod(podOf("a"));
    expect(snapshot.isAssumed("a")).toBe(true);
    expect(place(snapshot, ["b"]).nodeNames).toEqual([""]);
    const bound = podOf("a");
    snapshot.applyPod({ ...bound, spec: { containers: [], ...bound.spec, nodeName: "n1" } });
    snapshot.forget("a");
    expect(place(snapshot, ["b"]).nodeNames).toEqual([""]);
    snapshot.removePod("a");
    expect(place(snapshot, ["b"]).nodeNames).toEqual(["n1"]);
  });

  it("counts pods on a node that is not known yet as soon as it comes", () => {
    const snapshot = clusterOf();
    const early = podOf("early");
    snapshot.applyPod({ ...early, spec: { containers: [], ...early.spec, nodeName: "n1" } });
    snapshot.applyNode(nodeOf("n1", 0.1));
    expect(place(snapshot, ["p"]).nodeNames).toEqual([""]);
    snapshot.removeNode("n1");
    snapshot.applyNode(nodeOf("n1", 0.2));
    expect(place(snapshot, ["p"]).nodeNames).toEqual(["n1"]);
  });
});
