import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RunningAgent, RunningFleet } from "../agent/main.ts";
import { readIdentities, writeIdentities } from "../agent/node-identity.ts";
import { type Clock, sleep } from "../shared/clock.ts";
import { forEachBounded } from "../shared/controllers/bounded.ts";
import type { JoinTokens } from "../shared/platform/join-tokens.ts";
import type { NodeRegistry } from "../shared/platform/nodes.ts";
import { isPlatformError } from "../shared/platform/problem.ts";
import type { PoolRecord } from "../shared/platform/records.ts";
import type { Log } from "../shared/telemetry/log.ts";

export interface PoolMachinesOptions {
  /** The pool's own: in it one folder a node. */
  readonly folder: string;
  readonly server: () => { readonly url: string; readonly caPem: string };
  readonly joinTokens: () => Pick<JoinTokens, "create">;
  readonly nodes: () => Pick<NodeRegistry, "get" | "drain" | "remove">;
  /** A drain was begun: whoever evicts is not to wait for its next round. */
  readonly wakeDrainer: () => void;
  readonly runtimeEndpoint: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Nothing more is to be started. */
  readonly closing: () => boolean;
  /** Somebody took a machine out of the pool: there is one too few. */
  readonly onLost: () => void;
}

/** The machines of one pool, by number; never asked for two things at once. */
export interface PoolMachines {
  /** Takes out what is too many, be it of an earlier run, then starts what is missing. */
  bringTo(pool: PoolRecord): Promise<void>;
  stop(pods: "keep" | "end"): Promise<void>;
}

interface Machine {
  readonly index: number;
  readonly name: string;
  /** One of a fleet in one agent; all others have an agent and a folder of their own. */
  readonly hollow: boolean;
}

const tokenSeconds = 600;
/** Longer than the grace of a pod that says nothing about it. */
const drainWaitMs = 60_000;
const drainPollMs = 250;
const atOnce = 16;

