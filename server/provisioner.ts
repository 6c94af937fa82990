import type { Clock } from "../shared/clock.ts";
import { drainCluster, dropPods } from "../shared/host/drain-cluster.ts";
import type { ClusterProvisioner } from "../shared/platform/provisioner.ts";
import type { ClusterRecord, PoolRecord } from "../shared/platform/records.ts";
import type { ClusterHost } from "./cluster-host.ts";

/** Agents that run inside this process. */
export interface LocalAgents {
  /** Brings the number of agents in the pool to its size: starts what is missing, drains and stops what is too many. */
  resize(pool: PoolRecord): Promise<void>;
  /** Stops all of the pool's agents once their pods have ended, and forgets them. */
  remove(pool: string): Promise<void>;
}

/** Pods of a cluster that goes get this long to end; then what is left is dropped with it. */
const drainMs = 60_000;

/** Keeps machines of the embedded host: each is an agent in this process, over the same HTTPS as any other. */
export function createLocalProvisioner(options: { clock: Clock; host: () => ClusterHost; agents: LocalAgents }): ClusterProvisioner {
  const { clock, agents } = options;
  const draining = new Map<string, number>();
  return {
    readyAtOnce: true,
    created: () => Promise.resolve(),
    resized: (pool) => agents.resize(pool),
    scheduling(cluster) {
      options
        .host()
        .peek({ tenant: cluster.tenant, cluster: cluster.id })
        ?.loops.schedule(cluster.schedulingPaused !== true);
      return Promise.resolve();
    },
    async deleting(cluster) {
      const host = options.host();
      const ref = { tenant: cluster.tenant, cluster: cluster.id };
      const runtime = await host.open(ref);
      const since = draining.get(cluster.id) ?? clock.now();
      draining.set(cluster.id, since);
      await runtime?.loops.stop();
      if (runtime && (await drainCluster(runtime)) > 0) {
        if (clock.now() - since < drainMs) return "pending";
        await dropPods(runtime);
      }
      await stopAgents(agents, cluster);
      await host.evict(ref);
      draining.delete(cluster.id);
      return "done";
    },
  };
}

async function stopAgents(agents: LocalAgents, cluster: ClusterRecord): Promise<void> {
  if (cluster.ownsPool) await agents.remove(cluster.pool);
}
