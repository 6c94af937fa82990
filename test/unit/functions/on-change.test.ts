import { afterEach, describe, expect, test, vi } from "vitest";
import type { Clock } from "../../../shared/clock.ts";
import { headKey, scopeOf } from "../../../shared/store/dynamo/keys.ts";
import { keyOfWrite, type Table, TableError, type Write } from "../../../shared/store/dynamo/table.ts";
import { FaultyTable } from "../store/dynamo/faulty-table.ts";
import { unreadable } from "../store/dynamo/unreadable-table.ts";
import { type Bed, createCluster, createFunctionBed, drainStream, type Instance, type StreamRecord } from "./function-bed.ts";
import { machine } from "./machine.ts";

const controller = (replicas: number) => ({
  apiVersion: "v1",
  kind: "ReplicationController",
  metadata: { name: "web" },
  spec: {
    replicas,
    selector: { app: "web" },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "x" }] } },
  },
});

interface Made {
  readonly id: string;
  readonly token: string;
  /** Of the namespace `default`. */
  readonly path: string;
  readonly credential: string;
  readonly pods: (fn: Instance) => Promise<(string | undefined)[]>;
}

/** A cluster with a node, and a controller of so many pods that nobody was woken for yet. */
async function clusterWithWork(bed: Bed, fn: Instance, replicas: number, tenant = "acme"): Promise<Made> {
  const { id, credentials, join } = await createCluster(bed, fn, tenant);
  const token: string = credentials.token;
  const joined = await fn.agent("POST", "/agent/v1/join", "", { token: join.token, node: machine("n1") });
  const path = `/clusters/${id}/api/v1/namespaces/default`;
  const created = await fn.cluster("POST", `${path}/replicationcontrollers`, token, controller(replicas));
  expect(created.status).toBe(201);
  return {
    ...{ id, token, path },
    credential: joined.json().credential,
    async pods(by) {
      const list = (await by.cluster("GET", `${path}/pods`, token)).json();
      return list.items.map((pod: { spec: { nodeName?: string } }) => pod.spec.nodeName);
    },
  };
}

const placed = (count: number): string[] => Array.from({ length: count }, () => "n1");
const shifted = (byMs: number): Clock => ({
  now: () => Date.now() + byMs,
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a batch of the stream", () => {
  test("that comes twice, the second time to another instance, makes no pod twice", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const { pods } = await clusterWithWork(bed, fn, 3);
    const batch = bed.table.stream.splice(0);
    await fn.onChange(batch);
    const other = bed.instance();
    expect(await other.onChange(batch)).toEqual({ batchItemFailures: [] });
    await drainStream(bed, other);
    expect(await pods(fn)).toEqual(placed(3));
    expect(bed.logged).toEqual([]);
  });

  test("whose records come in the wrong order, in pieces and an hour late leads to the same end", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const { pods, credential } = await clusterWithWork(bed, fn, 2);
    const records = bed.table.stream.splice(0).reverse();
    const late = bed.instance(shifted(3_600_000));
    await late.agent("POST", "/agent/v1/sync", credential, { marks: {} });
    for (let at = 0; at < records.length; at += 3) await late.onChange(records.slice(at, at + 3));
    await drainStream(bed, late);
    expect(await pods(fn)).toEqual(placed(2));
  });

  test("with a record that means nothing is handled all the same", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const { pods } = await clusterWithWork(bed, fn, 1);
    const poisoned: unknown[] = [
      {},
      { dynamodb: { SequenceNumber: "1", Keys: { pk: { S: "a#b#log#c#0" }, sk: { S: "not a revision" } } } },
      { dynamodb: { SequenceNumber: "2", Keys: { pk: { S: "no#such#log#cluster#0" }, sk: { S: "0000000000000007" } } } },
    ];
    const answer = await fn.onChange([...poisoned, ...bed.table.stream.splice(0)]);
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(await pods(fn)).toEqual(placed(1));
    expect(bed.logged.join("")).toContain('"records":2');
  });

  test("tells of nothing new when it holds what the loops wrote themselves: one look at the lease", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    await clusterWithWork(bed, fn, 1);
    await fn.onChange(bed.table.stream.splice(0));
    const echo = bed.table.stream.splice(0);
    expect(echo.length).toBeGreaterThan(0);
    const other = bed.instance();
    // What an instance reads when it starts.
    await other.onChange([]);
    bed.table.reads = [];
    await other.onChange(echo);
    expect(bed.table.reads.filter((pk) => !pk.endsWith("#loops#records"))).toEqual([]);
    bed.table.reads = [];
    await fn.onChange(echo);
    expect(bed.table.reads).toEqual([]);
  });
});

