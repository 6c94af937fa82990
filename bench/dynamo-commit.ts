import { randomUUID } from "node:crypto";
import { type DynamoDBClient, TransactWriteItemsCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { systemClock } from "../shared/clock.ts";
import { AwsTable } from "../shared/store/dynamo/aws-table.ts";
import { createTable } from "../shared/store/dynamo/create-table.ts";
import { DynamoStore } from "../shared/store/dynamo/dynamo-store.ts";
import { Mirror } from "../shared/store/mirror.ts";
import type { Operation, RecordOperation } from "../shared/store/store.ts";
import { fetchDynamoDbLocal, startDynamoDbLocal } from "../test/contract/dynamodb-local.ts";
import { median } from "./measurement.ts";
import { countRequests } from "./request-counter.ts";

/**
 * `npm run bench:dynamo`: what a commit of DynamoStore costs over the bare requests that it is made of, on DynamoDB Local. Bare and whole take turns, so that
 * whatever else the machine does slows both.
 */
const goals = { timesBare: 1.3, bindingRoundTrips: 2, readsAnObject: 1 } as const;
const [warmUps, rounds, mirrored] = [100, 600, 500] as const;
const table = "coracle-bench";
const cluster = { tenant: "t", cluster: "c" };
const data = { value: "x".repeat(400) };

const { need, folder } = await fetchDynamoDbLocal();
if (need.missing !== undefined) throw new Error(need.missing);
const local = await startDynamoDbLocal(folder);
try {
  await createTable(local.client(), table);
  const results = [await commitAgainstBare(), await bindings(), await coldMirror()];
  for (const { what, found, goal, met } of results)
    process.stdout.write(`${met ? "met   " : "missed"}  ${what}: ${found} (goal: ${goal})\n`);
  process.exitCode = results.every(({ met }) => met) ? 0 : 1;
} finally {
  await local.stop();
}

interface Result {
  readonly what: string;
  readonly found: string;
  readonly goal: string;
  readonly met: boolean;
}

function openStore(client: DynamoDBClient): DynamoStore {
  return new DynamoStore({ table: new AwsTable(client, table), clock: systemClock, random: Math.random, makeId: randomUUID });
}

function create(resource: string, name: string): Operation {
  const object = { kind: "ConfigMap", apiVersion: "v1", metadata: { name, namespace: "n", uid: randomUUID() }, data };
  return { kind: "put", key: { group: "", resource, namespace: "n", name }, expected: 0, object };
}

async function commitAgainstBare(): Promise<Result> {
  const store = openStore(local.client());
  await store.createCluster(cluster);
  const client = local.client();
  const bareMs: number[] = [];
  const commitMs: number[] = [];
  for (let round = -warmUps; round < rounds; round++) {
    const start = performance.now();
    await bareCommit(client, `b${round}`);
    const middle = performance.now();
    await store.commit(cluster, [create("configmaps", `c${round}`)]);
    const end = performance.now();
    if (round < 0) continue;
    bareMs.push(middle - start);
    commitMs.push(end - middle);
  }
  await store.close();
  client.destroy();
  const times = median(commitMs) / median(bareMs);
  return {
    what: "commit of one object over the bare UpdateItem and TransactWriteItems",
    found: `${times.toFixed(2)} × (${median(commitMs).toFixed(1)} ms over ${median(bareMs).toFixed(1)} ms, medians of ${rounds})`,
    goal: `at most ${goals.timesBare} ×`,
    met: times <= goals.timesBare,
  };
}

/** The same items by nothing but the SDK. */
async function bareCommit(client: DynamoDBClient, name: string): Promise<void> {
  const body = Buffer.from(
    JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata: { name, namespace: "n", uid: randomUUID() }, data }),
  );
  const { Attributes } = await client.send(
    new UpdateItemCommand({
      TableName: table,
      Key: { pk: { S: "bare#head" }, sk: { S: "head" } },
      UpdateExpression: "ADD revision :one",
      ExpressionAttributeValues: { ":one": { N: "1" } },
      ReturnValues: "ALL_NEW",
    }),
  );
  const revision = Attributes?.revision?.N ?? "0";
  const common = {
    TableName: table,
    ConditionExpression: "attribute_not_exists(pk)",
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  } as const;
  const log = { type: { S: "ADDED" }, collection: { S: "configmaps" }, object: { S: `n/${name}` }, commit: { S: randomUUID() } };
  const times = { at: { N: String(Date.now()) }, ttl: { N: String(Math.floor(Date.now() / 1000)) } };
  await client.send(
    new TransactWriteItemsCommand({
      TransactItems: [
        {
          Put: { ...common, Item: { pk: { S: "bare#/configmaps" }, sk: { S: `n/${name}` }, revision: { N: revision }, body: { B: body } } },
        },
        {
          Put: { ...common, Item: { pk: { S: "bare#log#0" }, sk: { S: revision.padStart(16, "0") }, ...log, ...times, body: { B: body } } },
        },
      ],
      ClientRequestToken: randomUUID(),
    }),
  );
}

/** 33 pods bound to as many nodes: each an object, a log entry and what is committed on the node. */
async function bindings(): Promise<Result> {
  const client = local.client();
  const store = openStore(client);
  const names = Array.from({ length: 33 }, (_, index) => `p${index}`);
  const created = await store.commit(
    cluster,
    names.map((name) => create("pods", name)),
  );
  const claim = (name: string): RecordOperation => ({ partition: "t#committed#pl", sort: name, kind: "add", add: { cpu: 100, pods: 1 } });
  await store.writeRecords(names.map(claim));
  const counter = countRequests(client);
  await store.commit(
    cluster,
    names.map((name, index): Operation => ({ ...create("pods", name), expected: created[index]?.revision ?? 0 })),
    names.map(claim),
  );
  const { requests } = counter.take();
  await store.close();
  return {
    what: "33 bindings to 33 nodes in one commit (99 items)",
    found: `${requests} round trips`,
    goal: `${goals.bindingRoundTrips}`,
    met: requests === goals.bindingRoundTrips,
  };
}

async function coldMirror(): Promise<Result> {
  const other = { tenant: "t", cluster: "cold" };
  const writer = openStore(local.client());
  await writer.createCluster(other);
  const names = Array.from({ length: mirrored }, (_, index) => `m${index}`);
  for (let at = 0; at < names.length; at += 25)
    await writer.commit(
      other,
      names.slice(at, at + 25).map((name) => create("configmaps", name)),
    );
  await writer.close();
  const client = local.client();
  const store = openStore(client);
  const reads = new Map<string, number>();
  const counter = countRequests(client, (items) => {
    for (const item of items as { pk?: { S?: string }; sk?: { S?: string } }[])
      if (item.pk?.S?.endsWith("#/configmaps")) reads.set(item.sk?.S ?? "", (reads.get(item.sk?.S ?? "") ?? 0) + 1);
  });
  const mirror = await Mirror.open(store, other, { onEnd: () => {} });
  const { requests, items } = counter.take();
  mirror.close();
  await store.close();
  const most = Math.max(...reads.values());
  return {
    what: `a cold mirror of ${mirrored} objects`,
    found: `${reads.size} objects read ${most === 1 ? "once each" : `up to ${most} times`}; ${requests} round trips, ${items - mirrored} other items (log of the last seconds, head)`,
    goal: "each object once",
    met: reads.size === mirrored && most === goals.readsAnObject,
  };
}
