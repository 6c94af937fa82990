import { randomUUID } from "node:crypto";
import { systemClock } from "../../shared/clock.ts";
import type { ObjectKey } from "../../shared/kubernetes/object.ts";
import { AwsTable } from "../../shared/store/dynamo/aws-table.ts";
import { DynamoStore } from "../../shared/store/dynamo/dynamo-store.ts";
import { isStoreError } from "../../shared/store/store.ts";
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

const cluster = { tenant: "t", cluster: "c" };
const tryAgain = ["RevisionConflict", "Throttled", "Unavailable"] as const;

async function write(plan: WriterPlan): Promise<void> {
  const table = new KillingTable(new AwsTable(dynamoClient(plan.endpoint), plan.table), () => process.kill(process.pid, "SIGKILL"));
  const store = new DynamoStore({ table, clock: systemClock, random: Math.random, makeId: randomUUID });
  for (let commit = 0; commit < plan.commits; commit++) {
    const name = plan.keys[commit % plan.keys.length] ?? "";
    if (commit === 1 && plan.death) table.arm(plan.death);
    const revision = await increment(store, name, `${plan.name}-${commit}`, plan.large === true);
    process.send?.({ name, commit: `${plan.name}-${commit}`, revision });
  }
  await store.close();
  process.disconnect();
}

async function increment(store: DynamoStore, name: string, by: string, large: boolean): Promise<number> {
  const key: ObjectKey = { group: "", resource: "configmaps", namespace: "n", name };
  for (;;) {
    try {
      const [current] = await store.latest(cluster, [key]);
      const value = Number(current?.object.metadata.annotations?.value ?? 0) + 1;
      const annotations = { value: String(value), by, ...(large && { padding: noise(500_000) }) };
      const object = { kind: "ConfigMap", apiVersion: "v1", metadata: { name, annotations } };
      const [entry] = await store.commit(cluster, [{ kind: "put", key, expected: current?.revision ?? 0, object }]);
      return entry?.revision ?? 0;
    } catch (error) {
      if (!tryAgain.some((code) => isStoreError(error, code))) throw error;
    }
  }
}

/** Text that does not compress. */
const noise = (length: number): string => Array.from({ length: length / 36 }, () => randomUUID()).join("");

await write(JSON.parse(process.argv[2] ?? "{}") as WriterPlan);