describe("a table that refuses now and then", () => {
  test("by throttling and by transactions that conflict keeps nothing from being done, and lets nothing be done twice", async () => {
    let faulty = false;
    let calls = 0;
    const faults = [undefined, "throttled", undefined, "conflict", "unanswered"] as const;
    const bed = createFunctionBed({
      tableOf: (table) => new FaultyTable(table, () => (faulty ? faults[++calls % faults.length] : undefined)),
    });
    const fn = bed.instance();
    const { pods, path, token } = await clusterWithWork(bed, fn, 4);
    faulty = true;
    const loops = bed.instance();
    await drainStream(bed, loops);
    // What could not be done in time is on the agenda.
    for (let minute = 1; minute < 4; minute++) await bed.instance(shifted(minute * 61_000)).reconcile();
    expect(calls).toBeGreaterThan(40);
    faulty = false;
    await bed.instance(shifted(5 * 61_000)).reconcile();
    await drainStream(bed, fn);
    expect(await pods(fn)).toEqual(placed(4));
    const events = (await fn.cluster("GET", `${path}/events`, token)).json();
    const made = events.items.filter(({ reason }: { reason: string }) => reason === "SuccessfulCreate");
    expect(made.length).toBeLessThanOrEqual(4);
  });

  test("one tenant for a while keeps no other waiting", async () => {
    let throttled = false;
    const bed = createFunctionBed({ tableOf: failing("acme", () => throttled, "Throttled") });
    const fn = bed.instance();
    const acme = await clusterWithWork(bed, fn, 2, "acme");
    const other = await clusterWithWork(bed, fn, 2, "other");
    throttled = true;
    const loops = bed.instance();
    expect(await loops.onChange(bed.table.stream.splice(0), 20_000)).toEqual({ batchItemFailures: [] });
    expect(await other.pods(fn)).toEqual(placed(2));
    throttled = false;
    await bed.instance(shifted(61_000)).reconcile();
    expect(await acme.pods(fn)).toEqual(placed(2));
  });
});

describe("a write that comes to an instance with the cluster in memory", () => {
  const lookedAtLease = (bed: Bed): boolean => bed.table.reads.some((pk) => pk.endsWith("#loops#records"));
  const configMap = (name: string, metadata: object = {}) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata } });

  async function warm() {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const made = await clusterWithWork(bed, fn, 1);
    await drainStream(bed, fn);
    const write = async (method: string, path: string, body: object): Promise<void> => {
      const answer = await fn.cluster(method, `${made.path}/${path}`, made.token, body);
      expect(answer.status).toBeLessThan(300);
      bed.table.reads = [];
      await fn.onChange(bed.table.stream.splice(0));
    };
    return { bed, fn, made, write };
  }

  test("takes no lease when it concerns no controller, no pod to be placed and no node; what concerns one is done afterwards all the same", async () => {
    const { bed, fn, made, write } = await warm();
    await write("POST", "configmaps", configMap("a"));
    expect(lookedAtLease(bed)).toBe(false);
    await write("PATCH", "configmaps/a", { data: { key: "value" } });
    expect(lookedAtLease(bed)).toBe(false);
    await write("PATCH", "replicationcontrollers/web", { spec: { replicas: 3 } });
    await drainStream(bed, fn);
    expect(await made.pods(fn)).toEqual(placed(3));
    expect(bed.logged).toEqual([]);
  });

  test("wakes the loops for an object whose owner is gone, of whatever kind", async () => {
    const { bed, fn, made, write } = await warm();
    const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "no-such", uid: "7d7bd4a4-45a5-4ea4-a6a9-6bd3a8b0c9a2" }];
    await write("POST", "configmaps", configMap("orphan", { ownerReferences }));
    expect(lookedAtLease(bed)).toBe(true);
    await drainStream(bed, fn);
    expect((await fn.cluster("GET", `${made.path}/configmaps/orphan`, made.token)).status).toBe(404);
  });

  test("wakes them for what a quota counts", async () => {
    const { bed, fn, made, write } = await warm();
    await write("POST", "resourcequotas", {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "few" },
      spec: { hard: { "count/configmaps": "9" } },
    });
    await drainStream(bed, fn);
    const used = async () =>
      (await fn.cluster("GET", `${made.path}/resourcequotas/few`, made.token)).json().status.used["count/configmaps"];
    const before = Number(await used());
    await write("POST", "configmaps", configMap("counted"));
    await drainStream(bed, fn);
    expect(Number(await used())).toBe(before + 1);
  });
});

