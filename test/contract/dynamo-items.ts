import { randomBytes, randomUUID } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { type AttributeValue, DescribeTimeToLiveCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { expect } from "vitest";
import { systemClock } from "../../shared/clock.ts";
import type { KubernetesObject } from "../../shared/kubernetes/object.ts";
import { AwsTable } from "../../shared/store/dynamo/aws-table.ts";
import { DynamoStore } from "../../shared/store/dynamo/dynamo-store.ts";
import { createAesSealer } from "../../shared/store/sealer.ts";
import { isStoreError } from "../../shared/store/store.ts";
import type { DynamoEmulator } from "./dynamodb-local.ts";

type Raw = Record<string, AttributeValue>;

const cluster = { tenant: "t", cluster: "c" };
const keyOf = (resource: string, name: string) => ({ group: "", resource, namespace: "n", name });
const mostItemBytes = 400 * 1024;
const ttlSeconds = 24 * 3600;

/** What lies in the table after a large object, a Secret and a plain one were written, changed and deleted. */
export async function checkItems(emulator: DynamoEmulator, table: string): Promise<void> {
  const client = emulator.client();
  const sealer = createAesSealer(randomBytes(32));
  const open = () =>
    new DynamoStore({ table: new AwsTable(emulator.client(), table), clock: systemClock, random: Math.random, makeId: randomUUID, sealer });
  const store = open();
  await store.createCluster(cluster);

  // The largest that there may be, and not to be compressed.
  const large = objectOf("ConfigMap", "large", randomBytes(1_179_000).toString("base64"));
  large.metadata.annotations = { padding: "x".repeat(store.limits.objectBytes - Buffer.byteLength(JSON.stringify(large)) - 60) };
  expect(Buffer.byteLength(JSON.stringify(large))).toBeGreaterThan(1_572_000);
  const [made] = await store.commit(cluster, [{ kind: "put", key: keyOf("configmaps", "large"), expected: 0, object: large }]);
  const again = structuredClone(large);
  const [changed] = await store.commit(cluster, [
    { kind: "put", key: keyOf("configmaps", "large"), expected: made?.revision ?? 0, object: again },
  ]);
  await store.commit(cluster, [
    { kind: "put", key: keyOf("secrets", "hidden"), expected: 0, object: objectOf("Secret", "hidden", "correct horse battery staple") },
    { kind: "put", key: keyOf("configmaps", "shown"), expected: 0, object: objectOf("ConfigMap", "shown", "nothing to hide") },
  ]);
  const tooLarge = objectOf("ConfigMap", "beyond", "x".repeat(store.limits.objectBytes));
  const refused = await store
    .commit(cluster, [{ kind: "put", key: keyOf("configmaps", "beyond"), expected: 0, object: tooLarge }])
    .catch((error: unknown) => error);
  expect(isStoreError(refused, "TooLarge")).toBe(true);

  const items = await everyItem(client, table);
  const parts = items.filter(({ pk }) => pk?.S?.endsWith("#parts") && !pk.S.includes("#log#"));
  const logged = items.filter(({ pk }) => pk?.S?.includes("#log#"));
  expect(parts).toHaveLength(4);
  for (const part of parts) expect(part.revision?.N).toBe(String(changed?.revision));
  for (const item of items) expect(sizeOf(item)).toBeLessThan(mostItemBytes);
  expect(logged.filter(({ type }) => type !== undefined)).toHaveLength(4);
  const now = Date.now() / 1000;
  for (const { ttl } of logged) expect(Math.abs(Number(ttl?.N) - now - ttlSeconds)).toBeLessThan(300);
  for (const item of items) if (!logged.includes(item)) expect(item.ttl).toBeUndefined();
  const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName: table }));
  expect(TimeToLiveDescription).toMatchObject({ AttributeName: "ttl", TimeToLiveStatus: "ENABLED" });

  const withText = (text: string) => items.filter((item) => textOf(item).includes(text)).length;
  expect(withText("nothing to hide")).toBe(2);
  expect(withText("correct horse")).toBe(0);

  const fresh = open();
  const [read, secret] = await fresh.latest(cluster, [keyOf("configmaps", "large"), keyOf("secrets", "hidden")]);
  expect(read?.object).toEqual(again);
  expect(secret?.object).toMatchObject({ data: { value: "correct horse battery staple" } });
  await fresh.commit(cluster, [
    { kind: "delete", key: keyOf("configmaps", "large"), expected: changed?.revision ?? 0, object: structuredClone(again) },
  ]);
  const left = await everyItem(client, table);
  expect(left.filter(({ pk }) => pk?.S?.endsWith("configmaps#parts"))).toEqual([]);
  await Promise.all([store.close(), fresh.close()]);
  client.destroy();
}

const objectOf = (kind: string, name: string, value: string): KubernetesObject & { data: { value: string } } => ({
  kind,
  apiVersion: "v1",
  metadata: { name, namespace: "n" },
  data: { value },
});

async function everyItem(client: ReturnType<DynamoEmulator["client"]>, table: string): Promise<Raw[]> {
  const items: Raw[] = [];
  for (let from: Raw | undefined, more = true; more; more = from !== undefined) {
    const page = await client.send(
      new ScanCommand({ TableName: table, ConsistentRead: true, ...(from !== undefined && { ExclusiveStartKey: from }) }),
    );
    items.push(...(page.Items ?? []));
    from = page.LastEvaluatedKey;
  }
  return items;
}

/** As DynamoDB counts it: names and values. */
const sizeOf = (item: Raw): number =>
  Object.entries(item).reduce((sum, [name, { S, N, B }]) => sum + name.length + (B?.length ?? S?.length ?? N?.length ?? 1), 0);

/** Everything readable of an item, compressed or not. */
function textOf(item: Raw): string {
  return Object.values(item)
    .map(({ S, B }) => S ?? (B ? readable(Buffer.from(B)) : ""))
    .join("\n");
}

function readable(bytes: Buffer): string {
  try {
    return zstdDecompressSync(bytes.subarray(1)).toString("latin1");
  } catch {
    return bytes.toString("latin1");
  }
}
