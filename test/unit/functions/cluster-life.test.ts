import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { functionClock } from "../../../functions/clock.ts";
import { putAgenda } from "../../../shared/host/agenda.ts";
import { DynamoStore } from "../../../shared/store/dynamo/dynamo-store.ts";
import { createFakeClock } from "../controllers/fake-clock.ts";
import { createCluster, createFunctionBed, drainStream } from "./function-bed.ts";
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

describe("a cluster on functions", () => {
  test("is made, gets a node, and has the pods of a controller placed by what the stream wakes", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const made = await createCluster(bed, fn);
    const token = made.credentials.token as string;
    expect(made.credentials.kubeconfig).toContain(`https://clusters.example/clusters/${made.id}`);
    expect(made.credentials.kubeconfig).not.toContain("certificate-authority");
    const base = `/clusters/${made.id}/api/v1`;
    const joined = (await fn.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine("n1") })).json();
    expect(joined.clusters).toEqual([{ id: made.id, apiPath: `/clusters/${made.id}` }]);
    const created = await fn.cluster("POST", `${base}/namespaces/default/replicationcontrollers`, token, controller(3));
    expect(created.status).toBe(201);

    await drainStream(bed, fn);

    const pods = (await fn.cluster("GET", `${base}/namespaces/default/pods`, token)).json();
    expect(pods.items.map((pod: { spec: { nodeName?: string } }) => pod.spec.nodeName)).toEqual(["n1", "n1", "n1"]);
    const sync = await fn.agent("POST", "/agent/v1/sync", joined.credential, { marks: {} });
    const told = sync.json();
    expect(told.news[0].pods).toHaveLength(3);
    expect(bed.logged).toEqual([]);
  });

  test("tells nodes that pods of a deleted cluster are to end, though the stream has not come to it", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const made = await createCluster(bed, fn);
    const token = made.credentials.token as string;
    const base = `/clusters/${made.id}/api/v1/namespaces/default`;
    const joined = (await fn.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine("n1") })).json();
    await fn.cluster("POST", `${base}/replicationcontrollers`, token, controller(1));
    await drainStream(bed, fn);
    const before = (await fn.agent("POST", "/agent/v1/sync", joined.credential, { marks: {} })).json();
    expect(before.news[0].pods).toHaveLength(1);

    expect((await fn.platform("DELETE", `/v1/clusters/${made.id}`, made.key)).status).toBe(202);
    const told = bed.table.stream.splice(0).filter(({ dynamodb }) => dynamodb.Keys.pk.S === "platform#deleting#records");
    expect(told).toHaveLength(1);
    await fn.onChange(told, 9000);

    const marks = { [made.id]: before.news[0].mark };
    const after = (await fn.agent("POST", "/agent/v1/sync", joined.credential, { marks, state: before.state })).json();
    expect(after.news[0].pods[0].metadata.deletionTimestamp).toBeDefined();
  });

  test("that is deleted goes as soon as its pods have ended, told by an instance that never saw it before", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const made = await createCluster(bed, fn);
    const token = made.credentials.token as string;
    const joined = (await fn.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine("n1") })).json();
    const controllers = `/clusters/${made.id}/api/v1/namespaces/default/replicationcontrollers`;
    await fn.cluster("POST", controllers, token, controller(2));
    await drainStream(bed, fn);
    expect((await fn.platform("DELETE", `/v1/clusters/${made.id}`, made.key)).status).toBe(202);
    await fn.onChange(bed.table.stream.splice(0), 9000);
    expect((await fn.platform("GET", `/v1/clusters/${made.id}`, made.key)).status).toBe(200);

    const cold = bed.instance();
    const told = (await cold.agent("POST", "/agent/v1/sync", joined.credential, { marks: {} })).json();
    const pods = told.news[0].pods as { metadata: { name: string; uid: string; namespace: string; deletionTimestamp?: string } }[];
    expect(pods.map(({ metadata }) => metadata.deletionTimestamp)).toEqual([expect.any(String), expect.any(String)]);
    const ended = pods.map(({ metadata: { name, namespace, uid } }) => ({ cluster: made.id, name, namespace, uid }));
    await cold.agent("POST", "/agent/v1/sync", joined.credential, { ended });
    await cold.reconcile();
    expect((await fn.platform("GET", `/v1/clusters/${made.id}`, made.key)).status).toBe(404);
    expect(bed.logged).toEqual([]);
  });
});

