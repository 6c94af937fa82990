import type { Clock } from "../clock.ts";
import type { ClusterRef, Store } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { putAgenda } from "./agenda.ts";
import type { Turner, TurnOutcome } from "./turner.ts";

export interface TurnManyPorts {
  readonly turner: Pick<Turner, "turn">;
  readonly clock: Clock;
  readonly log: Log;
  /** For the agenda. */
  readonly store: Store;
}

export interface Wanted {
  readonly ref: ClusterRef;
  /** 0: look, whatever is known. */
  readonly revision: number;
  /** How often in a row it failed. */
  readonly failures: number;
}

export type Turned<T> = T & { readonly outcome: TurnOutcome | "failed" | "lost" };

const atOnce = 8;
/** A cluster that fails is looked at again after five seconds (on functions with the next minute), then ten, at the most an hour. */
const backOffMs = { first: 5_000, longest: 3_600_000 } as const;

/**
 * Turns clusters beside each other: one that fails, or whose tenant has more to do than there is time for, keeps none of the others from its turn. What fails
 * goes on the agenda; `lost`: not even that could be written.
 */
export async function turnMany<T extends Wanted>(
  { turner, clock, log, store }: TurnManyPorts,
  wanted: readonly T[],
  untilMs: number,
): Promise<Turned<T>[]> {
  const turned: Turned<T>[] = [];
  const waiting = [...wanted];
  const one = async (each: T): Promise<TurnOutcome | "failed" | "lost"> => {
    const { ref, revision, failures } = each;
    try {
      if (clock.now() < untilMs) return await turner.turn(ref, revision, untilMs);
      await store.writeRecords([putAgenda(ref, clock.now())]);
      return "late";
    } catch (error) {
      log.error("cluster not turned", error, { tenant: ref.tenant, cluster: ref.cluster, failures });
    }
    try {
      const delayMs = Math.min(backOffMs.longest, backOffMs.first * 2 ** failures);
      await store.writeRecords([putAgenda(ref, clock.now() + delayMs, failures + 1)]);
      return "failed";
    } catch (error) {
      log.error("cluster not put on the agenda", error, { tenant: ref.tenant, cluster: ref.cluster });
      return "lost";
    }
  };
  const worker = async (): Promise<void> => {
    for (let each = waiting.shift(); each !== undefined; each = waiting.shift()) turned.push({ ...each, outcome: await one(each) });
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, worker));
  return turned;
}
