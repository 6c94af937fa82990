import { createClusterSurroundings } from "../shared/host/cluster-surroundings.ts";
import { advanceHistory } from "../shared/host/history.ts";
import type { LoopLease } from "../shared/host/loop-lease.ts";
import { createLoops } from "../shared/host/loops.ts";
import { openTurnedCluster, type TurnedCluster } from "../shared/host/turned-cluster.ts";
import { tallyCluster } from "../shared/metering/pod-tally.ts";
import type { DomainServices } from "../shared/platform/platform-services.ts";
import type { ClusterRef } from "../shared/store/store.ts";
import type { Dependencies } from "./dependencies.ts";

const historyEveryMs = 30 * 60_000;

export interface TurningOptions {
  /**
   * Meters what the clusters hold while this process keeps them in memory. One function alone may do so, of which one instance at a time runs: two would
   * count everything twice.
   */
  readonly tally: boolean;
}

/** Opens clusters to be turned, with what lies around them. */
export function createOpening(dependencies: Dependencies, services: DomainServices, { tally }: TurningOptions) {
  const { clock, log, random, storeOf, marksOf, installation, nodeGraceMs, meter, runtimeOptions, later } = dependencies;
  const { caPem, caKeyPem } = installation;
  return async (ref: ClusterRef, lease: LoopLease): Promise<TurnedCluster> => {
    const surroundings = createClusterSurroundings(ref, services);
    let historyMs = 0;
    const turned = await openTurnedCluster(ref, storeOf(ref.tenant), lease, {
      ...runtimeOptions(ref),
      loopsOf: (runtime) =>
        createLoops(runtime, {
          ...{ clock, log, random, caPem, caKeyPem, nodeGraceMs, silenceIsTold: true, heartbeats: surroundings },
          async onSilence(node, lastSeenMs) {
            await services.nodes.noteSilence(node, lastSeenMs);
            // When it speaks again there is something to look at: it is said to be silent.
            await marksOf(node.tenant).nodesChanged(node.tenant, node.pool, [node.nodeName]);
          },
          schedulingPaused: () => Promise.resolve(surroundings.schedulingPaused),
        }),
      async prepare({ cluster: { store } }, pools) {
        if ((await surroundings.look(pools)) === "rest") return "rest";
        if (clock.now() - historyMs > historyEveryMs) {
          historyMs = clock.now();
          later("history", advanceHistory(store, ref, clock));
        }
        return "turn";
      },
    });
    if (tally) void turned.ended.then(tallyCluster(meter, ref, turned.runtime.cluster.mirror));
    return turned;
  };
}
