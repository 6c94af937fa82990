import { putAgenda } from "../shared/host/agenda.ts";
import { advanceHistory } from "../shared/host/history.ts";
import { createLoopLeases, type LoopLease } from "../shared/host/loop-lease.ts";
import { createLoops } from "../shared/host/loops.ts";
import { createNodeOperations } from "../shared/host/node-operations.ts";
import { openTurnedCluster, type TurnedCluster } from "../shared/host/turned-cluster.ts";
import { createTurner, type Turner, type TurnerOptions } from "../shared/host/turner.ts";
import { tallyCluster } from "../shared/metering/pod-tally.ts";
import { createPlatformServices, type DomainServices } from "../shared/platform/platform-services.ts";
import { isPlatformError } from "../shared/platform/problem.ts";
import type { ClusterRef } from "../shared/store/store.ts";
import type { Dependencies } from "./dependencies.ts";
import { createDirectory, createFunctionProvisioner, tellByMarks } from "./platform-domain.ts";

const historyEveryMs = 30 * 60_000;
/** Clusters kept in memory: between wake-ups, and between the minutes of the schedule, which meters what they hold. */
const keptByStream = 50;
const keptBySchedule = 500;

export interface Turning {
  readonly turner: Turner;
  readonly services: DomainServices;
  readonly dependencies: Dependencies;
  /** What clusters hold is metered here. */
  readonly tallies: boolean;
  /** What has to be written before the process may be frozen. */
  settle(): Promise<void>;
}

export interface TurningOptions {
  /**
   * Meters what the clusters hold while this process keeps them in memory. One function alone may do so, of which one instance at a time runs: two would
   * count everything twice.
   */
  readonly tally: boolean;
}

/**
 * What turns clusters and finishes what the platform's requests began, for the functions that are woken. `served`: the clusters that the process holds for
 * others, where it does.
 */
export function createTurning(dependencies: Dependencies, { tally }: TurningOptions, served = createDirectory(dependencies)): Turning {
  const { clock, log, store, storeOf, uid, nodeGraceMs, installation, marksOf, runtimeOptions } = dependencies;
  const { clusters, directory } = served;
  const services: DomainServices = createPlatformServices({
    ...dependencies,
    provisioner: createFunctionProvisioner(dependencies, directory),
    operations: createNodeOperations(directory, () => services.pools),
  });
  tellByMarks(services.news, dependencies);
  const holder = uid();
  const heard = new Map<string, number>();
  /** Clusters whose scheduler rests. */
  const paused = new Set<string>();
  const historyMs = new Map<string, number>();
  const lookAgain = async (ref: ClusterRef, atMs: number): Promise<void> => void (await store.writeRecords([putAgenda(ref, atMs)]));

  const open = async (ref: ClusterRef, lease: LoopLease): Promise<TurnedCluster> => {
    const turned = await openTurnedCluster(ref, storeOf(ref.tenant), lease, {
      ...runtimeOptions(ref),
      loopsOf: (runtime) =>
        createLoops(runtime, {
          ...{ clock, log, random: dependencies.random, caPem: installation.caPem, caKeyPem: installation.caKeyPem, nodeGraceMs },
          silenceIsTold: true,
          heartbeats: { lastSeen: ({ tenant, pool, nodeName }) => heard.get(`${tenant}/${pool}/${nodeName}`) },
          async onSilence(node, lastSeenMs) {
            await services.nodes.noteSilence(node, lastSeenMs);
            // When it speaks again there is something to look at: it is said to be silent.
            await marksOf(node.tenant).nodesChanged(node.tenant, node.pool, [node.nodeName]);
          },
          schedulingPaused: () => Promise.resolve(paused.has(ref.cluster)),
        }),
    });
    if (!tally) return turned;
    const stop = tallyCluster(dependencies.meter, ref, turned.runtime.cluster.mirror);
    void turned.ended.then(stop);
    return turned;
  };

  /** Heartbeats of the cluster's nodes, whether its scheduler rests, and its history. */
  const prepare: TurnerOptions["prepare"] = async (turned) => {
    const { ref, cluster } = turned.runtime;
    const record = await services.clusters.get(ref.tenant, ref.cluster).catch((error: unknown) => {
      if (isPlatformError(error, "not-found")) return undefined;
      throw error;
    });
    if (!record || record.value.state === "deleting") return "rest";
    for (const pool of turned.pools)
      for (const [name, ms] of await services.heartbeats.ofPool(ref.tenant, pool)) heard.set(`${ref.tenant}/${pool}/${name}`, ms);
    if (record.value.schedulingPaused === true) paused.add(ref.cluster);
    else paused.delete(ref.cluster);
    if (clock.now() - (historyMs.get(ref.cluster) ?? 0) > historyEveryMs) {
      historyMs.set(ref.cluster, clock.now());
      dependencies.later("history", advanceHistory(cluster.store, ref, clock));
    }
    return "turn";
  };
  const leasesOf = (tenant: string) => createLoopLeases({ store: storeOf(tenant), clock, holder, lookAgain });
  const wake = (ref: ClusterRef): void => storeOf(ref.tenant).wake(ref);
  return {
    turner: createTurner({
      kept: tally ? keptBySchedule : keptByStream,
      storeOf,
      clock,
      log,
      leasesOf,
      marksOf,
      store,
      open,
      prepare,
      wake,
    }),
    services,
    dependencies,
    tallies: tally,
    async settle() {
      clusters.rest();
      await dependencies.settle();
    },
  };
}
