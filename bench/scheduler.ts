import { parseArgs } from "node:util";
import type { Node, Pod } from "../shared/kubernetes/types.ts";
import { decide } from "../shared/scheduler/decide.ts";
import { readPendingPod } from "../shared/scheduler/pod-info.ts";
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

/** Pods that lie on every node before. */
const residents: Record<string, (nodeName: string) => Pod[]> = {
  preemption: (nodeName) =>
    Array.from({ length: 32 }, (_, i) => {
      const containers = [{ name: "c", resources: { requests: { cpu: "1" } } }];
      const pod = podAt(i, { containers, nodeName });
      pod.metadata.uid = `${nodeName}-${i}`;
      return pod;
    }),
};
workloads.preemption = (i) => podAt(i, { priority: 1000, containers: [{ name: "c", resources: { requests: { cpu: "2" } } }] });

for (const [workload, make] of Object.entries(workloads)) {
  if (values.only !== undefined && values.only !== workload) continue;
  let seed = 1;
  const random = (): number => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  const snapshot = createSnapshot();
  for (let i = 0; i < nodeCount; i++) {
    const node = nodeAt(i);
    snapshot.applyNode(node);
    for (const pod of residents[workload]?.(node.metadata.name ?? "") ?? []) snapshot.applyPod(pod);
  }
  const count = workload in residents ? Math.ceil(podCount / 100) : podCount;
  const pods = Array.from({ length: count }, (_, i) => make(i));
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  const pending = pods.map((pod) => readPendingPod(pod));
  const read = performance.now();
  let startIndex = 0;
  let placed = 0;
  for (let from = 0; from < pending.length; from += 500) {
    const plan = decide(snapshot, pending.slice(from, from + 500), { random, startIndex });
    startIndex = plan.nextStartIndex;
    placed += plan.decisions.filter(({ kind }) => kind === "placed").length;
  }
  const ended = performance.now();
  const { user, system } = process.cpuUsage(cpuBefore);
  console.log(
    JSON.stringify({
      workload,
      nodes: nodeCount,
      pods: count,
      placed,
      read_ms: Math.round(read - started),
      decide_ms: Math.round(ended - read),
      decisions_per_s: Math.round((count / (ended - started)) * 1000),
      decisions_per_cpu_s: Math.round((count / (user + system)) * 1e6),
    }),
  );
}
