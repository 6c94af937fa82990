import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Platform } from "../shared/platform/platform.ts";
import type { PoolRecord } from "../shared/platform/records.ts";
import { createPoolMachines, type PoolMachines, type PoolMachinesOptions } from "./pool-machines.ts";
import type { LocalAgents } from "./provisioner.ts";

export interface LocalAgentsOptions extends Omit<PoolMachinesOptions, "folder" | "closing" | "onLost"> {
  /** One folder a pool. */
  readonly stateDirectory: string;
}

interface PoolAgents {
  readonly machines: PoolMachines;
  /** What was asked for last. */
  wanted: PoolRecord | undefined;
  /** What is to be done next: one thing at a time. */
  work: Promise<void>;
  cancelRetry: () => void;
}

/** A container runtime may start after this host. */
const retryMs = 5_000;
const pageSize = 500;

/** The machines of the embedded host: agents in this process that talk to it over HTTPS like any other. */
export function createLocalAgents(
  options: LocalAgentsOptions,
): LocalAgents & { startKnown(platform: Platform): Promise<void>; close(): Promise<void> } {
  const { clock, log } = options;
  const pools = new Map<string, PoolAgents>();
  let closing = false;
  const folderOf = (pool: string): string => join(options.stateDirectory, pool);
  const poolOf = (id: string): PoolAgents => {
    const known = pools.get(id);
    if (known) return known;
    const machines = createPoolMachines({ ...options, folder: folderOf(id), closing: () => closing, onLost: () => void bring(id) });
    const made: PoolAgents = { machines, wanted: undefined, work: Promise.resolve(), cancelRetry: () => {} };
    pools.set(id, made);
    return made;
  };
  const then = (pool: PoolAgents, step: () => Promise<void>): Promise<void> => {
    pool.work = pool.work.then(step, step);
    return pool.work;
  };

  /** Until the pool is as was asked for last. */
  const bring = async (id: string): Promise<void> => {
    const held = pools.get(id);
    if (closing || !held) return;
    held.cancelRetry();
    try {
      await then(held, async () => {
        if (held.wanted) await held.machines.bringTo(held.wanted);
      });
    } catch (error) {
      if (closing || pools.get(id) !== held) return;
      log.error("the pool does not have its size yet", error, { pool: id });
      held.cancelRetry();
      held.cancelRetry = clock.after(retryMs, () => void bring(id));
    }
  };
  const want = (pool: PoolRecord): Promise<void> => {
    poolOf(pool.id).wanted = pool;
    return bring(pool.id);
  };

  return {
    /** Returns at once: machines come and go behind it. */
    resize(pool) {
      void want(pool);
      return Promise.resolve();
    },
    async remove(pool) {
      const held = poolOf(pool);
      held.wanted = undefined;
      held.cancelRetry();
      await then(held, () => held.machines.stop("end"));
      held.cancelRetry();
      pools.delete(pool);
      await rm(folderOf(pool), { recursive: true, force: true });
    },
    /** Every pool's machines, after a start of the host. */
    async startKnown(platform) {
      for await (const pool of everyPool(platform)) if (!closing) await want(pool);
    },
    async close() {
      closing = true;
      for (const held of pools.values()) held.cancelRetry();
      await Promise.all([...pools.values()].map((held) => then(held, () => held.machines.stop("keep")).catch(() => {})));
    },
  };
}

async function* everyPool({ tenants, pools }: Platform): AsyncGenerator<PoolRecord> {
  for (let from: string | undefined, more = true; more; ) {
    const page = await tenants.list({ from, limit: pageSize });
    for (const tenant of page.items) yield* poolsOf(pools, tenant.value.id);
    from = page.next;
    more = from !== undefined;
  }
}

async function* poolsOf(pools: Platform["pools"], tenant: string): AsyncGenerator<PoolRecord> {
  for (let from: string | undefined, more = true; more; ) {
    const page = await pools.list(tenant, { from, limit: pageSize });
    for (const { value } of page.items) yield value;
    from = page.next;
    more = from !== undefined;
  }
}
