import type { Clock } from "../clock.ts";
import { forEachBounded } from "../controllers/bounded.ts";
import type { StoreOf } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { partitions, recordKeys } from "./record-keys.ts";
import { everyRecord, putRecord, writeInChunks } from "./records.ts";

export interface NodeName {
  readonly tenant: string;
  readonly pool: string;
  readonly nodeName: string;
}

/** When each node spoke last. Known at once in this process, written some seconds later, many of a tenant in one transaction: a lost one costs nothing. */
export interface Heartbeats {
  seen(node: NodeName, atMs: number): void;
  /** In milliseconds since 1970, by node name; what other processes wrote included. */
  ofPool(tenant: string, pool: string): Promise<Map<string, number>>;
  /** What this process heard itself, within a day. */
  lastSeen(node: NodeName): number | undefined;
  forget(node: NodeName): void;
  /** Writes what is not written yet. What cannot be is logged, and tried again with the next call while it is recent. */
  flush(): Promise<void>;
}

const flushMs = 10_000;
/** A node that is silent for so long was given up long ago. */
const keptMs = 86_400_000;
/** What is older is not tried again: another process may have heard the node since, and its word is set back by no more than this. */
const triedMs = 30_000;
const tenantsAtOnce = 8;

export function createHeartbeats({ storeOf, clock, log }: { storeOf: StoreOf; clock: Clock; log: Log }): Heartbeats {
  /** Those that spoke last come last. */
  const known = new Map<string, number>();
  const dirty = new Map<string, NodeName>();
  /** Those that could not be written. */
  const again = new Map<string, NodeName>();
  let timerSet = false;
  const idOf = ({ tenant, pool, nodeName }: NodeName) => `${tenant}/${pool}/${nodeName}`;

  function forgetSilent(): void {
    for (const [id, atMs] of known) {
      if (atMs > clock.now() - keptMs) return;
      known.delete(id);
    }
  }

  async function write(tenant: string, nodes: readonly NodeName[]): Promise<void> {
    try {
      // One that was forgotten meanwhile has no record any more.
      const puts = nodes.flatMap((node) => {
        const lastSeenMs = known.get(idOf(node));
        return lastSeenMs === undefined
          ? []
          : [putRecord(recordKeys.heartbeat(tenant, node.pool, node.nodeName), undefined, { lastSeenMs })];
      });
      await writeInChunks(storeOf(tenant), puts);
    } catch (error) {
      for (const node of nodes) if (known.has(idOf(node))) again.set(idOf(node), node);
      log.error("heartbeats not written yet", error, { tenant });
    }
  }

  async function flush(): Promise<void> {
    const recent = [...again].filter(([id]) => (known.get(id) ?? 0) > clock.now() - triedMs);
    const byTenant = Map.groupBy(new Map([...recent, ...dirty]).values(), ({ tenant }) => tenant);
    dirty.clear();
    again.clear();
    await forEachBounded([...byTenant], tenantsAtOnce, ([tenant, nodes]) => write(tenant, nodes));
    forgetSilent();
  }

  return {
    flush,
    seen(node, atMs) {
      const id = idOf(node);
      const lastMs = Math.max(atMs, known.get(id) ?? 0);
      known.delete(id);
      known.set(id, lastMs);
      dirty.set(id, node);
      if (timerSet) return;
      timerSet = true;
      clock.after(flushMs, () => {
        timerSet = false;
        void flush();
      });
    },
    async ofPool(tenant, pool) {
      const times = new Map<string, number>();
      for await (const { sort, value } of everyRecord(storeOf(tenant), partitions.heartbeats(tenant, pool))) {
        const written = typeof value.lastSeenMs === "number" ? value.lastSeenMs : 0;
        times.set(sort, written);
      }
      const prefix = `${tenant}/${pool}/`;
      for (const [id, atMs] of known) {
        if (!id.startsWith(prefix)) continue;
        const nodeName = id.slice(prefix.length);
        times.set(nodeName, Math.max(atMs, times.get(nodeName) ?? 0));
      }
      return times;
    },
    lastSeen: (node) => known.get(idOf(node)),
    forget(node) {
      known.delete(idOf(node));
      dirty.delete(idOf(node));
      again.delete(idOf(node));
    },
  };
}