describe("a reconciler", () => {
  test("that is killed in the middle leaves nothing that the next one cannot finish", async () => {
    let dead = false;
    let writes = 0;
    const dying = (table: Table): Table =>
      new Proxy(table, {
        get(target, name) {
          const value = Reflect.get(target, name);
          if (typeof value !== "function") return value;
          return async (...args: unknown[]) => {
            if (dead) return new Promise(() => {});
            const answer = await Reflect.apply(value, target, args);
            if (killing && name === "writeTogether" && ++writes === 3) dead = true;
            return dead ? new Promise(() => {}) : answer;
          };
        },
      });
    let killing = false;
    const bed = createFunctionBed({ tableOf: dying });
    const fn = bed.instance();
    const { pods } = await clusterWithWork(bed, fn, 4);
    const batch = bed.table.stream.splice(0);
    killing = true;
    void bed.instance().onChange(batch);
    await vi.waitUntil(() => dead, { timeout: 20_000 });
    // The process is gone; Lambda tells the batch again. The dead one's lease holds for a while.
    dead = false;
    killing = false;
    const next = bed.instance();
    await next.onChange(batch);
    const later = bed.instance(shifted(60_000));
    await later.reconcile();
    await drainStream(bed, later);
    expect(await pods(fn)).toEqual(placed(4));
  });

  test("that fails keeps nobody else from the cluster", async () => {
    let broken = false;
    const refused = (write: Write): boolean => broken && keyOfWrite(write).pk.includes("#marks#");
    const bed = createFunctionBed({ tableOf: (table) => refusing(table, refused) });
    const fn = bed.instance();
    const { pods, path, token } = await clusterWithWork(bed, fn, 1);
    broken = true;
    await bed.instance().onChange(bed.table.stream.splice(0));
    expect(bed.logged.join("")).toContain("cluster not turned");
    broken = false;
    await fn.cluster("PATCH", `${path}/replicationcontrollers/web`, token, { spec: { replicas: 3 } });
    await drainStream(bed, bed.instance());
    expect(await pods(fn)).toEqual(placed(3));
  });

  test("has not finished in time: the schedule goes on with it", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const { pods } = await clusterWithWork(bed, fn, 2);
    await fn.onChange(bed.table.stream.splice(0), 8001);
    bed.table.stream.splice(0);
    await fn.reconcile();
    expect(await pods(fn)).toEqual(placed(2));
  });

  test("and another one of the same cluster at the same time, by a clock that is half a minute ahead, waste work at the most", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const { pods } = await clusterWithWork(bed, fn, 5);
    const batch = bed.table.stream.splice(0);
    await Promise.all([fn.onChange(batch), bed.instance(shifted(30_500)).onChange(batch), bed.instance(shifted(-30_500)).onChange(batch)]);
    await drainStream(bed, fn);
    await bed.instance(shifted(61_000)).reconcile();
    await drainStream(bed, fn);
    expect(await pods(fn)).toEqual(placed(5));
  });

  test("turns what is due though the sweep fails, and says in the end that it did", async () => {
    let broken = false;
    const bed = createFunctionBed({ tableOf: (table) => unreadable(table, ({ pk }) => broken && pk.startsWith("platform#sweep")) });
    const fn = bed.instance();
    const { pods } = await clusterWithWork(bed, fn, 2);
    await fn.onChange(bed.table.stream.splice(0), 8001);
    bed.table.stream.splice(0);
    broken = true;
    await expect(fn.reconcile()).rejects.toMatchObject({ errors: [{ code: "Unavailable" }, { code: "Unavailable" }] });
    expect(await pods(fn)).toEqual(placed(2));
  });

  test("that cannot take one cluster off the agenda takes off the others", async () => {
    let stays = "";
    const isKept = (write: Write): boolean => write.kind === "delete" && stays !== "" && keyOfWrite(write).sk.endsWith(stays);
    const bed = createFunctionBed({ tableOf: (table) => refusing(table, isKept) });
    const fn = bed.instance();
    const made = [await clusterWithWork(bed, fn, 1, "acme"), await clusterWithWork(bed, fn, 1, "other")];
    await fn.onChange(bed.table.stream.splice(0), 8001);
    const noted = () => [...bed.table.items.values()].filter(({ pk }) => pk.startsWith("platform#agenda")).map(({ sk }) => sk);
    const before = noted();
    expect(before).toHaveLength(2);
    for (const { id } of made) {
      stays = id;
      await fn.reconcile();
    }
    expect(noted().filter((sk) => before.includes(sk))).toEqual([]);
    expect(bed.logged.join("")).toContain("agenda");
  });

  test("finds by its hourly sweep what no wake-up ever told of", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const { pods } = await clusterWithWork(bed, fn, 2);
    bed.table.stream.splice(0);
    await fn.reconcile();
    expect(await pods(fn)).toEqual(placed(2));
    bed.table.reads = [];
    await fn.reconcile();
    expect(bed.table.reads.filter((pk) => pk.includes("#log#") || pk.endsWith("#loops#records"))).toEqual([]);
  });
});

