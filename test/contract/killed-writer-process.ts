import { randomUUID } from "node:crypto";
import { systemClock } from "../../shared/clock.ts";
import { AwsTable } from "../../shared/store/dynamo/aws-table.ts";
import { DynamoStore } from "../../shared/store/dynamo/dynamo-store.ts";
import { increment } from "./counted-writes.ts";
import { dynamoClient } from "./dynamodb-local.ts";
import { type Death, KillingTable } from "./killing-table.ts";

/** What a writer process is told, as JSON in its first argument, and what it tells: a line for each commit that was acknowledged. */
export interface WriterPlan {
  readonly endpoint: string;
  readonly table: string;
  readonly name: string;
  /** Keys it counts up, one after the other. */
  readonly keys: readonly string[];
  readonly commits: number;
  /** At its second commit. */
  readonly death?: Death;
  /** Objects too large for one item. */
  readonly large?: boolean;
}

async function write(plan: WriterPlan): Promise<void> {
  const table = new KillingTable(new AwsTable(dynamoClient(plan.endpoint), plan.table), () => process.kill(process.pid, "SIGKILL"));
  const store = new DynamoStore({ table, clock: systemClock, random: Math.random, makeId: randomUUID });
  for (let commit = 0; commit < plan.commits; commit++) {
    const name = plan.keys[commit % plan.keys.length] ?? "";
    if (commit === 1 && plan.death) table.arm(plan.death);
    const by = `${plan.name}-${commit}`;
    const revision = await increment(store, name, () => ({ by, ...(plan.large && { padding: noise(500_000) }) }));
    process.send?.({ name, commit: by, revision });
  }
  await store.close();
  process.disconnect();
}

/** Text that does not compress. */
const noise = (length: number): string => Array.from({ length: length / 36 }, () => randomUUID()).join("");

await write(JSON.parse(process.argv[2] ?? "{}") as WriterPlan);
