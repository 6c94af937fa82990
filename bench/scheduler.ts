import { parseArgs } from "node:util";
import type { Node, Pod } from "../shared/kubernetes/types.ts";
import { decide } from "../shared/scheduler/decide.ts";
import { createSnapshot } from "../shared/scheduler/snapshot.ts";

/**
 * Times decisions alone: no store, no API. One JSON line a workload: `node bench/scheduler.ts --nodes 1000 --pods 5000`.
 * Nodes and plain pods are those of the load test that the figures of kube-scheduler were made with.
 */
const { values } = parseArgs({
  options: { nodes: { type: "string", default: "1000" }, pods: { type: "string", default: "5000" }, only: { type: "string" } },
});
const nodeCount = Number(values.nodes);
const podCount = Number(values.pods);

const quantities = { cpu: "32", memory: "256Gi", pods: "110" };
const nodeAt = (i: number): Node => {
  const name = `load-${String(i).padStart(6, "0")}`;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": `zone-${i % 3}` } },
    status: { capacity: quantities, allocatable: quantities },
  };
};
const podAt = (i: number, spec: Partial<NonNullable<Pod["spec"]>> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: `pod-${i}`, namespace: "load", uid: `uid-${i}`, labels: { app: `a${i % 20}` } },
  spec: { containers: [{ name: "c", image: "x", resources: { requests: { cpu: "100m", memory: "200Mi" } } }], ...spec },
});
const labelSelector = (i: number) => ({ matchLabels: { app: `a${i % 20}` } });

const workloads: Record<string, (i: number) => Pod> = {
  plain: (i) => podAt(i),
  "every pod of its own shape": (i) => {
    const pod = podAt(i);
    pod.metadata.labels = { ...pod.metadata.labels, pod: `p${i}` };
    return pod;
  },
  "topology spread": (i) =>
    podAt(i, {
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: labelSelector(i) },
        { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway", labelSelector: labelSelector(i) },
      ],
    }),
  "pod anti-affinity": (i) =>
    podAt(i, {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "kubernetes.io/hostname", labelSelector: labelSelector(i) }],
        },
      },
    }),
  "preferred pod affinity": (i) =>
    podAt(i, {
      affinity: {
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 1, podAffinityTerm: { topologyKey: "topology.kubernetes.io/zone", labelSelector: labelSelector(i) } },
          ],
        },
      },
    }),
  "unschedulable (too large)": (i) => podAt(i, { containers: [{ name: "c", resources: { requests: { cpu: "64" } } }] }),
};

for (const [workload, make] of Object.entries(workloads)) {
  if (values.only !== undefined && values.only !== workload) continue;
  let seed = 1;
  const random = (): number => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  const snapshot = createSnapshot();
  for (let i = 0; i < nodeCount; i++) snapshot.applyNode(nodeAt(i));
  const pods = Array.from({ length: podCount }, (_, i) => make(i));
  const started = performance.now();
  const pending = pods.map((pod) => snapshot.reader.readPending(pod));
  const read = performance.now();
  let startIndex = 0;
  let placed = 0;
  for (let from = 0; from < pending.length; from += 500) {
    const plan = decide(snapshot, pending.slice(from, from + 500), { random, startIndex });
    startIndex = plan.nextStartIndex;
    placed += plan.decisions.filter(({ kind }) => kind === "placed").length;
  }
  const ended = performance.now();
  console.log(
    JSON.stringify({
      workload,
      nodes: nodeCount,
      pods: podCount,
      placed,
      read_ms: Math.round(read - started),
      decide_ms: Math.round(ended - read),
      decisions_per_s: Math.round((podCount / (ended - started)) * 1000),
    }),
  );
}
