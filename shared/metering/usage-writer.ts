import type { Clock } from "../clock.ts";
import { isStoreError, type RecordOperation, type StoreOf } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { addAmounts, type UsageField } from "./amounts.ts";
import type { Meter, UsageRow } from "./meter.ts";
import { dayMs, dayOfHour, hourMs, hourOf, startOfDay } from "./periods.ts";
import { openDayKeys, rowSort, usagePartitions } from "./usage-records.ts";

/**
 * Writes what a meter gathered, each amount exactly once: a batch is one transaction with the writer's own counter, so a batch whose answer was lost is
 * known by the counter to be there or not. What a process has gathered and not written when it dies is lost: at most one interval.
 * What cannot be written by half an hour after the end of its day counts for the hour in which it can.
 */
export interface UsageWriter {
  /** Writes what is there to write; nothing when nothing is. What fails stays for the next call. One call after another. */
  flush(): Promise<void>;
}

export interface UsageWriterOptions {
  readonly storeOf: StoreOf;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  readonly meter: Meter;
  /** Names this process (or function instance) for as long as it lives, and no other ever. */
  readonly writerId: string;
}

const rowsInBatch = 40;
const tenantsAtOnce = 8;
/** Days get their rows an hour after their end: nobody adds to their hours any more by then. */
export const closingDelayMs = hourMs;
const bookingDelayMs = closingDelayMs / 2;

interface Pending {
  /** Not tried yet, by sort of the row. */
  readonly waiting: Map<string, UsageRow>;
  /** Tried with an outcome that is not known: nothing is added to it. */
  batch: readonly UsageRow[];
  /** Batches of this writer that are in the rows. */
  written: number;
}

export function createUsageWriter({ storeOf, clock, log, meter, writerId }: UsageWriterOptions): UsageWriter {
  const tenants = new Map<string, Pending>();
  const opened = new Set<string>();
  let running: Promise<void> = Promise.resolve();

  function gather(): void {
    for (const [tenant, rows] of meter.take()) {
      const pending = tenants.get(tenant) ?? { waiting: new Map<string, UsageRow>(), batch: [], written: 0 };
      tenants.set(tenant, pending);
      for (const row of rows) merge(pending.waiting, row);
    }
  }

  /** Rows whose day is about to be closed move to the present. */
  function booked(rows: readonly UsageRow[]): UsageRow[] {
    const nowMs = clock.now();
    const merged = new Map<string, UsageRow>();
    for (const row of rows) {
      const late = startOfDay(dayOfHour(row.hour)) + dayMs + bookingDelayMs <= nowMs;
      merge(merged, late ? { ...row, hour: hourOf(nowMs) } : row);
    }
    return [...merged.values()];
  }

  function operationsFor(tenant: string, rows: readonly UsageRow[], written: number): RecordOperation[] {
    const days = new Set(rows.map(({ hour }) => dayOfHour(hour)).filter((day) => !opened.has(`${day}/${tenant}`)));
    return [
      { partition: usagePartitions.writers(tenant), sort: writerId, kind: "put", expected: written, value: { atMs: clock.now() } },
      ...[...days].flatMap((day) =>
        openDayKeys(tenant, day).map((key): RecordOperation => ({ ...key, kind: "put", expected: undefined, value: { tenant, day } })),
      ),
      ...rows.map(
        (row): RecordOperation => ({
          partition: usagePartitions.hours(tenant),
          sort: rowSort(row.hour, row),
          kind: "add",
          add: { ...row.amounts },
        }),
      ),
    ];
  }

  /** Whether the batch is in the rows now. */
  async function write(tenant: string, pending: Pending): Promise<boolean> {
    const rows = booked(pending.batch);
    try {
      await storeOf(tenant).writeRecords(operationsFor(tenant, rows, pending.written));
    } catch (error) {
      if (!isStoreError(error, "RevisionConflict") || error.index !== 0) throw error;
      const [counter] = await storeOf(tenant).getRecords([{ partition: usagePartitions.writers(tenant), sort: writerId }]);
      const before = pending.written;
      // A writer that rested for long finds its counter swept away, and begins a new one.
      pending.written = counter?.version ?? 0;
      if (pending.written !== before + 1) return false;
      return true;
    }
    for (const { hour } of rows) opened.add(`${dayOfHour(hour)}/${tenant}`);
    pending.written++;
    return true;
  }

  async function flushTenant(tenant: string, pending: Pending): Promise<void> {
    while (pending.batch.length > 0 || pending.waiting.size > 0) {
      if (pending.batch.length === 0) {
        pending.batch = [...pending.waiting.values()].slice(0, rowsInBatch);
        for (const row of pending.batch) pending.waiting.delete(rowSort(row.hour, row));
      }
      if (await write(tenant, pending)) pending.batch = [];
    }
  }

  async function flushAll(): Promise<void> {
    gather();
    const due = [...tenants].filter(([, { batch, waiting }]) => batch.length > 0 || waiting.size > 0);
    const work = async (): Promise<void> => {
      for (let next = due.shift(); next; next = due.shift()) {
        try {
          await flushTenant(...next);
        } catch (error) {
          log.error("usage not written yet", error, { tenant: next[0] });
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(tenantsAtOnce, due.length) }, work));
    const today = dayOfHour(hourOf(clock.now()));
    for (const day of opened) if (day < today) opened.delete(day);
  }

  return {
    flush() {
      running = running.then(flushAll);
      return running;
    },
  };
}

function merge(into: Map<string, UsageRow>, row: UsageRow): void {
  const sort = rowSort(row.hour, row);
  const amounts: Partial<Record<UsageField, number>> = { ...into.get(sort)?.amounts };
  addAmounts(amounts, row.amounts);
  into.set(sort, { ...row, amounts });
}
