import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { functionClock } from "../../../functions/clock.ts";
import { createHandler as createDeliver } from "../../../functions/deliver.ts";
import { createHandler as createMeter } from "../../../functions/meter.ts";
import { recordKeys } from "../../../shared/platform/record-keys.ts";
import { putRecord } from "../../../shared/platform/records.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { webhookKeys } from "../../../shared/webhooks/records.ts";
import { type Bed, createCluster, drainStream, type Instance } from "../functions/function-bed.ts";
import { machine } from "../functions/machine.ts";

export const bootstrapToken = "abcdef.0123456789abcdef";
export const bootstrapSecret = {
  ...{ apiVersion: "v1", kind: "Secret", type: "bootstrap.kubernetes.io/token", metadata: { name: "bootstrap-token-abcdef" } },
  stringData: { "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true" },
};
export const reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
export const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };

const answered = <T extends { status: number; text: string }>(answer: T, status: number): T => {
  if (answer.status !== status) throw new Error(`${answer.status} instead of ${status}: ${answer.text}`);
  return answer;
};

/** A receiver of webhooks that takes everything. */
async function receiver() {
  const server = createServer((request, answer) => request.resume().on("end", () => answer.writeHead(204).end()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => server.close() };
}

/**
 * The life of a cluster by every function there is: it is made, looked into by all kinds of credentials, gets a node and pods, somebody is told of it, it goes,
 * and its day is closed. `shift` moves the functions' time.
 */
export async function everythingOnce(bed: Bed, shift: (ms: number) => void): Promise<void> {
  const sink = await receiver();
  try {
    const fn = bed.instance();
    const made = await createCluster(bed, fn);
    const send = (method: string, path: string, body?: unknown) =>
      fn.cluster(method, `/clusters/${made.id}${path}`, made.credentials.token, body);
    answered(await send("POST", cronJobs, cronJob("seldom", "0 0 29 2 *")), 201);
    await drainStream(bed, fn);
    const scopes = ["webhooks:write", "usage:read", "clusters:write", "nodes:write"];
    const { key } = answered(await fn.platform("POST", "/v1/tenants/acme/keys", bed.operatorKey, { name: "all", scopes }), 201).json();
    answered(await fn.platform("POST", "/v1/webhooks", key, { url: sink.url, events: ["*"] }), 201);
    // The second time with a new credential in place of the first.
    const join = () => fn.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine("n1") });
    answered(await join(), 201);
    await plantMarks(bed);
    const joined = answered(await join(), 201).json();
    // The loops have to look earlier than they thought, though not within the time that passes here.
    answered(await send("POST", cronJobs, cronJob("sooner", `0 ${(new Date().getUTCHours() + 2) % 24} * * *`)), 201);
    await lookInside(fn, made.id, made.credentials.token);
    // Before the stream's function sends what is due itself.
    await deliverAll(bed);
    await drainStream(bed, fn);
    answered(await fn.agent("POST", "/agent/v1/sync", joined.credential, { marks: {} }), 200);
    // Long enough for what was counted to be written.
    shift(16 * 60_000);
    answered(await fn.cluster("DELETE", `/clusters/${made.id}/api/v1/namespaces/default/configmaps/one`, made.credentials.token), 200);
    answered(await fn.agent("POST", "/agent/v1/sync", joined.credential, { marks: {} }), 200);
    await plantMarks(bed);
    await fn.reconcile();
    // Long enough for a node to be silent.
    shift(5 * 60_000);
    await fn.reconcile();
    answered(await fn.platform("GET", "/v1/tenants", bed.operatorKey), 200);
    answered(await fn.platform("PATCH", `/v1/clusters/${made.id}`, key, { schedulingPaused: true }), 200);
    answered(await fn.platform("POST", `/v1/pools/${made.pool}/nodes/n1/drain`, key), 202);
    answered(await fn.platform("DELETE", `/v1/pools/${made.pool}/nodes/n1`, key), 204);
    await fn.reconcile();
    await drainStream(bed, fn);
    answered(await fn.platform("DELETE", `/v1/clusters/${made.id}`, key), 202);
    // The schedule finishes what the stream has not told of yet.
    await fn.reconcile();
    await drainStream(bed, fn);
    shift(26 * 3_600_000);
    await fn.reconcile();
    await createMeter(bed.ports(undefined, "meter"))({}, longEnough);
    await deliverAll(bed);
  } finally {
    sink.close();
  }
}

