import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Node, Pod } from "../../shared/kubernetes/types.ts";
import { decide } from "../../shared/scheduler/decide.ts";
import type { Decision } from "../../shared/scheduler/plan.ts";
import { readPendingPod } from "../../shared/scheduler/pod-info.ts";
import { type ClusterSnapshot, createSnapshot } from "../../shared/scheduler/snapshot.ts";
import { objection, type Placement } from "./scheduler-checker.ts";
import { type RandomCluster, randomCluster, seededRandom } from "./scheduler-cluster.ts";

function open({ nodes }: RandomCluster): ClusterSnapshot {
  const snapshot = createSnapshot();
  for (const node of nodes) snapshot.applyNode(node);
  return snapshot;
}

function plan(snapshot: ClusterSnapshot, pods: readonly Pod[], seed: number): readonly Decision[] {
  const pending = pods.map((pod) => readPendingPod(pod));
  return decide(snapshot, pending, { random: seededRandom(seed) }).decisions;
}

const bound = (pod: Pod, nodeName: string): Pod => ({ ...pod, spec: { containers: [], ...pod.spec, nodeName } });
const outcomes = (decisions: readonly Decision[]): string[] =>
  decisions.map((decision) => (decision.kind === "placed" ? `${decision.pod.name} ${decision.nodeName}` : decision.message));
const withoutPreemption = (cluster: RandomCluster): Pod[] =>
  cluster.pods.map((pod) => ({ ...pod, spec: { containers: [], ...pod.spec, preemptionPolicy: "Never" } }));

describe("decide", () => {
  it("places a pod only where the rules allow it, and gives up only when they allow no node", () => {
    let placed = 0;
    let refused = 0;
    fc.assert(
      fc.property(randomCluster, (cluster) => {
        const pods = withoutPreemption(cluster);
        const placements: Placement[] = [];
        for (const [index, decision] of plan(open(cluster), pods, cluster.seed).entries()) {
          const pod = pods[index] as Pod;
          if (decision.kind === "placed") {
            const node = cluster.nodes.find(({ metadata }) => metadata.name === decision.nodeName) as Node;
            expect(objection(pod, node, cluster.nodes, placements)).toBeUndefined();
            placements.push({ pod, node });
            placed++;
          } else {
            const objections = cluster.nodes.map((node) => objection(pod, node, cluster.nodes, placements));
            expect(objections).not.toContain(undefined);
            refused++;
          }
        }
      }),
      { numRuns: 200 },
    );
    expect(placed).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });

  it("chooses less important victims without whom the pod fits", () => {
    let preemptions = 0;
    fc.assert(
      fc.property(randomCluster, (cluster) => {
        const snapshot = open(cluster);
        const placements: Placement[] = [];
        const nodeOf = (name: string): Node => cluster.nodes.find(({ metadata }) => metadata.name === name) as Node;
        for (const pod of cluster.pods) {
          const [decision] = plan(snapshot, [pod], cluster.seed);
          if (decision?.kind === "placed") placements.push({ pod, node: nodeOf(decision.nodeName) });
          if (decision?.kind !== "unschedulable" || decision.preemption === undefined) continue;
          preemptions++;
          const { nodeName, victims } = decision.preemption;
          const gone = new Set(victims.map(({ name }) => name));
          expect(gone.size).toBeGreaterThan(0);
          for (const victim of victims) expect(victim.priority).toBeLessThan(pod.spec?.priority ?? 0);
          const left = placements.filter((placement) => !gone.has(placement.pod.metadata.name ?? ""));
          expect(objection(pod, nodeOf(nodeName), cluster.nodes, left)).toBeUndefined();
          snapshot.removePod(pod.metadata.uid ?? "");
        }
      }),
      { numRuns: 150 },
    );
    expect(preemptions).toBeGreaterThan(20);
  });

  it("makes the same plan from the same state and seed", () => {
    fc.assert(
      fc.property(randomCluster, (cluster) => {
        const [first, second] = [0, 1].map(() => outcomes(plan(open(cluster), cluster.pods, cluster.seed)));
        expect(second).toEqual(first);
      }),
      { numRuns: 100 },
    );
  });

  it("makes the same plan from a snapshot that has a history as from a fresh one", () => {
    fc.assert(
      fc.property(randomCluster, fc.array(fc.nat(), { minLength: 40, maxLength: 40 }), (cluster, choices) => {
        const half = Math.ceil(cluster.pods.length / 2);
        const lived = open(cluster);
        const residents = new Map<string, Pod>();
        for (const [index, decision] of plan(lived, cluster.pods.slice(0, half), cluster.seed).entries()) {
          const pod = cluster.pods[index] as Pod;
          if (decision.kind === "placed") residents.set(decision.pod.uid, bound(pod, decision.nodeName));
          else lived.removePod(decision.pod.uid);
        }
        let [first, ...nodes] = cluster.nodes as [Node, ...Node[]];
        for (const [index, pod] of [...residents.values()].entries()) {
          const choice = (choices[index] ?? 0) % 4;
          lived.applyPod(pod);
          if (choice === 0) {
            lived.removePod(pod.metadata.uid ?? "");
            residents.delete(pod.metadata.uid ?? "");
          } else if (choice === 1) {
            const relabelled = { ...pod, metadata: { ...pod.metadata, labels: { app: "web" } } };
            lived.applyPod(relabelled);
            residents.set(pod.metadata.uid ?? "", relabelled);
          } else if (choice === 2) {
            lived.removeNode(first.metadata.name ?? "");
            first = { ...first, metadata: { ...first.metadata, labels: { "kubernetes.io/hostname": "n0", zone: "c" } } };
            lived.applyNode(first);
          }
        }
        const fresh = createSnapshot();
        for (const pod of residents.values()) fresh.applyPod(pod);
        for (const node of [first, ...nodes].reverse()) fresh.applyNode(node);
        const rest = cluster.pods.slice(half);
        expect(outcomes(plan(lived, rest, cluster.seed))).toEqual(outcomes(plan(fresh, rest, cluster.seed)));
      }),
      { numRuns: 150 },
    );
  });
});
