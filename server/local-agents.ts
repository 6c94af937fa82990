import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { RunningAgent, RunningFleet } from "../agent/main.ts";
import type { Clock } from "../shared/clock.ts";
import type { JoinTokens } from "../shared/platform/join-tokens.ts";
import type { NodeRegistry } from "../shared/platform/nodes.ts";
import type { Platform } from "../shared/platform/platform.ts";
import { isPlatformError } from "../shared/platform/problem.ts";
import type { PoolRecord } from "../shared/platform/records.ts";
import type { Log } from "../shared/telemetry/log.ts";
import type { LocalAgents } from "./provisioner.ts";

export interface LocalAgentsOptions {
  /** One folder a pool, in it one a node. */
  readonly stateDirectory: string;
  readonly server: () => { readonly url: string; readonly caPem: string };
  readonly joinTokens: () => Pick<JoinTokens, "create">;
  readonly nodes: () => NodeRegistry;
  /** A drain was begun: whoever evicts is not to wait for its next round. */
  readonly wakeDrainer: () => void;
  readonly runtimeEndpoint: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

interface PoolAgents {
  readonly agents: Map<number, RunningAgent>;
  fleet: { readonly running: RunningFleet; readonly size: number } | undefined;
  /** What is to be done next: one thing at a time. */
  work: Promise<void>;
  cancelRetry: () => void;
}

const tokenSeconds = 600;
/** Longer than the grace of a pod that says nothing about it. */
const drainWaitMs = 60_000;
const drainPollMs = 250;
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
  const poolOf = (id: string): PoolAgents => {
    let pool = pools.get(id);
    if (!pool) {
      pool = { agents: new Map(), fleet: undefined, work: Promise.resolve(), cancelRetry: () => {} };
      pools.set(id, pool);
    }
    return pool;
  };
  const folderOf = (pool: string, node?: string): string =>
    node === undefined ? join(options.stateDirectory, pool) : join(options.stateDirectory, pool, node);
  /** The pool may be renamed; its machines keep the names they joined by. */
  const prefixOf = (pool: PoolRecord): string => {
    const file = join(folderOf(pool.id), "prefix");
    if (existsSync(file)) return readFileSync(file, "utf8");
    mkdirSync(folderOf(pool.id), { recursive: true, mode: 0o700 });
    writeFileSync(file, pool.name, { mode: 0o600 });
    return pool.name;
  };
  const nameOf = (pool: PoolRecord, index: number): string => `${prefixOf(pool)}-${index}`;
  const then = (pool: PoolAgents, step: () => Promise<void>): Promise<void> => {
    pool.work = pool.work.then(step, step);
    return pool.work;
  };
  const tokenFor = async (pool: PoolRecord, uses: number): Promise<string> =>
    (await options.joinTokens().create(pool.tenant, pool.id, { ttlSeconds: tokenSeconds, maxUses: uses })).token;
  const base = () => ({ serverUrl: options.server().url, ca: options.server().caPem, clock, log, random: Math.random });

  const startAgents = async (pool: PoolRecord, held: PoolAgents): Promise<void> => {
    const { startAgent } = await import("../agent/main.ts");
    for (let index = 0; index < pool.size && !closing; index++) {
      if (held.agents.has(index)) continue;
      const nodeName = nameOf(pool, index);
      const stateDirectory = folderOf(pool.id, nodeName);
      const start = async (joinToken: string | undefined): Promise<RunningAgent> =>
        startAgent({ ...base(), joinToken, runtime: pool.runtime, runtimeEndpoint: options.runtimeEndpoint, nodeName, stateDirectory });
      const known = existsSync(join(stateDirectory, "identity.json"));
      const agent = await start(known ? undefined : await tokenFor(pool, 1)).catch(async (error: unknown) => {
        if (!known) throw error;
        return start(await tokenFor(pool, 1));
      });
      held.agents.set(index, agent);
    }
  };

