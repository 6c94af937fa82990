import { describe, expect, test, vi } from "vitest";
import { functionClock } from "../../../functions/clock.ts";
import { keyOfWrite, type Write } from "../../../shared/store/dynamo/table.ts";
import { unreadable } from "../store/dynamo/unreadable-table.ts";
import { createCluster, createFunctionBed, drainStream } from "./function-bed.ts";
import { machine } from "./machine.ts";

const pod = (name: string, labels = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels },
  spec: { containers: [{ name: "main", image: "x" }] },
});

const eventOf = (cluster: string) => ({
  ...{ cluster, name: "n1.1", namespace: "default", type: "Normal", reason: "Started", message: "it runs", count: 1, component: "kubelet" },
  involvedObject: { apiVersion: "v1", kind: "Node", name: "n1", uid: "n1" },
  ...{ firstTimestamp: "2026-01-01T00:00:00Z", lastTimestamp: "2026-01-01T00:00:00Z" },
});

async function joinedNode(bed = createFunctionBed()) {
  const fn = bed.instance();
  const made = await createCluster(bed, fn);
  const token: string = made.credentials.token;
  const path = `/clusters/${made.id}/api/v1/namespaces/default`;
  const joined = (await fn.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine("n1") })).json();
  const sync = async (by: typeof fn, request: object = {}) =>
    (await by.agent("POST", "/agent/v1/sync", joined.credential, { marks: {}, ...request })).json();
  await drainStream(bed, fn);
  return { bed, fn, id: made.id, pool: made.pool, token, path, sync, credential: joined.credential as string };
}

