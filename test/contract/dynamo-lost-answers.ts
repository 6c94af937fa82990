import { randomUUID } from "node:crypto";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { expect } from "vitest";
import { systemClock } from "../../shared/clock.ts";
import type { KubernetesObject } from "../../shared/kubernetes/object.ts";
import { AwsTable } from "../../shared/store/dynamo/aws-table.ts";
import { DynamoStore } from "../../shared/store/dynamo/dynamo-store.ts";
import type { DynamoEmulator } from "./dynamodb-local.ts";

const cluster = { tenant: "t", cluster: "c" };
const keyOf = (name: string) => ({ group: "", resource: "configmaps", namespace: "n", name });
const objectOf = (name: string): KubernetesObject => ({ kind: "ConfigMap", apiVersion: "v1", metadata: { name } });
const usage = { partition: "t#usage", sort: "counts" };

/**
 * The answer of every writing request is lost once, after DynamoDB has done it. Whoever repeats it, the SDK with the same `ClientRequestToken` or the
 * store by its own retries: nothing is written twice, and nobody is told of a failure.
 */
export async function checkLostAnswers(emulator: DynamoEmulator, table: string): Promise<void> {
  const open = (client: DynamoDBClient) =>
    new DynamoStore({ table: new AwsTable(client, table), clock: systemClock, random: Math.random, makeId: randomUUID });
  const calm = open(emulator.client());
  await calm.createCluster(cluster);
  let names = 0;
  for (const maxAttempts of [3, 1]) {
    const client = emulator.client({ maxAttempts });
    const lost = loseAnswers(client);
    const store = open(client);
    for (let round = 1; round <= 3; round++) {
      const name = `c${names++}`;
      const [made] = await store.commit(
        cluster,
        [{ kind: "put", key: keyOf(name), expected: 0, object: objectOf(name) }],
        [{ ...usage, kind: "add", add: { objects: 1 } }],
      );
      await store.writeRecords([{ ...usage, kind: "add", add: { writes: 1 } }]);
      const [, second] = await store.writeRecords([
        { partition: "t#x", sort: name, kind: "put", expected: 0, value: {} },
        { partition: "t#y", sort: name, kind: "put", expected: 0, value: {} },
      ]);
      expect(second).toBe(1);
      await store.commit(cluster, [{ kind: "delete", key: keyOf(name), expected: made?.revision ?? 0, object: objectOf(name) }]);
    }
    expect(lost.tokens.length).toBeGreaterThanOrEqual(12);
    expect(new Set(lost.tokens).size).toBe(lost.tokens.length);
    expect(lost.repeated()).toBe(lost.tokens.length);
    await store.close();
  }
  const [counts] = await calm.getRecords([usage]);
  expect(counts?.value).toEqual({ objects: names, writes: names });
  const { revision } = await calm.head(cluster);
  const { entries, through } = await calm.readLog(cluster, 1, 1000);
  expect(through).toBe(revision);
  expect(entries.map(({ key, type }) => `${key.name} ${type}`)).toEqual(
    Array.from({ length: names }, (_, index) => [`c${index} ADDED`, `c${index} DELETED`]).flat(),
  );
  await calm.close();
}

/** Fails, as a broken connection does, the first answer to each transaction and to each update. */
function loseAnswers(client: DynamoDBClient) {
  const tokens: string[] = [];
  let repeated = 0;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const { ClientRequestToken: token } = args.input as { ClientRequestToken?: string };
      const answer = await next(args);
      if (context.commandName !== "TransactWriteItemsCommand" || token === undefined) return answer;
      if (tokens.includes(token)) {
        repeated++;
        return answer;
      }
      tokens.push(token);
      throw Object.assign(new Error("socket hang up"), { name: "TimeoutError", code: "ECONNRESET" });
    },
    { step: "deserialize", priority: "low", name: "loseAnswers" },
  );
  return { tokens, repeated: () => repeated };
}
