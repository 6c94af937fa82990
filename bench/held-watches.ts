import { readFileSync } from "node:fs";
import { fetchDynamoDbLocal } from "../test/contract/dynamodb-local.ts";
import { processorMsOf } from "../test/e2e/processes.ts";
import { createTenantCluster, startTableServers } from "../test/e2e/servers-fixture.ts";

/**
 * `npm run bench:watches [-- COUNT]`: how much memory a server process over a table (DynamoDB Local) takes for watches of one cluster (default 2,000), each on a connection of
 * its own, how much processor time while nothing happens, and how long an event takes until all of them have it.
 */
const count = Number(process.argv[2] ?? 2000);
const path = "/api/v1/namespaces/default/configmaps";
const quietSeconds = 20;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const residentBytes = (pid: number): number => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

const local = await fetchDynamoDbLocal();
if (local.need.missing !== undefined) throw new Error(local.need.missing);
const fixture = await startTableServers(local.folder, 1);
try {
  const { path: cluster, token } = await createTenantCluster(fixture);
  const [client] = fixture.clients(cluster, token);
  const pid = fixture.servers[0]?.pid;
  if (!client || pid === undefined) throw new Error("no server");
  const { metadata } = (await client.send(path)).json<{ metadata: { resourceVersion: string } }>();
  await sleep(3000);
  const before = residentBytes(pid);
  const end = new AbortController();
  let events = 0;
  const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${metadata.resourceVersion}`;
  const watch = async (): Promise<void> => {
    for await (const line of client.lines(`${path}?${query}`, { signal: end.signal })) if (line.includes('"ADDED"')) events++;
  };
  const watching = Array.from({ length: count }, watch);
  const create = async (name: string): Promise<number> => {
    events = 0;
    const sentAt = performance.now();
    await client.send(path, { method: "POST", body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name } } });
    while (events < count && performance.now() - sentAt < 60_000) await sleep(2);
    if (events < count) throw new Error(`${events} of ${count} watches have the event`);
    return performance.now() - sentAt;
  };
  await sleep(count * 5);
  await create("first");
  const latencies = [];
  for (let at = 0; at < 5; at++) latencies.push(await create(`e${at}`));
  await sleep(5000);
  const [after, busyMs] = [residentBytes(pid), processorMsOf(pid)];
  await sleep(quietSeconds * 1000);
  const share = (processorMsOf(pid) - busyMs) / (quietSeconds * 1000);
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
  process.stdout.write(
    `${count} watches: ${mb(before)} MB before, ${mb(after)} MB with them, ${((after - before) / count / 1024).toFixed(1)} KB each; ` +
      `${(100 * share).toFixed(1)} % of a processor while nothing happens; an event has reached all of them after ${latencies.sort((a, b) => a - b)[2]?.toFixed(0)} ms\n`,
  );
  end.abort();
  await Promise.all(watching);
} finally {
  await fixture.stop();
}