describe("an agent of a cluster on functions", () => {
  test("is answered at once; while nothing is new its calls read small items of the node and its pool, and no log", async () => {
    const { bed, fn, sync } = await joinedNode();
    const told = await sync(fn);
    expect(told.state).toMatch(/^\d+\.\d+\/\d+$/);
    const marks = Object.fromEntries(told.news.map(({ id, mark }: { id: string; mark: string }) => [id, mark]));
    // Its credential is looked up once more, after its pool's mark.
    await sync(fn, { marks, state: told.state });
    bed.table.reads = [];
    const idle = await sync(fn, { marks, state: told.state });
    expect(idle).toEqual({ news: [], retry: [], tokens: [], streams: [], sendNode: false, state: told.state, nextSyncSeconds: 2 });
    // The node's own mark, its pool's, and when it spoke last; its credential is known here for a minute.
    const kinds = bed.table.reads.map((pk) => pk.split("#")[1]);
    expect(kinds).toEqual(["marks", "marks", "heartbeats"]);
  });

  test("is not known any more from the moment on that its node was removed, to no instance", async () => {
    const { bed, fn, sync, pool } = await joinedNode();
    const warm = bed.instance();
    for (const each of [fn, warm]) expect((await sync(each)).clusterIds).toHaveLength(1);
    const removed = await fn.platform("DELETE", `/v1/pools/${pool}/nodes/n1`, (await tenantKey(bed, fn)) ?? "");
    expect(removed.status).toBe(204);
    for (const each of [fn, warm]) expect(await sync(each)).toMatchObject({ status: 410 });
  });

  test("that was removed while its cluster could not be reached is taken out of it by the function that the stream wakes", async () => {
    let broken = "";
    const bed = createFunctionBed({ tableOf: (table) => unreadable(table, ({ pk }) => broken !== "" && pk.startsWith(broken)) });
    const { fn, id, pool, token, sync } = await joinedNode(bed);
    await sync(fn);
    await drainStream(bed, fn);
    const names = async () => {
      const { items } = (await fn.cluster("GET", `/clusters/${id}/api/v1/nodes`, token)).json();
      return items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
    };
    expect(await names()).toEqual(["n1"]);
    const key = (await tenantKey(bed, fn)) ?? "";
    broken = `acme#${id}#`;
    const removed = await bed.instance().platform("DELETE", `/v1/pools/${pool}/nodes/n1`, key);
    expect(removed.status).toBe(204);
    expect(bed.logged.join("")).toContain("node not taken out of its clusters yet");
    broken = "";
    expect(await names()).toEqual(["n1"]);
    expect(bed.table.stream).not.toEqual([]);
    await drainStream(bed, fn);
    expect(await names()).toEqual([]);
    expect([...bed.table.items.values()].filter(({ pk }) => pk.startsWith("platform#removing"))).toEqual([]);
    expect(bed.denied).toEqual([]);
  });

  test("has its heartbeat written once in one and a half idle polls, however often it calls", async () => {
    const { bed, fn, sync } = await joinedNode();
    const beats = () => [...bed.table.items.values()].find(({ pk }) => pk.includes("#heartbeats#"))?.version;
    const before = beats();
    for (let calls = 0; calls < 3; calls++) await sync(calls % 2 === 0 ? fn : bed.instance());
    expect(beats()).toBe(before);
    const later = bed.instance({ now: () => Date.now() + 46_000, after: functionClock.after });
    await sync(later);
    expect(beats()).toBe(Number(before) + 1);
  });

  test("hears of a pod by the next call after it was bound, from whichever instance, and is told to call soon", async () => {
    const { bed, fn, token, path, sync } = await joinedNode();
    const before = await sync(fn);
    const marks = Object.fromEntries(before.news.map(({ id, mark }: { id: string; mark: string }) => [id, mark]));
    await fn.cluster("POST", `${path}/pods`, token, pod("web"));
    await drainStream(bed, fn);
    const told = await sync(bed.instance(), { marks, state: before.state });
    expect(told.state).not.toBe(before.state);
    expect(told.news[0].pods.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual(["web"]);
    expect(told.nextSyncSeconds).toBe(2);
  });

  test("is told to call soon by an instance that it never met, while another one had work for it less than a minute ago", async () => {
    const { bed, fn, id, sync } = await joinedNode();
    const told = await sync(fn);
    const marks = Object.fromEntries(told.news.map(({ id, mark }: { id: string; mark: string }) => [id, mark]));
    const by = (laterMs: number) => bed.instance({ now: () => Date.now() + laterMs, after: functionClock.after });
    expect(await sync(by(50_000), { marks, state: told.state })).toMatchObject({ state: told.state, nextSyncSeconds: 2 });
    const idle = await sync(by(70_000), { marks, state: told.state });
    expect(idle).toMatchObject({ state: told.state, nextSyncSeconds: 30 });
    // A report is work, whoever took it.
    const reported = await sync(by(70_000), { marks: undefined, state: idle.state, events: [eventOf(id)] });
    expect(await sync(by(120_000), { marks, state: reported.state })).toMatchObject({ nextSyncSeconds: 2 });
  });

  test("hears of a change of its pool by the next call, whatever its last one was about", async () => {
    const { bed, fn, sync, pool, credential } = await joinedNode();
    const told = await sync(fn);
    const marks = Object.fromEntries(told.news.map(({ id, mark }: { id: string; mark: string }) => [id, mark]));
    expect((await fn.agent("POST", "/agent/v1/streams/none", credential, "hello")).status).toBe(404);
    const change = { labels: { zone: "a" } };
    expect((await fn.platform("PATCH", `/v1/pools/${pool}`, (await tenantKey(bed, fn)) ?? "", change)).status).toBe(200);
    expect((await sync(fn, { marks, state: told.state })).state).not.toBe(told.state);
  });

  test("hears of a pod that was bound just after its node had been told of another one", async () => {
    let meanwhile: (() => Promise<unknown>) | undefined;
    const bed = createFunctionBed({
      tableOf: (table) =>
        new Proxy(table, {
          get(target, name) {
            const value = Reflect.get(target, name);
            if (name !== "write") return typeof value === "function" ? value.bind(target) : value;
            return async (write: Write) => {
              const written = await target.write(write);
              const then = keyOfWrite(write).pk.includes("#marks#") ? meanwhile : undefined;
              if (then) meanwhile = undefined;
              await then?.();
              return written;
            };
          },
        }),
    });
    const { fn, token, path, sync } = await joinedNode(bed);
    const call = async ({ state, marks }: { state?: string; marks: object }) => {
      const { news, ...answer } = await sync(fn, { marks, ...(state !== undefined && { state }) });
      const pods: { metadata: { name: string } }[] = news.flatMap((each: { pods: object[] }) => each.pods);
      const heard = Object.fromEntries(news.map(({ id, mark }: { id: string; mark: string }) => [id, mark]));
      return { names: pods.map(({ metadata }) => metadata.name), state: answer.state, marks: { ...marks, ...heard } };
    };
    let last = await call({ marks: {} });
    const bound = async () => {
      const { items } = (await fn.cluster("GET", `${path}/pods`, token)).json();
      return items.length === 2 && items.every(({ spec }: { spec: { nodeName?: string } }) => spec.nodeName === "n1");
    };
    await fn.cluster("POST", `${path}/pods`, token, pod("first"));
    meanwhile = async () => {
      last = await call(last);
      await fn.cluster("POST", `${path}/pods`, token, pod("second"));
      // Where the loops rest by then, this pod is the next turn's.
      await vi.waitUntil(bound, { timeout: 1000 }).catch(() => undefined);
    };
    await drainStream(bed, fn);
    expect(last.names).toEqual(["first"]);
    expect(await bound()).toBe(true);
    expect((await call(last)).names).toEqual(["second"]);
  });

  test("is told of no pod of another node: its mark stays", async () => {
    const { bed, fn, token, path, sync } = await joinedNode();
    const { state } = await sync(fn);
    const elsewhere = { ...pod("elsewhere"), spec: { ...pod("").spec, nodeName: "somewhere-else" } };
    await fn.cluster("POST", `${path}/pods`, token, elsewhere);
    await drainStream(bed, fn);
    expect((await sync(fn, { state })).state).toBe(state);
  });

  test("answers for a pod's log by records, once, and nothing of it is left", async () => {
    const { bed, fn, id, token, path, sync, credential } = await joinedNode();
    await fn.cluster("POST", `${path}/pods`, token, pod("web"));
    await drainStream(bed, fn);
    const reader = bed.instance();
    const asked = reader.cluster("GET", `${path}/pods/web/log`, token);
    const stream = await vi.waitFor(
      async () => {
        const [first] = (await sync(fn)).streams;
        expect(first).toMatchObject({ kind: "log", cluster: id, pod: "web", container: "main" });
        return first;
      },
      { timeout: 10_000 },
    );
    const delivered = await fn.agent("POST", `/agent/v1/streams/${stream.id}`, credential, "hello");
    expect(delivered.status).toBe(204);
    expect((await asked).text).toBe('"hello"');
    expect((await fn.agent("POST", `/agent/v1/streams/${stream.id}`, credential, "again")).status).toBe(404);
    expect([...bed.table.items.keys()].filter((key) => key.includes("#streams#"))).toEqual([]);
  });

  test("is taken out of its cluster when that is deleted, by what the stream wakes", async () => {
    const { bed, fn, id, token, path } = await joinedNode();
    await fn.cluster("POST", `${path}/configmaps`, token, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" } });
    const removed = await fn.platform("DELETE", `/v1/clusters/${id}`, (await tenantKey(bed, fn)) ?? "");
    expect(removed.status).toBe(202);
    await drainStream(bed, fn);
    const left = [...bed.table.items.keys()].filter((key) => key.includes(id) && !key.includes("#log#") && !key.includes("#idempotency#"));
    expect(left).toEqual([]);
    expect((await fn.cluster("GET", `${path}/configmaps/one`, token)).status).toBe(404);
  });
});

async function tenantKey(
  { operatorKey }: ReturnType<typeof createFunctionBed>,
  { platform }: Awaited<ReturnType<typeof joinedNode>>["fn"],
) {
  const made = await platform("POST", "/v1/tenants/acme/keys", operatorKey, { name: "second", scopes: ["clusters:write", "nodes:write"] });
  return made.json().key as string | undefined;
}
