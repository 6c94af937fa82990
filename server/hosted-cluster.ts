import { type ClusterRuntime, type ClusterRuntimeOptions, openClusterRuntime } from "../shared/host/cluster-runtime.ts";
import { keepHistory } from "../shared/host/history.ts";
import type { Loops } from "../shared/host/loops.ts";
import type { Meter } from "../shared/metering/meter.ts";
import { tallyCluster } from "../shared/metering/pod-tally.ts";
import type { ClusterRef } from "../shared/store/store.ts";

export interface HostedClusterOptions extends ClusterRuntimeOptions {
  readonly loopsOf: (runtime: ClusterRuntime) => Loops;
  readonly meter: () => Meter;
}

/** One cluster that this process holds in memory, served and turned. */
export interface HostedCluster extends ClusterRuntime {
  readonly loops: Loops;
}

export async function openHostedCluster(ref: ClusterRef, options: HostedClusterOptions, onEnd: () => void): Promise<HostedCluster> {
  const runtime = await openClusterRuntime(ref, options, onEnd);
  const loops = options.loopsOf(runtime);
  loops.start();
  const stopHistory = keepHistory(options.store, ref, options.clock, runtime.cluster.log);
  const stopTally = tallyCluster(options.meter(), ref, runtime.cluster.mirror);
  return {
    ...runtime,
    loops,
    async close() {
      stopHistory();
      stopTally();
      await loops.stop();
      await runtime.close();
    },
  };
}
