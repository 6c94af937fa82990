import { systemClock } from "../../shared/clock.ts";
import { DynamoStore } from "../../shared/store/dynamo/dynamo-store.ts";
import { createCluster } from "../../test/unit/functions/function-bed.ts";
import { machine } from "../../test/unit/functions/machine.ts";
import { MemoryTable } from "../../test/unit/store/dynamo/memory-table.ts";
import { type BilledFunctions, createBilledFunctions } from "./bill-functions.ts";
import { MeteredTable, sizeOf } from "./metered-table.ts";
import { type Bill, nothing, plus, scaled } from "./prices.ts";

const configMap = (name: string, value: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { value } });
const minute = 60_000;

/** What the schedule calls in an hour, with whatever `eachMinute` does in between. */
async function anHour(fn: BilledFunctions, eachMinute: (minute: number) => Promise<void> = async () => {}): Promise<void> {
  for (let at = 0; at < 60; at++) {
    await eachMinute(at);
    await fn.drain();
    await fn.functions.reconcile();
    fn.clock.jump(minute);
  }
  await fn.meter();
}

async function settled(fn: BilledFunctions, eachMinute: () => Promise<unknown> = async () => {}): Promise<void> {
  await fn.drain();
  for (let at = 0; at < 5; at++) {
    await eachMinute();
    await fn.functions.reconcile();
    await fn.drain();
    fn.clock.jump(minute);
  }
}

const bytesOf = ({ bed }: BilledFunctions): number => [...bed.table.items.values()].reduce((sum, item) => sum + sizeOf(item), 0);

/** The schedule's own hour, whatever it serves, and what each idle cluster adds to it. */
export async function idle(clusters: number): Promise<{ installation: Bill; cluster: Bill; clusterBytes: number }> {
  const fn = createBilledFunctions();
  await anHour(fn);
  fn.take();
  await anHour(fn);
  const installation = fn.take();
  const { key } = await createCluster(fn.bed, fn.functions, "acme", "c0");
  const one = bytesOf(fn);
  for (let index = 1; index < clusters; index++) await fn.functions.platform("POST", "/v1/clusters", key, { name: `c${index}` });
  const clusterBytes = (bytesOf(fn) - one) / (clusters - 1);
  await settled(fn);
  await anHour(fn);
  fn.take();
  await anHour(fn);
  return { installation, cluster: scaled(plus(fn.take(), installation, -1), 1 / clusters), clusterBytes };
}

async function withNode() {
  const fn = createBilledFunctions();
  const made = await createCluster(fn.bed, fn.functions);
  const path = `/clusters/${made.id}/api/v1/namespaces/default`;
  const joined = (await fn.functions.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine("n1") })).json();
  let state: string | undefined;
  let marks: Record<string, string> = {};
  const sync = async (up: object = {}) => {
    const request = { marks, ...(state !== undefined && { state }), ...up };
    const answer = await fn.functions.agent("POST", "/agent/v1/sync", joined.credential, request);
    if (answer.status !== 200) throw new Error(answer.text);
    const told = answer.json();
    state = told.state ?? state;
    for (const { id, mark } of told.news ?? []) marks = { ...marks, [id]: mark };
    return told;
  };
  await settled(fn, sync);
  for (let call = 0; call < 50; call++) await sync();
  return { fn, made, path, token: made.credentials.token as string, sync };
}

/** A node that polls, and what its cluster's loops have to do because it is there; beyond the schedule's own hour. */
export async function node(installation: Bill, everySeconds: number): Promise<Bill> {
  const { fn, sync } = await withNode();
  const poll = async (): Promise<void> => {
    for (let second = 0; second < 60; second += everySeconds) {
      await sync();
      fn.clock.jump(everySeconds * 1000);
    }
    fn.clock.jump(-minute);
  };
  await anHour(fn, poll);
  fn.take();
  await anHour(fn, poll);
  return plus(fn.take(), installation, -1);
}

