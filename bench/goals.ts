import type { ReferenceFigures } from "./reference.ts";

/** An operation beside what it is held to. `reference` is kube-apiserver 1.33 with etcd 3.5 on a machine of 2 cores, by the same requests. */
export interface Goal {
  readonly operation: string;
  readonly figure: "perSecond" | "p50Ms";
  readonly reference: number;
  /** How many times the reference's throughput, or which part of its latency. */
  readonly times: number;
}

const goals: readonly Goal[] = [
  { operation: "create-configmap", figure: "perSecond", reference: 753, times: 3 },
  { operation: "get-configmap", figure: "perSecond", reference: 2235, times: 3 },
  { operation: "patch-configmap", figure: "perSecond", reference: 502, times: 4 },
  { operation: "update-conflict", figure: "perSecond", reference: 25, times: 50 },
  { operation: "create-pod", figure: "perSecond", reference: 455, times: 3 },
  { operation: "list-pod", figure: "p50Ms", reference: 330, times: 5 },
  { operation: "watch-50", figure: "p50Ms", reference: 6.6, times: 2.2 },
];

/** The goal of an operation, against what kube-apiserver showed in the same run where it was measured. */
export function goalOf(operation: string, measured: ReferenceFigures | undefined): (Goal & { readonly wanted: number }) | undefined {
  const goal = goals.find((known) => known.operation === operation);
  if (!goal) return undefined;
  const { figure, times } = goal;
  const reference = measured?.api.find((found) => found.operation === operation)?.[figure] ?? goal.reference;
  return { ...goal, reference, wanted: figure === "perSecond" ? reference * times : reference / times };
}

/** kube-scheduler 1.33 over 1,000 nodes and 5,000 pods on that machine. */
export const schedulerReference = { podsPerSecond: 244, times: 10 } as const;
/** Of what the bare server of `floor-server.ts` reaches in the same run. */
export const floorShare = 0.7;
export const startWithinMs = 1000;
export const residentMiB = 150;
export const clusterWithinMs = 20;
/** kube-apiserver's process start, and its resident memory when idle. */
export const referenceStart = { ms: 3700, residentMiB: 306 } as const;
