import { putAgenda } from "../shared/host/agenda.ts";
import { createLoopLeases, hasCluster } from "../shared/host/loop-lease.ts";
import { createNodeOperations } from "../shared/host/node-operations.ts";
import { createTurner, type Turner } from "../shared/host/turner.ts";
import { createPlatformServices, type DomainServices } from "../shared/platform/platform-services.ts";
import type { ClusterRef } from "../shared/store/store.ts";
import type { Dependencies } from "./dependencies.ts";
import { createOpening, type TurningOptions } from "./open-turned.ts";
import { createDirectory, createFunctionProvisioner, tellByMarks } from "./platform-domain.ts";

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

/**
 * What turns clusters and finishes what the platform's requests began, for the functions that are woken. `served`: the clusters that the process holds for
 * others, where it does.
 */
export function createTurning(dependencies: Dependencies, options: TurningOptions, served = createDirectory(dependencies)): Turning {
  const { clock, log, store, storeOf, marksOf, uid } = dependencies;
  const { clusters, directory } = served;
  const services: DomainServices = createPlatformServices({
    ...dependencies,
    provisioner: createFunctionProvisioner(dependencies, directory),
    operations: createNodeOperations(directory, () => services.pools),
  });
  tellByMarks(services.news, dependencies);
  const lookAgain = async (ref: ClusterRef, atMs: number): Promise<void> => void (await store.writeRecords([putAgenda(ref, atMs)]));
  const holder = uid();
  const turner = createTurner({
    ...{ storeOf, clock, log, marksOf, store },
    kept: options.tally ? keptBySchedule : keptByStream,
    leasesOf: (tenant) => {
      const its = storeOf(tenant);
      return createLoopLeases({ store: its, clock, holder, lookAgain, exists: (ref) => hasCluster(its, ref) });
    },
    open: createOpening(dependencies, services, options),
    wake: (ref) => storeOf(ref.tenant).wake(ref),
  });
  return {
    ...{ turner, services, dependencies, tallies: options.tally },
    async settle() {
      clusters.rest();
      await dependencies.settle();
    },
  };
}
