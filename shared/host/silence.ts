import type { Clock } from "../clock.ts";
import { forEachBounded } from "../controllers/bounded.ts";
import type { Heartbeats } from "../platform/heartbeats.ts";
import { isStoreError, type Store } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { type ListenedTo, listenedTo, listenNoMore, listenTo } from "./listening.ts";
import type { Turned, Wanted } from "./turn-many.ts";

export interface SilencePorts {
  readonly store: Store;
  readonly heartbeats: Pick<Heartbeats, "ofPool">;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a node may be silent. */
  readonly nodeGraceMs: number;
}

export interface Silenced extends Wanted {
  readonly listenedTo: ListenedTo;
}

const tenantsAtOnce = 8;
const notesAtOnce = 16;

interface Heard {
  readonly atMs: number;
  /** When each node of the pool counts as silent, unless it speaks before. */
  readonly silentAtMs: readonly number[];
}

/**
 * Finds the clusters of which a machine has fallen silent by the heartbeats of their pools alone. A pool is looked at again when the first of its machines that
 * spoke in time would be silent: those that have come since cannot be before.
 */
export function createSilence({ store, heartbeats, clock, log, nodeGraceMs }: SilencePorts) {
  const pools = new Map<string, Heard>();

  async function heard(tenant: string, pool: string): Promise<Heard> {
    const key = `${tenant}/${pool}`;
    const known = pools.get(key);
    const nowMs = clock.now();
    if (known && ![known.atMs + nodeGraceMs, ...known.silentAtMs].some((ms) => ms > known.atMs && ms <= nowMs)) return known;
    const times = await heartbeats.ofPool(tenant, pool);
    const fresh: Heard = { atMs: nowMs, silentAtMs: [...times.values()].map((ms) => ms + nodeGraceMs) };
    pools.set(key, fresh);
    return fresh;
  }

  async function isSilent({ ref, pools: ofCluster, heardMs }: ListenedTo): Promise<boolean> {
    let found = false;
    for (const pool of ofCluster) {
      const { atMs, silentAtMs } = await heard(ref.tenant, pool);
      found ||= silentAtMs.some((ms) => ms > heardMs && ms <= atMs);
    }
    return found;
  }

  async function note({ outcome, listenedTo: { ref, pools: ofCluster, heardMs, version } }: Turned<Silenced>): Promise<void> {
    if (outcome === "lost") return;
    try {
      await store.writeRecords([outcome === "gone" ? listenNoMore(ref) : listenTo(ref, ofCluster, heardMs, version)]);
    } catch (error) {
      // The turn itself has written it, with other pools.
      if (!isStoreError(error, "RevisionConflict")) log.error("silence of a cluster not noted", error, { ...ref });
    }
  }

  return {
    /**
     * Clusters with machines: those of which one has fallen silent since their loops last knew, and the others. Among those is one whose heartbeats cannot be
     * read: it keeps no other waiting, and is looked at again.
     */
    async look(): Promise<{ silenced: Silenced[]; others: ListenedTo[] }> {
      const silenced: Silenced[] = [];
      const others: ListenedTo[] = [];
      const all = await Array.fromAsync(listenedTo(store));
      const isKnownSilent = (each: ListenedTo): Promise<boolean> =>
        isSilent(each).catch((error: unknown) => {
          log.error("heartbeats of a cluster's pools not read", error, { ...each.ref });
          return false;
        });
      await forEachBounded([...Map.groupBy(all, ({ ref }) => ref.tenant).values()], tenantsAtOnce, async (ofTenant) => {
        for (const each of ofTenant) {
          if (!(await isKnownSilent(each))) others.push(each);
          else silenced.push({ ref: each.ref, revision: 0, failures: 0, listenedTo: { ...each, heardMs: clock.now() } });
        }
      });
      const used = new Set(all.flatMap(({ ref, pools: ofCluster }) => ofCluster.map((pool) => `${ref.tenant}/${pool}`)));
      for (const key of pools.keys()) if (!used.has(key)) pools.delete(key);
      return { silenced, others };
    },
    /** Their loops have seen it, or are on the agenda. One that cannot be noted is found again by the next look. */
    async noted(turned: readonly Turned<Silenced>[]): Promise<void> {
      await forEachBounded(turned, notesAtOnce, note);
    },
  };
}
