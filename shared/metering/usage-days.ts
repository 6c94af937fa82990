import type { Clock } from "../clock.ts";
import { isStoreError, type RecordOperation, type Store, type StoredRecord, type StoreOf } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { type Amounts, addAmounts, type UsageField } from "./amounts.ts";
import { dayMs, dayOf, startOfDay } from "./periods.ts";
import { sumDay } from "./usage-reader.ts";
import { openDayKeys, rowSort, usagePartitions } from "./usage-records.ts";
import { closingDelayMs } from "./usage-writer.ts";

/** What else is to be written when a tenant's day is closed, in the same transaction. */
export type OnDayClosed = (tenant: string, day: string, total: Amounts) => Promise<readonly RecordOperation[]>;

export interface UsageDaysOptions {
  /** For the list of open days, which is every tenant's. */
  readonly store: Store;
  readonly storeOf: StoreOf;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  readonly onClosed: OnDayClosed;
}

/** Usage by hour is kept for so long; by day, for ever. */
export const keptHourDays = 35;
/** Nobody waits longer than this for the outcome of a batch. */
const writerRestMs = 2 * dayMs;
const chunkSize = 50;

/**
 * Gives every day that ended more than an hour ago its own rows, which are the sums of its hours, and lets go of hours that are over a month old. It reads
 * the list of open days, so tenants that used nothing cost nothing; it may be called twice, at once, or die anywhere. Answers how many days it closed.
 */
export async function closeUsageDays(options: UsageDaysOptions): Promise<number> {
  const { store, clock, log } = options;
  // Days that begin before it have ended and are no longer added to.
  const limit = dayOf(clock.now() - closingDelayMs);
  let closed = 0;
  for (let from: string | undefined; ; ) {
    const records: StoredRecord[] = await store.queryRecords(usagePartitions.allOpenDays, {
      to: limit,
      limit: chunkSize,
      ...(from !== undefined && { from }),
    });
    for (const { sort } of records) {
      const [day = "", tenant = ""] = sort.split("/");
      try {
        if (await closeDay(options, tenant, day)) closed++;
      } catch (error) {
        log.error("a day's usage was not summed up", error, { tenant, day });
      }
    }
    const last = records.at(-1);
    if (!last || records.length < chunkSize) return closed;
    from = `${last.sort}\u0000`;
  }
}

async function closeDay({ store, storeOf, clock, onClosed }: UsageDaysOptions, tenant: string, day: string): Promise<boolean> {
  const [open, everywhere] = openDayKeys(tenant, day);
  const [mark] = await store.getRecords([everywhere]);
  if (!mark) return false;
  const its = storeOf(tenant);
  const sums = await sumDay(its, tenant, day);
  const total: Partial<Record<UsageField, number>> = {};
  for (const { amounts } of sums) addAmounts(total, amounts);
  await inChunks(
    its,
    sums.map(
      (sum): RecordOperation => ({
        partition: usagePartitions.days(tenant),
        sort: rowSort(day, sum),
        kind: "put",
        expected: undefined,
        value: { ...sum.amounts },
      }),
    ),
  );
  await letGo(its, tenant, day, clock.now());
  const also = await onClosed(tenant, day, total);
  try {
    await its.writeRecords([
      { ...everywhere, kind: "delete", expected: mark.version },
      { ...open, kind: "delete", expected: undefined },
      ...also,
    ]);
  } catch (error) {
    // Somebody else closed it at the same time.
    if (isStoreError(error, "RevisionConflict")) return false;
    throw error;
  }
  return true;
}

/** Hours that are too old, and counters of writers that are no more. */
async function letGo(store: Store, tenant: string, day: string, nowMs: number): Promise<void> {
  const oldest = dayOf(startOfDay(day) - keptHourDays * dayMs);
  const partition = usagePartitions.hours(tenant);
  for (let more = true; more; ) {
    const old = await store.queryRecords(partition, { to: oldest, limit: 1000 });
    await inChunks(
      store,
      old.map(({ sort }): RecordOperation => ({ partition, sort, kind: "delete", expected: undefined })),
    );
    more = old.length === 1000;
  }
  for (const { sort, version, value, partition } of await store.queryRecords(usagePartitions.writers(tenant))) {
    if (typeof value.atMs === "number" && value.atMs + writerRestMs > nowMs) continue;
    await store.writeRecords([{ partition, sort, kind: "delete", expected: version }]).catch((error: unknown) => {
      if (!isStoreError(error, "RevisionConflict")) throw error;
    });
  }
}

async function inChunks(store: Store, operations: readonly RecordOperation[]): Promise<void> {
  for (let at = 0; at < operations.length; at += chunkSize) await store.writeRecords(operations.slice(at, at + chunkSize));
}
