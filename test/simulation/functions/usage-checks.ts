import { usagePartitions } from "../../../shared/metering/usage-records.ts";
import { numbersAt } from "../../../shared/store/dynamo/attributes.ts";
import { recordPartition } from "../../../shared/store/dynamo/keys.ts";
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

/** No request is counted twice; what was counted by an instance that died before it wrote may be missing. */
export function* checkUsage({ dynamo }: FunctionsHost, tenant: string, count: RequestCount): Generator<Violation> {
  let counted = 0;
  for (const item of dynamo.range(recordPartition(usagePartitions.hours(tenant)), "", undefined))
    for (const field of ["apiReads", "apiWrites"]) counted += numbersAt(item, "numbers")[field] ?? 0;
  const most = count.answered + count.unknown;
  if (counted > most) yield { rule: "usage is counted once", story: `${counted} requests are counted, at most ${most} were answered` };
}