describe("a tenant", () => {
  test("whose cluster cannot be turned keeps no other from its turn, and has its own when it can be", async () => {
    let broken = false;
    const bed = createFunctionBed({ tableOf: failing("acme", () => broken) });
    const fn = bed.instance();
    const acme = await clusterWithWork(bed, fn, 2, "acme");
    const other = await clusterWithWork(bed, fn, 2, "other");
    broken = true;
    const loops = bed.instance();
    const answer = await loops.onChange(bed.table.stream.splice(0) satisfies StreamRecord[]);
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(await other.pods(fn)).toEqual(placed(2));
    broken = false;
    await bed.instance(shifted(6_000)).reconcile();
    expect(await acme.pods(fn)).toEqual(placed(2));
  });

  test("whose cluster cannot be read keeps the sweep from no other", async () => {
    const acmesHead = { pk: "" };
    const bed = createFunctionBed({ tableOf: (table) => unreadable(table, ({ pk }) => pk === acmesHead.pk) });
    const fn = bed.instance();
    const acme = await clusterWithWork(bed, fn, 2, "acme");
    const other = await clusterWithWork(bed, fn, 2, "other");
    bed.table.stream.splice(0);
    acmesHead.pk = headKey(scopeOf({ tenant: "acme", cluster: acme.id })).pk;
    await bed.instance().reconcile();
    expect(await other.pods(fn)).toEqual(placed(2));
    expect(bed.logged.join("")).toContain(acme.id);
  });

  test("whose cluster can be neither turned nor noted is asked for again, from its first record on", async () => {
    let broken = false;
    const bed = createFunctionBed({
      tableOf: (table) =>
        failing("acme", () => broken)(refusing(table, (write) => broken && keyOfWrite(write).pk.startsWith("platform#agenda"))),
    });
    const fn = bed.instance();
    await clusterWithWork(bed, fn, 2, "acme");
    const loops = bed.instance();
    await loops.onChange([]);
    broken = true;
    const batch = bed.table.stream.splice(0);
    const answer = await loops.onChange(batch);
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: batch[0]?.dynamodb.SequenceNumber }] });
  });
});

const failing =
  (tenant: string, isFailing: () => boolean, how: "Refused" | "Throttled" = "Refused") =>
  (table: Table): Table =>
    new Proxy(table, {
      get(target, name) {
        const value = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return async (...args: [unknown, ...unknown[]]) => {
          if (isFailing() && JSON.stringify(args[0]).includes(`"${tenant}#`)) throw new TableError(how, "injected");
          return Reflect.apply(value, target, args);
        };
      },
    });

const refusing = (table: Table, isRefused: (write: Write) => boolean): Table =>
  new Proxy(table, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name !== "write") return typeof value === "function" ? value.bind(target) : value;
      return async (write: Write) => {
        if (isRefused(write)) throw new TableError("Refused", "broken");
        return target.write(write);
      };
    },
  });