  const startFleet = async (pool: PoolRecord, held: PoolAgents): Promise<void> => {
    if (held.fleet?.size === pool.size) return;
    const { startHollowFleet } = await import("../agent/main.ts");
    await held.fleet?.running.stop();
    const joinToken = await tokenFor(pool, Math.max(1, pool.size));
    const running = await startHollowFleet({
      ...base(),
      joinToken,
      count: pool.size,
      namePrefix: prefixOf(pool),
      stateDirectory: folderOf(pool.id),
    });
    held.fleet = { running, size: pool.size };
  };

  /** Evicts its pods as far as budgets allow within a bound, then ends what is left with the node. */
  const removeNode = async (pool: PoolRecord, nodeName: string, agent: RunningAgent | undefined): Promise<void> => {
    const nodes = options.nodes();
    try {
      await nodes.drain(pool.tenant, pool.id, nodeName);
      options.wakeDrainer();
      const deadline = clock.now() + drainWaitMs;
      while (clock.now() < deadline && (await nodes.get(pool.tenant, pool.id, nodeName)).value.drain !== "drained")
        await pause(clock, drainPollMs);
      await agent?.stop({ pods: "end" });
      await nodes.remove(pool.tenant, pool.id, nodeName);
    } catch (error) {
      if (!isPlatformError(error, "not-found")) throw error;
      await agent?.stop({ pods: "end" });
    }
    await rm(folderOf(pool.id, nodeName), { recursive: true, force: true });
  };

  const shrink = async (pool: PoolRecord, held: PoolAgents): Promise<void> => {
    const surplus = [...held.agents.keys()].filter((index) => index >= pool.size).sort((a, b) => b - a);
    for (const index of surplus) {
      await removeNode(pool, nameOf(pool, index), held.agents.get(index));
      held.agents.delete(index);
    }
    const fleetSize = held.fleet?.size ?? 0;
    for (let index = fleetSize - 1; index >= pool.size; index--) await removeNode(pool, nameOf(pool, index), undefined);
  };

  const apply = async (pool: PoolRecord): Promise<void> => {
    const held = poolOf(pool.id);
    await shrink(pool, held);
    if (pool.runtime === "hollow") await startFleet(pool, held);
    else await startAgents(pool, held);
  };

  const stopAll = async (held: PoolAgents, pods: "keep" | "end"): Promise<void> => {
    await Promise.all([...held.agents.values()].map((agent) => agent.stop({ pods })));
    held.agents.clear();
    await held.fleet?.running.stop({ pods });
    held.fleet = undefined;
  };

  /** Until it has its size, or another one is asked for. */
  const bring = async (pool: PoolRecord): Promise<void> => {
    const held = poolOf(pool.id);
    held.cancelRetry();
    try {
      await then(held, () => apply(pool));
    } catch (error) {
      if (closing || pools.get(pool.id) !== held) return;
      log.error("the pool does not have its size yet", error, { pool: pool.id });
      held.cancelRetry();
      held.cancelRetry = clock.after(retryMs, () => void bring(pool));
    }
  };

  return {
    /** Returns at once: machines come and go behind it. */
    resize(pool) {
      void bring(pool);
      return Promise.resolve();
    },
    async remove(pool) {
      const held = poolOf(pool);
      held.cancelRetry();
      await then(held, () => stopAll(held, "end"));
      held.cancelRetry();
      pools.delete(pool);
      await rm(folderOf(pool), { recursive: true, force: true });
    },
    /** Every pool's machines, after a start of the host. */
    async startKnown(platform) {
      for await (const pool of everyPool(platform)) if (pool.size > 0 && !closing) await bring(pool);
    },
    async close() {
      closing = true;
      for (const held of pools.values()) held.cancelRetry();
      await Promise.all([...pools.values()].map((held) => then(held, () => stopAll(held, "keep")).catch(() => {})));
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

const pause = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => clock.after(ms, resolve));
