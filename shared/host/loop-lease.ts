import { z } from "zod";
import type { Clock } from "../clock.ts";
import { clusterPartitions } from "../store/cluster-records.ts";
import { type ClusterRef, isStoreError, type RecordKey, type RecordOperation, type Store } from "../store/store.ts";

/**
 * Who turns a cluster's loops. Time-outs alone would not do: a holder that was frozen does not know that its time is over. So each lease has a
 * token that only grows, and every transaction of its holder is conditional on the token of a *fence*, which taking the lease sets in the same
 * transaction: what an earlier holder still has under way fails. There are several fences, because DynamoDB lets two transactions on
 * one item fail each other; a holder's commits take them in turn.
 */
export interface LoopLeases {
  /**
   * `busy`: another holder has it. It has been told to look once more before it lets go, and `lookAgain` was written with that, in case it has died.
   * `done`: nobody has it, and nothing is left to do up to `revision`. `gone`: there is no such cluster; nothing was written.
   */
  acquire(ref: ClusterRef, revision: number): Promise<LoopLease | { readonly kind: "busy" | "done" | "gone" }>;
}

export interface LoopLease {
  readonly kind: "held";
  readonly token: number;
  /** Up to this revision of the log nothing was left to do when the last holder let go. */
  readonly doneRevision: number;
  /** What the holder remembered for the next. */
  readonly notes: LeaseNotes;
  /** Whether the last holder of this process was the last of all. */
  readonly continued: boolean;
  /** More time. `lost`: another one has it by now. */
  renew(): Promise<"held" | "lost">;
  /** `woken`: somebody came in the meantime; the lease is still held, and there may be work. */
  release(doneRevision: number, notes: LeaseNotes): Promise<"released" | "woken" | "lost">;
  /**
   * Lets it go although somebody came in the meantime: for a holder that has noted another look at the cluster. False: another one has it by now, or too many
   * came; these notes were not written, and those before may still be relied on.
   */
  letGo(doneRevision: number, notes: LeaseNotes): Promise<boolean>;
  /** There is no such cluster: whoever deleted it emptied its records before this lease was taken. Nothing of it is left. */
  discard(): Promise<void>;
}

export interface LeaseNotes {
  /** The sort key of the cluster's agenda item. */
  readonly agenda?: string | undefined;
  /** The pools whose heartbeats are looked after for it. */
  readonly pools: readonly string[];
}

export interface LoopLeaseOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Names this process; never the same twice. */
  readonly holder: string;
  /** Called before a holder is told: notes a look at the cluster once that one's time is over, in case it has died. */
  readonly lookAgain: (ref: ClusterRef, atMs: number) => Promise<void>;
  /** Whether there is such a cluster; asked where nobody ever had its lease, or its records went with it. Absent: yes. */
  readonly exists?: (ref: ClusterRef) => Promise<boolean>;
  readonly leaseMs?: number;
}

export const fences = 4;
const defaultLeaseMs = 30_000;
const tries = 10;

export const fenceKey = (ref: ClusterRef, index: number): RecordKey => ({
  partition: clusterPartitions.loops(ref),
  sort: `fence-${index % fences}`,
});

const leaseRecord = z.object({
  holder: z.string(),
  token: z.number(),
  expiresAtMs: z.number(),
  /** 1: nobody has it; -1: somebody has. A number, so that word to a holder can be conditional on there being one: of a record that is gone it is 0. */
  free: z.number(),
  /** How often somebody came while it was held. */
  wakes: z.number().default(0),
  doneRevision: z.number(),
  agenda: z.string().optional(),
  pools: z.array(z.string()).default([]),
});
type LeaseRecord = z.infer<typeof leaseRecord>;

