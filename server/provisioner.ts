import type { Clock } from "../shared/clock.ts";
import { pods } from "../shared/kubernetes/known-resources.ts";
import { isStatus } from "../shared/kubernetes/status-error.ts";
import type { Pod } from "../shared/kubernetes/types.ts";
import type { ClusterProvisioner } from "../shared/platform/provisioner.ts";
import type { ClusterRecord, PoolRecord } from "../shared/platform/records.ts";
import { objectOf } from "../shared/store/view.ts";
import type { ClusterHost } from "./cluster-host.ts";
import type { ClusterRuntime } from "./cluster-runtime.ts";

/** Agents that run inside this process. */
export interface LocalAgents {
  /** Brings the number of agents in the pool to its size: starts what is missing, drains and stops what is too many. */
  resize(pool: PoolRecord): Promise<void>;
  /** Stops all of the pool's agents once their pods have ended, and forgets them. */
  remove(pool: string): Promise<void>;
}

/** Pods of a cluster that goes get this long to end; then what is left is dropped with it. */
const drainMs = 60_000;
const deletions = 20;

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
      if (runtime && (await drain(runtime)) > 0) {
        if (clock.now() - since < drainMs) return "pending";
        await drop(runtime);
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

/** Nothing makes new pods any more; those that run are asked to end. Answers how many are left. */
async function drain(runtime: ClusterRuntime): Promise<number> {
  await runtime.loops.stop();
  const asked = podsOf(runtime).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  await eachOf(asked, ({ metadata: { namespace = "", name = "" } }) =>
    runtime.client.delete(pods, namespace, name, { gracePeriodSeconds: 5 }),
  );
  return runtime.cluster.mirror.count(pods);
}

/** What did not end goes without its node's word, and past its finalizers: a machine of a shared pool gets its room back. */
async function drop(runtime: ClusterRuntime): Promise<void> {
  await eachOf(podsOf(runtime), async ({ metadata: { namespace = "", name = "", finalizers } }) => {
    if (finalizers?.length) await runtime.client.patch(pods, namespace, name, { type: "merge", body: { metadata: { finalizers: null } } });
    await runtime.client.delete(pods, namespace, name, { gracePeriodSeconds: 0 });
  });
}

const podsOf = ({ cluster }: ClusterRuntime): Pod[] => cluster.mirror.list(pods).map((stored) => objectOf<Pod>(stored));

async function eachOf(list: readonly Pod[], run: (pod: Pod) => Promise<void>): Promise<void> {
  for (let at = 0; at < list.length; at += deletions) {
    await Promise.all(
      list.slice(at, at + deletions).map(async (pod) => {
        try {
          await run(pod);
        } catch (error) {
          if (!isStatus(error, "NotFound")) throw error;
        }
      }),
    );
  }
}
