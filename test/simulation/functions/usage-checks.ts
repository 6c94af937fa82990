import { rowOfSort, usagePartitions } from "../../../shared/metering/usage-records.ts";
import { numbersAt } from "../../../shared/store/dynamo/attributes.ts";
import { recordPartition } from "../../../shared/store/dynamo/keys.ts";
import type { Item } from "../../../shared/store/dynamo/table.ts";
import type { Violation } from "../history.ts";
import type { RequestCount } from "./client.ts";
import type { FunctionsHost } from "./host.ts";

/** What of a deleted cluster lies in the table, but for the voids that keep late writers out and what tells requests from their repetitions. */
export function leftovers({ dynamo }: FunctionsHost, id: string): string[] {
  return dynamo
    .keys()
    .filter(({ pk }) => pk.includes(id) && !pk.includes("#log#") && !pk.includes("#idempotency#"))
    .map(({ pk, sk }) => `${pk} ${sk}`);
}

/** Of additions in another order. */
const tolerance = 1e-3;

/** No request and no second of a pod is counted twice; what was counted by an instance that died before it wrote may be missing. */
export function* checkUsage({ dynamo }: FunctionsHost, tenant: string, count: RequestCount, podSeconds: number): Generator<Violation> {
  const counted = { apiReads: 0, apiWrites: 0, podSeconds: 0 };
  for (const item of dynamo.range(recordPartition(usagePartitions.hours(tenant)), "", undefined))
    for (const field of ["apiReads", "apiWrites", "podSeconds"] as const) counted[field] += numbersAt(item, "numbers")[field] ?? 0;
  const requests = counted.apiReads + counted.apiWrites;
  const most = count.answered + count.unknown;
  if (requests > most) yield { rule: "usage is counted once", story: `${requests} requests are counted, at most ${most} were answered` };
  if (counted.podSeconds > podSeconds)
    yield {
      rule: "usage is counted once",
      story: `${counted.podSeconds} seconds of pods are counted, there were ${podSeconds} at the most`,
    };
}

/** What is metered of what clusters hold, as it is written. */
export function heldUsage({ dynamo }: FunctionsHost, tenant: string): number {
  let sum = 0;
  for (const item of dynamo.range(recordPartition(usagePartitions.hours(tenant)), "", undefined))
    for (const field of ["podSeconds", "storedByteSeconds"]) sum += numbersAt(item, "numbers")[field] ?? 0;
  return sum;
}

/** Each day that is over has the sums of its hours, and is closed. */
export function* checkDays({ dynamo }: FunctionsHost, tenant: string): Generator<Violation> {
  const rule = "a day is the sum of its hours";
  const rows = (partition: string) => [...dynamo.range(recordPartition(partition), "", undefined)];
  const sums = new Map<string, number>();
  const add = (item: Item, sign: 1 | -1): void => {
    const { period, cluster, pool } = rowOfSort(item.sk.slice(1));
    for (const [field, amount] of Object.entries(numbersAt(item, "numbers"))) {
      const name = `${period.slice(0, 10)}/${cluster}/${pool} ${field}`;
      sums.set(name, (sums.get(name) ?? 0) + sign * amount);
    }
  };
  const hours = rows(usagePartitions.hours(tenant));
  for (const hour of hours) add(hour, 1);
  for (const day of rows(usagePartitions.days(tenant))) add(day, -1);
  if (hours.length === 0) yield { rule, story: "there was no usage" };
  for (const [name, difference] of sums)
    if (Math.abs(difference) > tolerance) yield { rule, story: `${name}: the hours have ${difference} more` };
  for (const { sk } of rows(usagePartitions.openDays(tenant))) yield { rule, story: `${sk.slice(1)} is open` };
}
