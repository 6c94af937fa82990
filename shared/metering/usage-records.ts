import type { RecordKey } from "../store/store.ts";

/** Whose usage it is; empty: none. A machine that several clusters may use counts for its pool alone. */
export interface UsageSubject {
  readonly cluster: string;
  readonly pool: string;
}

/**
 * Where usage lies. Rows of hours and days have their amounts as numbers of the record. A day is *open* from the first row that is written of it until
 * it has rows of its own, which is an hour after its end: until then its hours are what counts, from then on its rows.
 */
export const usagePartitions = {
  hours: (tenant: string): string => `${tenant}#usage-hours`,
  days: (tenant: string): string => `${tenant}#usage-days`,
  /** Days that are open; sort: the day. */
  openDays: (tenant: string): string => `${tenant}#usage-open`,
  /** Writers and how many batches of each are in the rows. */
  writers: (tenant: string): string => `${tenant}#usage-writers`,
  /** Open days of all tenants; sort: `{day}/{tenant}`. */
  allOpenDays: "platform#usage-open",
} as const;

export const rowSort = (period: string, { cluster, pool }: UsageSubject): string => `${period}/${cluster}/${pool}`;

export function rowOfSort(sort: string): UsageSubject & { readonly period: string } {
  const [period = "", cluster = "", pool = ""] = sort.split("/");
  return { period, cluster, pool };
}

export const openDayKeys = (tenant: string, day: string): readonly [RecordKey, RecordKey] => [
  { partition: usagePartitions.openDays(tenant), sort: day },
  { partition: usagePartitions.allOpenDays, sort: `${day}/${tenant}` },
];
