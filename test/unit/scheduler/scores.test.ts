import { describe, expect, it } from "vitest";
import type { Node, Pod, TopologySpreadConstraint } from "../../../shared/kubernetes/types.ts";
import { ImageFit } from "../../../shared/scheduler/image-fit.ts";
import { InterPodAffinity } from "../../../shared/scheduler/inter-pod-affinity.ts";
import { readPod } from "../../../shared/scheduler/pod-info.ts";
import { ResourceFit } from "../../../shared/scheduler/resource-fit.ts";
import { type ClusterSnapshot, createSnapshot } from "../../../shared/scheduler/snapshot.ts";
import { TopologySpread } from "../../../shared/scheduler/topology-spread.ts";

// Most figures are those of the plugins' own tests in Kubernetes 1.33 (pkg/scheduler/framework/plugins).

const mebibyte = 1024 * 1024;

function nodeOf(name: string, rest: { cpu?: string; memory?: number; zone?: string; images?: Record<string, number> } = {}): Node {
  const { cpu = "4", memory = 10_000, zone, images = {} } = rest;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, ...(zone && { zone }) } },
    status: {
      allocatable: { cpu, memory, pods: 110 },
      images: Object.entries(images).map(([image, megabytes]) => ({ names: [image], sizeBytes: megabytes * mebibyte })),
    },
  };
}

function podOf(name: string, spec: Partial<NonNullable<Pod["spec"]>> = {}, requests: Record<string, string | number> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", uid: name, labels: { foo: "" } },
    spec: { containers: [{ name: "c", resources: { requests } }], ...spec },
  };
}

function clusterOf(...nodes: Node[]): ClusterSnapshot {
  const snapshot = createSnapshot();
  for (const node of nodes) snapshot.applyNode(node);
  return snapshot;
}

/** Scores of all nodes by name. */
function scoresOf(snapshot: ClusterSnapshot, plugin: TopologySpread | InterPodAffinity): Record<string, number> {
  const slots = snapshot.nodes.order();
  const totals = new Float64Array(slots.length);
  plugin.refresh();
  plugin.score(slots, slots.length, totals, 1);
  return Object.fromEntries([...slots].map((slot, position) => [snapshot.nodes.name(slot), totals[position] ?? -1]));
}

describe("the score of resources", () => {
  it("favours the node with more room, and balance between CPU and memory", () => {
    const { nodes } = clusterOf(nodeOf("n1", { cpu: "4" }), nodeOf("n2", { cpu: "6" }));
    const fit = new ResourceFit(nodes, readPod(podOf("p", {}, { cpu: 3, memory: 5000 })).requests);
    const scores = ["n1", "n2"].map((name) => {
      const slot = nodes.slot(name) ?? -1;
      fit.check(slot);
      return fit.score(slot);
    });
    expect(scores).toEqual([37 + 87, 50 + 100]);
  });

  it("counts pods without requests as if they had some, and gives them nothing for balance", () => {
    const snapshot = clusterOf(nodeOf("n1", { cpu: "1", memory: 400 * mebibyte }));
    const fit = new ResourceFit(snapshot.nodes, readPod(podOf("p")).requests);
    fit.check(0);
    expect(fit.score(0)).toBe((90 + 50) / 2);
  });
});

describe("the score of images", () => {
  it("grows with the bytes that are there, less for an image that few nodes have", () => {
    const { nodes } = clusterOf(
      nodeOf("n1", { images: { "gcr.io/250:latest": 250 } }),
      nodeOf("n2", { images: { "gcr.io/10:latest": 10 } }),
    );
    expect([...(new ImageFit(nodes, ["gcr.io/250"]).scores() ?? [])].slice(0, 2)).toEqual([10, 0]);
  });

  it("is the same for all nodes when none has the image", () => {
    expect(new ImageFit(clusterOf(nodeOf("n1")).nodes, ["nowhere"]).scores()).toBeUndefined();
  });
});

describe("the score of spreading", () => {
  const constraint = (topologyKey: string, maxSkew = 1): TopologySpreadConstraint => ({
    maxSkew,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchExpressions: [{ key: "foo", operator: "Exists" }] },
  });

  it("falls with the matching pods of a node: 2/1/0/3", () => {
    const snapshot = clusterOf(...["node-a", "node-b", "node-c", "node-d"].map((name) => nodeOf(name)));
    for (const [index, nodeName] of ["node-a", "node-a", "node-b", "node-d", "node-d", "node-d"].entries()) {
      snapshot.applyPod(podOf(`p${index}`, { nodeName }));
    }
    const scoresWith = (maxSkew: number): Record<string, number> => {
      const pod = readPod(podOf("p", { topologySpreadConstraints: [constraint("kubernetes.io/hostname", maxSkew)] }));
      return scoresOf(snapshot, new TopologySpread(snapshot, pod));
    };
    expect(scoresWith(1)).toEqual({ "node-a": 20, "node-b": 60, "node-c": 100, "node-d": 0 });
    expect(scoresWith(2)).toEqual({ "node-a": 33, "node-b": 66, "node-c": 100, "node-d": 16 });
  });

  it("gives nothing to nodes without the label", () => {
    const snapshot = clusterOf(nodeOf("node-a", { zone: "1" }), nodeOf("node-b"));
    const pod = readPod(podOf("p", { topologySpreadConstraints: [constraint("zone")] }));
    expect(scoresOf(snapshot, new TopologySpread(snapshot, pod))).toEqual({ "node-a": 100, "node-b": 0 });
  });
});

describe("the score of pod affinity", () => {
  it("spans the range between the least and the most wanted domain", () => {
    const snapshot = clusterOf(nodeOf("n1", { zone: "1" }), nodeOf("n2", { zone: "2" }), nodeOf("n3", { zone: "3" }));
    for (const [index, nodeName] of ["n1", "n1", "n2"].entries()) snapshot.applyPod(podOf(`p${index}`, { nodeName }));
    const podAffinityTerm = { topologyKey: "zone", labelSelector: { matchExpressions: [{ key: "foo", operator: "Exists" }] } };
    const affinity = { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, podAffinityTerm }] } };
    const pod = readPod(podOf("p", { affinity }));
    expect(scoresOf(snapshot, new InterPodAffinity(snapshot, pod))).toEqual({ n1: 100, n2: 50, n3: 0 });
  });
});
