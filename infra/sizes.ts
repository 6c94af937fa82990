import type { entryPoints } from "../functions/names/entry-points.ts";

export interface FunctionSize {
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
}

/**
 * Memory buys processor time: a full one at 1,769 MB. Time-outs of the cluster API are Lambda's longest, since a watch lasts as long as it may;
 * the loops' leave a reconciler room to end what it began.
 */
export const functionSizes = {
  clusterApi: { memoryMb: 1024, timeoutSeconds: 900 },
  platformApi: { memoryMb: 512, timeoutSeconds: 30 },
  agentApi: { memoryMb: 512, timeoutSeconds: 60 },
  onChange: { memoryMb: 1024, timeoutSeconds: 60 },
  reconcile: { memoryMb: 1024, timeoutSeconds: 120 },
  deliver: { memoryMb: 256, timeoutSeconds: 60 },
  meter: { memoryMb: 512, timeoutSeconds: 120 },
} as const satisfies Record<keyof typeof entryPoints, FunctionSize>;

/** Fargate's smallest: watches that are quiet cost memory alone, and there is one more task where either runs short. */
export const containerSize = { cpu: 256, memoryMb: 512, mostTasks: 4 } as const;