describe("a cluster that was deleted by others", () => {
  test("costs an instance that hears late of its last changes no write", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const { id, key, credentials } = await createCluster(bed, fn);
    await fn.cluster("POST", `/clusters/${id}/api/v1/namespaces/default/configmaps`, credentials.token, {
      ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" } },
    });
    const late = bed.table.stream.slice();
    expect(late.length).toBeGreaterThan(0);
    await drainStream(bed, fn);
    expect((await fn.platform("DELETE", `/v1/clusters/${id}`, key)).status).toBe(202);
    await drainStream(bed, fn);
    expect((await fn.platform("GET", `/v1/clusters/${id}`, key)).status).toBe(404);
    const before = bed.table.writes;
    await bed.instance().onChange(late.filter(({ dynamodb }) => dynamodb.Keys.pk.S.includes("#log#")));
    expect(bed.table.writes).toBe(before);
    expect(bed.logged).toEqual([]);
  });

  test("is no fault of an instance that still has it in memory and is asked to look at it", async () => {
    const bed = createFunctionBed();
    const fn = bed.instance();
    const { id, key } = await createCluster(bed, fn);
    const store = new DynamoStore({ table: bed.table, clock: functionClock, random: Math.random, makeId: randomUUID });
    const askFor = async (): Promise<void> => {
      await store.writeRecords([putAgenda({ tenant: "acme", cluster: id }, Date.now() - 1)]);
      await fn.reconcile();
    };
    await askFor();
    expect((await fn.platform("DELETE", `/v1/clusters/${id}`, key)).status).toBe(202);
    await drainStream(bed, bed.instance());
    expect((await fn.platform("GET", `/v1/clusters/${id}`, key)).status).toBe(404);
    await askFor();
    expect(bed.logged).toEqual([]);
    expect([...bed.table.items.values()].filter(({ pk }) => pk.startsWith("platform#agenda"))).toEqual([]);
    await store.close();
  });
});

interface Used {
  readonly cluster: string | null;
  readonly nodeSeconds: number;
  readonly podSeconds: number;
}

/** A cluster with a machine, on functions whose clock is moved by hand, and what its tenant has used since. */
async function clusterAtTen() {
  const clock = createFakeClock(Date.UTC(2026, 4, 1, 10));
  const bed = createFunctionBed({ clock: { now: clock.now, after: functionClock.after } });
  const fn = bed.instance();
  const made = await createCluster(bed, fn);
  const joined = await fn.agent("POST", "/agent/v1/join", "", { token: made.join.token, node: machine("n1") });
  const usage = async (groupBy: string): Promise<Used[]> => {
    const scopes = ["usage:read"];
    const billing = await fn.platform("POST", "/v1/tenants/acme/keys", bed.operatorKey, { name: "billing", scopes });
    const query = `/v1/usage?from=2026-05-01T10:00:00Z&granularity=hour&groupBy=${groupBy}`;
    return (await fn.platform("GET", query, billing.json().key)).json().items;
  };
  return { clock, bed, fn, made, credential: joined.json().credential as string, usage };
}

describe("the usage of a cluster on functions", () => {
  test("is that of its node and its pods, however many instances saw them", async () => {
    const { clock, bed, fn, made, credential, usage } = await clusterAtTen();
    const other = bed.instance();
    const path = `/clusters/${made.id}/api/v1/namespaces/default/replicationcontrollers`;
    await fn.cluster("POST", path, made.credentials.token, controller(3));
    await drainStream(bed, fn);
    await fn.reconcile();
    for (let minute = 0; minute < 20; minute++) {
      for (const each of [fn, other]) {
        clock.advance(30_000);
        await each.agent("POST", "/agent/v1/sync", credential, { marks: {} });
      }
      await fn.reconcile();
    }
    const [used] = await usage("tenant");
    // Written every fifteen minutes; pods count from the schedule's first look at their cluster on, nodes up to their last call that was written.
    expect(used?.podSeconds).toBeGreaterThanOrEqual(2100);
    expect(used?.podSeconds).toBeLessThanOrEqual(3600);
    expect(used?.nodeSeconds).toBeGreaterThanOrEqual(600);
    expect(used?.nodeSeconds).toBeLessThanOrEqual(1200);
  });

  test("has the time of its machine while that has nothing to say, also by an instance that never had to look at the cluster", async () => {
    const { clock, bed, fn, made, credential, usage } = await clusterAtTen();
    await drainStream(bed, fn);
    const { state } = (await fn.agent("POST", "/agent/v1/sync", credential, { marks: {} })).json();
    const other = bed.instance();
    for (let minute = 0; minute < 20; minute++) {
      clock.advance(60_000);
      expect((await other.agent("POST", "/agent/v1/sync", credential, { marks: {}, state })).json().news).toEqual([]);
    }
    const used = (await usage("cluster")).filter(({ nodeSeconds }) => nodeSeconds > 0);
    expect(used.map(({ cluster }) => cluster)).toEqual([made.id]);
  });

  test("ends with the cluster, though another instance deleted it", async () => {
    const { clock, bed, fn, made, credential, usage } = await clusterAtTen();
    const other = bed.instance();
    const path = `/clusters/${made.id}/api/v1/namespaces/default/replicationcontrollers`;
    await fn.cluster("POST", path, made.credentials.token, controller(3));
    await drainStream(bed, fn);
    await fn.reconcile();
    await fn.platform("DELETE", `/v1/clusters/${made.id}`, made.key);
    await other.onChange(bed.table.stream.splice(0), 9000);
    const told = (await other.agent("POST", "/agent/v1/sync", credential, { marks: {} })).json();
    const pods = told.news[0].pods as { metadata: { name: string; uid: string; namespace: string } }[];
    const ended = pods.map(({ metadata: { name, namespace, uid } }) => ({ cluster: made.id, name, namespace, uid }));
    await other.agent("POST", "/agent/v1/sync", credential, { ended });
    await other.reconcile();
    for (let minute = 0; minute < 40; minute++) {
      clock.advance(60_000);
      await fn.reconcile();
    }
    const [used] = await usage("tenant");
    // Up to the schedule's next look.
    expect(used?.podSeconds).toBe(180);
  });
});