const longEnough = { getRemainingTimeInMillis: () => 60_000 } as never;

async function lookInside(fn: Instance, id: string, token: string): Promise<void> {
  const send = (method: string, path: string, body?: unknown, by = token) => fn.cluster(method, `/clusters/${id}${path}`, by, body);
  const namespace = "/api/v1/namespaces/default";
  const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "x" }] } };
  const spec = { replicas: 2, selector: { app: "web" }, template };
  for (const [resource, object] of [
    // One in parts.
    ["configmaps", { kind: "ConfigMap", metadata: { name: "one" }, data: { a: "b".repeat(900_000) } }],
    ["services", { kind: "Service", metadata: { name: "one" }, spec: { ports: [{ port: 80 }] } }],
    ["replicationcontrollers", { kind: "ReplicationController", metadata: { name: "web" }, spec }],
  ] as const)
    answered(await send("POST", `${namespace}/${resource}`, { apiVersion: "v1", ...object }), 201);
  answered(await send("GET", `${namespace}/configmaps`), 200);
  answered(await send("GET", `${namespace}/configmaps?watch=true&timeoutSeconds=1&resourceVersion=1`), 200);
  answered(await send("POST", "/api/v1/namespaces/kube-system/secrets", bootstrapSecret), 201);
  answered(await send("POST", reviews, review, bootstrapToken), 201);
  answered(await send("POST", reviews, review, "abcdef.ffffffffffffffff"), 401);
  answered(await fn.cluster("POST", `/clusters/cl-nothing${reviews}`, bootstrapToken, review), 401);
}

const cronJobs = "/apis/batch/v1/namespaces/default/cronjobs";
const cronJob = (name: string, schedule: string) => {
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "x" }] } };
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name },
    spec: { schedule, timeZone: "Etc/UTC", jobTemplate: { spec: { template } } },
  };
};

/** Word of work that there is not: what it was about has gone meanwhile. */
async function plantMarks({ table }: Bed): Promise<void> {
  const store = new DynamoStore({ table, clock: functionClock, random: Math.random, makeId: randomUUID });
  const ref = { tenant: "acme", endpoint: "wh-gone", sort: "gone" };
  await store.writeRecords([
    putRecord(recordKeys.deletingCluster("acme", "cl-gone"), undefined, { tenant: "acme", cluster: "cl-gone" }),
    putRecord(recordKeys.drainingNode("acme", "pl-gone", "n0"), undefined, { tenant: "acme", pool: "pl-gone", node: "n0" }),
    putRecord(webhookKeys.due(0, ref), undefined, ref),
  ]);
}

/** As the queue has them. */
async function deliverAll(bed: Bed): Promise<void> {
  const due = [...bed.table.items.values()].filter(({ pk }) => pk === "platform#webhooks-due#records");
  const Records = due.map(({ sk }, index) => {
    const [, , tenant, endpoint, ...sort] = sk.split("/");
    return { messageId: String(index), body: JSON.stringify({ tenant, endpoint, sort: sort.join("/") }) };
  });
  if (Records.length === 0) throw new Error("nobody is to be told of anything");
  const { batchItemFailures } = await createDeliver(bed.ports(undefined, "deliver"))({ Records }, longEnough);
  if (batchItemFailures.length > 0) throw new Error(`not delivered: ${bed.logged}`);
}
