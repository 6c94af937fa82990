/** An operation beside what it is held to. `reference` is kube-apiserver 1.33 with etcd 3.5 on a machine of 2 cores, by the same requests. */
export interface Goal {
  readonly operation: string;
  readonly figure: "perSecond" | "p50Ms";
  readonly reference: number;
  /** Times the reference's throughput; for latencies the goal in milliseconds stands in `atMost`. */
  readonly times?: number;
  readonly atMost?: number;
}

export const goals: readonly Goal[] = [
  { operation: "create-configmap", figure: "perSecond", reference: 753, times: 3 },
  { operation: "get-configmap", figure: "perSecond", reference: 2235, times: 3 },
  { operation: "patch-configmap", figure: "perSecond", reference: 502, times: 4 },
  { operation: "update-conflict", figure: "perSecond", reference: 25, times: 50 },
  { operation: "create-pod", figure: "perSecond", reference: 455, times: 3 },
  { operation: "list-pod", figure: "p50Ms", reference: 330, atMost: 330 / 5 },
  { operation: "watch-50", figure: "p50Ms", reference: 6.6, atMost: 3 },
];

/** kube-scheduler 1.33 over 1,000 nodes and 5,000 pods on that machine. */
export const schedulerReference = { podsPerSecond: 244, times: 10 } as const;
/** Of what the bare server of `floor-server.ts` reaches in the same run. */
export const floorShare = 0.7;
export const startWithinMs = 1000;
export const residentMiB = 150;
export const clusterWithinMs = 20;
/** kube-apiserver's process start, and its resident memory when idle. */
export const referenceStart = { ms: 3700, residentMiB: 306 } as const;