export function createLoopLeases(options: LoopLeaseOptions): LoopLeases {
  const { store, clock, holder, lookAgain, exists, leaseMs = defaultLeaseMs } = options;
  const keyOf = (ref: ClusterRef): RecordKey => ({ partition: clusterPartitions.loops(ref), sort: "lease" });
  const read = async (ref: ClusterRef): Promise<{ value: LeaseRecord; version: number } | undefined> => {
    const [record] = await store.getRecords([keyOf(ref)]);
    return record && { value: leaseRecord.parse(record.value), version: record.version };
  };

  async function take(ref: ClusterRef, revision: number): Promise<LoopLease | { kind: "busy" | "done" | "gone" }> {
    const found = await read(ref);
    if (!found && exists && !(await exists(ref))) return { kind: "gone" };
    const nowMs = clock.now();
    const last = found?.value;
    if (last && last.free === -1 && last.holder !== holder && last.expiresAtMs > nowMs) {
      await lookAgain(ref, last.expiresAtMs);
      await store.writeRecords([{ ...keyOf(ref), kind: "add", add: { wakes: 1 }, atMost: { free: -1, token: last.token } }]);
      return { kind: "busy" };
    }
    if (last && last.free === 1 && last.doneRevision >= revision) return { kind: "done" };
    const continued = last?.holder === holder;
    const value: LeaseRecord = {
      ...{ holder, token: continued ? last.token : (last?.token ?? 0) + 1, expiresAtMs: nowMs + leaseMs, free: -1, wakes: 0 },
      doneRevision: last?.doneRevision ?? 0,
      ...(last?.agenda !== undefined && { agenda: last.agenda }),
      pools: last?.pools ?? [],
    };
    const put: RecordOperation = { ...keyOf(ref), kind: "put", expected: found?.version ?? 0, value };
    const bars = Array.from(
      { length: continued ? 0 : fences },
      (_, index): RecordOperation => ({ ...fenceKey(ref, index), kind: "put", expected: undefined, value: { token: value.token } }),
    );
    const [version = 1] = await store.writeRecords([put, ...bars]);
    return held(ref, value, version, continued);
  }

  function held(ref: ClusterRef, first: LeaseRecord, firstVersion: number, continued: boolean): LoopLease {
    let current = first;
    let version = firstVersion;
    /** Writes the lease if it is still this holder's; `woken` where it is, but somebody came. */
    const write = async (next: LeaseRecord): Promise<"written" | "woken" | "lost"> => {
      try {
        [version = version + 1] = await store.writeRecords([{ ...keyOf(ref), kind: "put", expected: version, value: next }]);
        current = next;
        return "written";
      } catch (error) {
        if (!isStoreError(error, "RevisionConflict")) throw error;
        const found = await read(ref);
        if (!found || found.value.holder !== holder || found.value.token !== current.token || found.value.free === 1) return "lost";
        current = found.value;
        version = found.version;
        return "woken";
      }
    };
    const release: LoopLease["release"] = async (doneRevision, { agenda, pools }) => {
      const { agenda: _, ...rest } = current;
      // What came while it was held was told by a version: this write is conditional on none having come.
      const notes = { pools: [...pools], ...(agenda !== undefined && { agenda }) };
      const outcome = await write({ ...rest, wakes: 0, free: 1, doneRevision, ...notes });
      return outcome === "written" ? "released" : outcome;
    };
    return {
      ...{ kind: "held", token: first.token, doneRevision: first.doneRevision, continued },
      notes: { agenda: first.agenda, pools: first.pools },
      async renew() {
        for (let attempt = 0; attempt < tries; attempt++) {
          const outcome = await write({ ...current, expiresAtMs: clock.now() + leaseMs });
          if (outcome !== "woken") return outcome === "lost" ? "lost" : "held";
        }
        return "held";
      },
      release,
      async letGo(doneRevision, notes) {
        for (let attempt = 0; attempt < tries; attempt++) {
          const outcome = await release(doneRevision, notes);
          if (outcome !== "woken") return outcome === "released";
        }
        return false;
      },
      async discard() {
        const all = [keyOf(ref), ...Array.from({ length: fences }, (_, index) => fenceKey(ref, index))];
        await store.writeRecords(all.map((key) => ({ ...key, kind: "delete", expected: undefined })));
      },
    };
  }

  return {
    async acquire(ref, revision) {
      for (let attempt = 0; ; attempt++) {
        try {
          return await take(ref, revision);
        } catch (error) {
          if (!isStoreError(error, "RevisionConflict") || attempt === tries) throw error;
        }
      }
    },
  };
}

/** One small read. */
export async function hasCluster(store: Pick<Store, "head">, ref: ClusterRef): Promise<boolean> {
  try {
    await store.head(ref);
    return true;
  } catch (error) {
    if (isStoreError(error, "NoSuchCluster")) return false;
    throw error;
  }
}