export function createPoolMachines(options: PoolMachinesOptions): PoolMachines {
  const { folder, clock, log } = options;
  const agents = new Map<number, RunningAgent>();
  const lost = new Set<number>();
  let fleet: { readonly running: RunningFleet; readonly size: number } | undefined;
  const identities = join(folder, "identity.json");
  const tokenFor = async (pool: PoolRecord, uses: number): Promise<string> =>
    (await options.joinTokens().create(pool.tenant, pool.id, { ttlSeconds: tokenSeconds, maxUses: uses })).token;
  const base = () => ({ serverUrl: options.server().url, ca: options.server().caPem, clock, log, random: Math.random });

  /** The pool may be renamed; its machines keep the names they joined by. */
  const prefixOf = (pool: PoolRecord): string => {
    const file = join(folder, "prefix");
    if (existsSync(file)) return readFileSync(file, "utf8");
    if (pool.size === 0) return pool.name;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(file, pool.name, { mode: 0o600 });
    return pool.name;
  };

  /** Those that have joined from here, whether or not they run. */
  const known = async (prefix: string): Promise<Machine[]> => {
    const indexOf = (name: string): number => (name.startsWith(`${prefix}-`) ? Number(name.slice(prefix.length + 1)) : Number.NaN);
    const machine = (name: string, hollow: boolean): Machine[] =>
      Number.isInteger(indexOf(name)) ? [{ index: indexOf(name), name, hollow }] : [];
    const entries = existsSync(folder) ? await readdir(folder, { withFileTypes: true }) : [];
    return [
      ...entries.flatMap((entry) => (entry.isDirectory() ? machine(entry.name, false) : [])),
      ...Object.keys(await readIdentities(identities)).flatMap((name) => machine(name, true)),
    ];
  };

  const startAgents = async (pool: PoolRecord, prefix: string, indices: Iterable<number>): Promise<void> => {
    for (const index of indices) {
      if (agents.has(index) || options.closing()) continue;
      const { startAgent } = await import("../agent/main.ts");
      const nodeName = `${prefix}-${index}`;
      const stateDirectory = join(folder, nodeName);
      const start = async (joinToken: string | undefined): Promise<RunningAgent> =>
        startAgent({ ...base(), joinToken, runtime: pool.runtime, runtimeEndpoint: options.runtimeEndpoint, nodeName, stateDirectory });
      const joined = existsSync(join(stateDirectory, "identity.json"));
      const agent = await start(joined ? undefined : await tokenFor(pool, 1)).catch(async (error: unknown) => {
        if (!joined) throw error;
        return start(await tokenFor(pool, 1));
      });
      agents.set(index, agent);
      void agent.removed.then(() => {
        if (agents.get(index) !== agent) return;
        lost.add(index);
        options.onLost();
      });
    }
  };

  const startFleet = async (pool: PoolRecord, prefix: string): Promise<void> => {
    if (fleet?.size === pool.size) return;
    await fleet?.running.stop();
    fleet = undefined;
    if (pool.size === 0 || options.closing()) return;
    const { startHollowFleet } = await import("../agent/main.ts");
    const joinToken = await tokenFor(pool, pool.size);
    const running = await startHollowFleet({ ...base(), joinToken, count: pool.size, namePrefix: prefix, stateDirectory: folder });
    fleet = { running, size: pool.size };
  };

  /** Ends what a machine runs. */
  const end = async (index: number): Promise<void> => {
    const agent = agents.get(index);
    agents.delete(index);
    try {
      await agent?.stop({ pods: "end" });
    } catch (error) {
      // It may still run something: whoever tries again has to end this one, and start no other beside it.
      if (agent) agents.set(index, agent);
      throw error;
    }
  };
  const forget = (name: string): Promise<void> => rm(join(folder, name), { recursive: true, force: true });

  const isDrained = async (pool: PoolRecord, name: string): Promise<boolean> =>
    (await options.nodes().get(pool.tenant, pool.id, name)).value.drain === "drained";

  /** Evicts their pods as far as budgets allow within a bound, then ends what is left with the nodes. */
  const takeOut = async (pool: PoolRecord, prefix: string, machines: readonly Machine[]): Promise<void> => {
    const nodes = options.nodes();
    // Only an agent that runs ends the pods of its machine.
    const own = machines.filter(({ hollow }) => !hollow).map(({ index }) => index);
    if (own.length > 0) await startAgents(pool, prefix, own);
    // First all of them: what has to leave one must not go to another.
    await each(machines, async ({ name }) => void (await nodes.drain(pool.tenant, pool.id, name)));
    options.wakeDrainer();
    const deadline = clock.now() + drainWaitMs;
    await each(machines, async ({ index, name, hollow }) => {
      const runs = hollow ? index < (fleet?.size ?? 0) : agents.has(index);
      while (runs && !options.closing() && clock.now() < deadline && !(await isDrained(pool, name))) await sleep(clock, drainPollMs);
    });
    // The next run of the host goes on with it.
    if (options.closing()) return;
    await each(machines, async ({ index, name, hollow }) => {
      if (!hollow) await end(index);
      // While the folder is there the machine is known: what fails before it goes is tried again.
      await ifKnown(nodes.remove(pool.tenant, pool.id, name));
      if (!hollow) await forget(name);
    });
    const gone = new Set(machines.filter(({ hollow }) => hollow).map(({ name }) => name));
    if (gone.size === 0) return;
    const left = Object.entries(await readIdentities(identities)).filter(([name]) => !gone.has(name));
    await writeIdentities(identities, Object.fromEntries(left));
  };

  return {
    async bringTo(pool) {
      const prefix = prefixOf(pool);
      const hollow = pool.runtime === "hollow";
      for (const index of lost) {
        await end(index);
        await forget(`${prefix}-${index}`);
        lost.delete(index);
      }
      const surplus = (await known(prefix)).filter((machine) => machine.index >= pool.size || machine.hollow !== hollow);
      if (surplus.length > 0) await takeOut(pool, prefix, surplus);
      if (hollow) return startFleet(pool, prefix);
      await fleet?.running.stop();
      fleet = undefined;
      await startAgents(pool, prefix, Array(pool.size).keys());
    },
    async stop(pods) {
      await Promise.all([...agents.values()].map((agent) => agent.stop({ pods })));
      agents.clear();
      await fleet?.running.stop({ pods });
      fleet = undefined;
    },
  };
}

async function each(machines: readonly Machine[], run: (machine: Machine) => Promise<void>): Promise<void> {
  const [failure] = await forEachBounded(machines, atOnce, (machine) => ifKnown(run(machine)));
  if (failure !== undefined) throw failure;
}

/** A machine that the pool does not know is as good as taken out. */
async function ifKnown(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isPlatformError(error, "not-found")) throw error;
  }
}
