import type { ClusterFigures } from "./clusters.ts";
import type { Measurement } from "./measurement.ts";
import type { ReferenceFigures } from "./reference.ts";
import type { SchedulingFigures } from "./scheduling.ts";

/** Everything one invocation measured; parts that were not asked for are absent. */
export interface Results {
  readonly machine: string;
  readonly commit: string;
  /** Load of the machine over the last minute when the run began. */
  readonly loadBefore: number;
  readonly client: string;
  readonly runs: number;
  readonly objects: number;
  readonly start?: { readonly firstMs: number; readonly againMs: number; readonly idleMiB: number };
  readonly api?: readonly Measurement[];
  readonly afterApiMiB?: number;
  readonly floor?: readonly Measurement[];
  /** kube-apiserver over etcd in the same run. */
  readonly reference?: ReferenceFigures;
  readonly clusters?: ClusterFigures;
  readonly scheduling?: SchedulingFigures;
}
