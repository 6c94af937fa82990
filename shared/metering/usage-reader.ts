import type { Store, StoredRecord } from "../store/store.ts";
import { type Amounts, addAmounts, amountsOf, type UsageField } from "./amounts.ts";
import { dayMs, dayOf, dayOfHour, hourMs, hourOf } from "./periods.ts";
import { rowOfSort, type UsageSubject, usagePartitions } from "./usage-records.ts";

export type UsageGranularity = "hour" | "day";
export type UsageGrouping = "tenant" | "cluster" | "pool";

export interface UsageQuery {
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  readonly granularity: UsageGranularity;
  readonly groupBy: UsageGrouping;
  readonly limit: number;
  /** `next` of the page before. */
  readonly from?: string | undefined;
}

/** Usage of a period, of one group. Empty names: of no cluster, of no pool, or of all. */
export interface UsageSum extends UsageSubject {
  readonly period: string;
  readonly amounts: Amounts;
}

export interface UsagePage {
  readonly items: readonly UsageSum[];
  readonly next: string | undefined;
}

const pageRecords = 1000;

/** What was used between two moments, by hours or days that begin in between; ascending by period and group. Periods without usage are left out. */
export async function readUsage(store: Store, tenant: string, query: UsageQuery): Promise<UsagePage> {
  const { granularity, groupBy, limit } = query;
  const [resumed = "", resumedGroup = ""] = query.from?.split("/") ?? [];
  const from = resumed || periodFrom(granularity, query.fromMs);
  const to = periodFrom(granularity, query.toMs);
  const items: UsageSum[] = [];
  const rows = granularity === "hour" ? rowsOf(store, usagePartitions.hours(tenant), from, to) : rowsByDay(store, tenant, from, to);
  for await (const sums of groupsOf(rows, groupBy)) {
    for (const sum of sums) {
      if (sum.period === resumed && groupName(sum, groupBy) < resumedGroup) continue;
      if (items.length === limit) return { items, next: `${sum.period}/${groupName(sum, groupBy)}` };
      items.push(sum);
    }
  }
  return { items, next: undefined };
}

/** The first period that begins at this moment or later. */
const periodFrom = (granularity: UsageGranularity, atMs: number): string =>
  granularity === "hour" ? hourOf(Math.ceil(atMs / hourMs) * hourMs) : dayOf(Math.ceil(atMs / dayMs) * dayMs);

const groupName = ({ cluster, pool }: UsageSubject, groupBy: UsageGrouping): string =>
  groupBy === "tenant" ? "" : groupBy === "cluster" ? cluster : pool;

async function* rowsOf(store: Store, partition: string, from: string, to: string): AsyncGenerator<UsageSum> {
  for (let start: string | undefined = from; start !== undefined && start < to; ) {
    const records: StoredRecord[] = await store.queryRecords(partition, { from: start, to, limit: pageRecords + 1 });
    for (const { sort, value } of records.slice(0, pageRecords)) yield { ...rowOfSort(sort), amounts: amountsOf(value) };
    start = records[pageRecords]?.sort;
  }
}

/** Rows of days, and for days that have none yet, those of their hours. */
async function* rowsByDay(store: Store, tenant: string, from: string, to: string): AsyncGenerator<UsageSum> {
  let at = from;
  for (const { sort: day } of await store.queryRecords(usagePartitions.openDays(tenant), { from, to })) {
    yield* rowsOf(store, usagePartitions.days(tenant), at, day);
    for await (const row of hoursOfDay(store, tenant, day)) yield { ...row, period: day };
    at = `${day}~`;
  }
  yield* rowsOf(store, usagePartitions.days(tenant), at, to);
}

export const hoursOfDay = (store: Store, tenant: string, day: string): AsyncGenerator<UsageSum> =>
  rowsOf(store, usagePartitions.hours(tenant), `${day}T`, `${day}U`);

/** The groups of one period after another, each sorted by name. */
async function* groupsOf(rows: AsyncGenerator<UsageSum>, groupBy: UsageGrouping): AsyncGenerator<UsageSum[]> {
  let period: string | undefined;
  let groups = new Map<string, UsageSubject & { amounts: Partial<Record<UsageField, number>> }>();
  const done = (): UsageSum[] => [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => ({ period: period ?? "", ...group }));
  for await (const row of rows) {
    if (row.period !== period && groups.size > 0) {
      yield done();
      groups = new Map();
    }
    period = row.period;
    const name = groupName(row, groupBy);
    const group = groups.get(name) ?? {
      cluster: groupBy === "cluster" ? row.cluster : "",
      pool: groupBy === "pool" ? row.pool : "",
      amounts: {},
    };
    addAmounts(group.amounts, row.amounts);
    groups.set(name, group);
  }
  if (groups.size > 0) yield done();
}

/** What a day's hours add up to, by subject. */
export async function sumDay(store: Store, tenant: string, day: string): Promise<UsageSum[]> {
  const sums = new Map<string, UsageSubject & { amounts: Partial<Record<UsageField, number>> }>();
  for await (const { period, cluster, pool, amounts } of hoursOfDay(store, tenant, day)) {
    if (dayOfHour(period) !== day) continue;
    const name = `${cluster}/${pool}`;
    const sum = sums.get(name) ?? { cluster, pool, amounts: {} };
    addAmounts(sum.amounts, amounts);
    sums.set(name, sum);
  }
  return [...sums.values()].map((sum) => ({ period: day, ...sum }));
}