export async function reads(count: number): Promise<Bill> {
  const { fn, path, token } = await withNode();
  for (let index = 0; index < 100; index++)
    await fn.functions.cluster("POST", `${path}/configmaps`, token, configMap(`c${index}`, "x".repeat(400)));
  await fn.drain();
  for (let index = 0; index < 300; index++) await fn.functions.cluster("GET", `${path}/configmaps/c${index % 100}`, token);
  fn.take();
  for (let index = 0; index < count; index++) {
    fn.clock.jump(100);
    await fn.functions.cluster("GET", `${path}/configmaps/c${index % 100}`, token);
  }
  return fn.take();
}

/** Half of them make an object, half change one; each wakes the loops by the stream, some together. */
export async function writes(count: number, together: number): Promise<Bill> {
  const { fn, path, token } = await withNode();
  const write = async (index: number): Promise<void> => {
    const name = `w${index >> 1}`;
    const value = String(index).padEnd(400, "x");
    if (index % 2 === 0) await fn.functions.cluster("POST", `${path}/configmaps`, token, configMap(name, value));
    else await fn.functions.cluster("PATCH", `${path}/configmaps/${name}`, token, { data: { value } });
    fn.clock.jump(100);
    if (index % together === together - 1) await fn.drain();
  };
  for (let index = -200; index < 0; index++) await write(index + 1_000_000);
  fn.take();
  for (let index = 0; index < count; index++) await write(index);
  await fn.drain();
  return fn.take();
}

/** A ReplicationController with so many pods on one node, from the request to the last one running. */
export async function rollout(pods: number): Promise<Bill> {
  const { fn, made, path, token, sync } = await withNode();
  fn.take();
  const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "x" }] } };
  const controller = { apiVersion: "v1", kind: "ReplicationController", metadata: { name: "web" } };
  await fn.functions.cluster("POST", `${path}/replicationcontrollers`, token, {
    ...controller,
    spec: { replicas: pods, selector: { app: "web" }, template },
  });
  const bound: { metadata: { uid: string; namespace: string; name: string } }[] = [];
  for (let look = 0; look < 10 && bound.length < pods; look++) {
    await fn.drain();
    const { news } = await sync();
    bound.push(...news.flatMap((each: { pods?: [] }) => each.pods ?? []));
    fn.clock.jump(1000);
  }
  if (bound.length !== pods) throw new Error(`${bound.length} pods are bound`);
  const startTime = new Date(fn.clock.now()).toISOString();
  const ready = {
    conditions: ["Initialized", "ContainersReady", "Ready"].map((type) => ({ type, status: "True", lastTransitionTime: startTime })),
    ...{ phase: "Running", startTime, containerStatuses: [], initContainerStatuses: [] },
  };
  for (let at = 0; at < pods; at += 25) {
    const statuses = bound.slice(at, at + 25).map(({ metadata }) => ({
      ...{ cluster: made.id, uid: metadata.uid, namespace: metadata.namespace, name: metadata.name },
      status: ready,
    }));
    await sync({ statuses });
    await fn.drain();
  }
  const after = (await fn.functions.cluster("GET", `${path}/replicationcontrollers/web`, token)).json();
  if (after.status.readyReplicas !== pods) throw new Error(`${after.status.readyReplicas} pods are ready`);
  return fn.take();
}

/** What a process reads of the table that follows one cluster's log, in an hour in which nothing is written; measured for some seconds. */
export async function followed(seconds: number): Promise<Bill> {
  const memory = new MemoryTable();
  const table = new MeteredTable(memory, memory.items);
  const store = new DynamoStore({ table, clock: systemClock, random: Math.random, makeId: () => String(Math.random()) });
  const cluster = { tenant: "t", cluster: "c" };
  await store.createCluster(cluster);
  const stop = store.follow(
    cluster,
    1,
    () => {},
    () => {},
  );
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const before = table.readUnits;
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const readUnits = ((table.readUnits - before) * 3600) / seconds;
  stop();
  await store.close();
  return { ...nothing, readUnits };
}
