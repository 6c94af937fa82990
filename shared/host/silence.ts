import type { Clock } from "../clock.ts";
import type { Heartbeats } from "../platform/heartbeats.ts";
import { isStoreError, type Store } from "../store/store.ts";
import { type ListenedTo, listenedTo, listenNoMore, listenTo } from "./listening.ts";
import type { Turned, Wanted } from "./turn-many.ts";

export interface SilencePorts {
  readonly store: Store;
  readonly heartbeats: Pick<Heartbeats, "ofPool">;
  readonly clock: Clock;
  /** How long a node may be silent. */
  readonly nodeGraceMs: number;
}

export interface Silenced extends Wanted {
  readonly listenedTo: ListenedTo;
}

interface Heard {
  readonly atMs: number;
  /** When each node of the pool counts as silent, unless it speaks before. */
  readonly silentAtMs: readonly number[];
}

/**
 * Finds the clusters of which a machine has fallen silent by the heartbeats of their pools alone. A pool is looked at again when the first of its machines that
 * spoke in time would be silent: those that have come since cannot be before.
 */
export function createSilence({ store, heartbeats, clock, nodeGraceMs }: SilencePorts) {
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

  return {
    /** Clusters with machines: those of which one has fallen silent since their loops last knew, and the others. */
    async look(): Promise<{ silenced: Silenced[]; others: ListenedTo[] }> {
      const silenced: Silenced[] = [];
      const others: ListenedTo[] = [];
      const used = new Set<string>();
      for await (const each of listenedTo(store)) {
        const { ref, heardMs } = each;
        let isSilent = false;
        for (const pool of each.pools) {
          used.add(`${ref.tenant}/${pool}`);
          const { atMs, silentAtMs } = await heard(ref.tenant, pool);
          isSilent ||= silentAtMs.some((ms) => ms > heardMs && ms <= atMs);
        }
        if (isSilent) silenced.push({ ref, revision: 0, failures: 0, listenedTo: { ...each, heardMs: clock.now() } });
        else others.push(each);
      }
      for (const key of pools.keys()) if (!used.has(key)) pools.delete(key);
      return { silenced, others };
    },
    /** Their loops have seen it, or are on the agenda. */
    async noted(turned: readonly Turned<Silenced>[]): Promise<void> {
      for (const {
        outcome,
        listenedTo: { ref, pools: ofCluster, heardMs, version },
      } of turned) {
        if (outcome === "lost") continue;
        try {
          await store.writeRecords([outcome === "gone" ? listenNoMore(ref) : listenTo(ref, ofCluster, heardMs, version)]);
        } catch (error) {
          // The turn itself has written it, with other pools.
          if (!isStoreError(error, "RevisionConflict")) throw error;
        }
      }
    },
  };
}
