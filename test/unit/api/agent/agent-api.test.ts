import { expect, test } from "vitest";
import { createAgentApi } from "../../../../shared/api/agent/agent-api.ts";
import type { PodStatusReport } from "../../../../shared/api/agent/pod-status-report.ts";
import type { PoolCluster } from "../../../../shared/api/agent/ports.ts";
import { type SyncRequestInput, type SyncResponse, syncBatchResponse, syncResponse } from "../../../../shared/api/agent/protocol.ts";
import { createStreamBroker } from "../../../../shared/api/agent/stream-broker.ts";
import { configMaps, events, nodes, pods, secrets, serviceAccounts, services } from "../../../../shared/kubernetes/known-resources.ts";
import type { ConfigMap, Node, Pod, Secret } from "../../../../shared/kubernetes/types.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";
import { createFakeClock } from "../../controllers/fake-clock.ts";
import { createFakeCluster } from "../../controllers/fake-cluster.ts";
import { createFakePool, describedNode } from "./fake-pool.ts";

function bed() {
  const clock = createFakeClock();
  const cluster = createFakeCluster(clock);
  const member: PoolCluster = { id: "c1", draining: false, apiPath: "/clusters/c1", view: cluster.view, client: cluster.client };
  const pool = createFakePool([member]);
  let ids = 0;
  const newId = () => `id${++ids}`;
  const streams = createStreamBroker({ clock, newId });
  const tokens = { issue: async () => ({ token: "jwt", expiresAtMs: clock.now() + 3_600_000 }) };
  const ports = { pool, tokens, streams, clock, log: silentLog, newId };
  const { app, close } = createAgentApi(ports);
  const post = (path: string, body: unknown, credential = "cred-n1") =>
    app.request(path, { method: "POST", headers: { authorization: `Bearer ${credential}` }, body: JSON.stringify(body) });
  const sync = async (request: SyncRequestInput): Promise<SyncResponse> => {
    const response = await post("/agent/v1/sync", request);
    expect(response.status).toBe(200);
    return syncResponse.parse(await response.json());
  };
  const join = () => post("/agent/v1/join", { token: "good", node: describedNode("n1") });
  const addPod = async (name: string, nodeName = "n1", spec: Partial<NonNullable<Pod["spec"]>> = {}) => {
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default" },
      spec: { nodeName, containers: [{ name: "main", image: "i" }], ...spec },
    };
    return (await cluster.client.create(pods, pod)).object.metadata.uid ?? "";
  };
  return { app, clock, cluster, close, pool, post, sync, join, addPod, streams, member, ports };
}

const running: PodStatusReport = {
  phase: "Running",
  conditions: [{ type: "Ready", status: "True" }],
  containerStatuses: [{ name: "main", ready: true, restartCount: 0, image: "i", imageID: "" }],
  initContainerStatuses: [],
};

test("a join makes a ready Node object in every cluster of the pool", async () => {
  const { join, cluster } = bed();
  const response = await join();
  expect(response.status).toBe(201);
  expect(await response.json()).toMatchObject({ pool: "p1", nodeName: "n1", credential: "cred-n1", clusters: [{ id: "c1" }] });
  const node = cluster.get<Node>(nodes, "", "n1");
  expect(node?.metadata.labels).toMatchObject({
    "kubernetes.io/hostname": "n1",
    "kubernetes.io/arch": "amd64",
    "coracle.dev/pool": "p1",
    "coracle.dev/runtime": "process",
    zone: "z1",
  });
  expect(node?.metadata.annotations).toMatchObject({ "coracle.dev/images-ignored": "true" });
  expect(node?.spec?.taints).toBeUndefined();
  expect(node?.status?.conditions?.[0]).toMatchObject({ type: "Ready", status: "True", reason: "KubeletReady" });
});

test.each([
  ["nope", 401],
  ["late", 410],
  ["spent", 410],
])("a join with a bad token (%s) is refused with a problem of status %i", async (token, status) => {
  const { post, cluster } = bed();
  const response = await post("/agent/v1/join", { token, node: describedNode("n1") });
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(cluster.all(nodes)).toHaveLength(0);
});

test("a sync of an unknown credential is 401, of a removed node 410, of a bad body 400", async () => {
  const { post, pool } = bed();
  expect((await post("/agent/v1/sync", {}, "x")).status).toBe(401);
  expect((await post("/agent/v1/sync", { waitSeconds: -1 })).status).toBe(400);
  pool.removed.add("n1");
  expect((await post("/agent/v1/sync", {})).status).toBe(410);
});

test("the first sync tells the whole state, the next only what changed, and an idle one nothing", async () => {
  const { join, sync, addPod, cluster } = bed();
  await join();
  const uid = await addPod("a");
  await addPod("elsewhere", "n2");
  const first = await sync({ marks: {} });
  expect(first.news[0]).toMatchObject({ id: "c1", full: true });
  expect(first.news[0]?.pods.map((pod) => pod.metadata.name)).toEqual(["a"]);
  const mark = first.news[0]?.mark ?? "";
  expect((await sync({ marks: { c1: mark } })).news).toEqual([]);
  await addPod("b");
  const second = await sync({ marks: { c1: mark } });
  expect(second.news[0]?.full).toBe(false);
  expect(second.news[0]?.pods.map((pod) => pod.metadata.name)).toEqual(["b"]);
  await cluster.client.delete(pods, "default", "a", { gracePeriodSeconds: 0 });
  const third = await sync({ marks: { c1: second.news[0]?.mark ?? "" } });
  expect(third.news[0]?.removedPods).toEqual([uid]);
});

test("a mark of another server process is answered with the whole state", async () => {
  const { join, sync, addPod } = bed();
  await join();
  await addPod("a");
  expect((await sync({ marks: { c1: "other.5" } })).news[0]).toMatchObject({ full: true, pods: [{ metadata: { name: "a" } }] });
});

test("a pod's own status report does not come back as news", async () => {
  const { join, sync, addPod, cluster } = bed();
  await join();
  const uid = await addPod("a");
  const mark = (await sync({ marks: {} })).news[0]?.mark ?? "";
  await sync({ statuses: [{ cluster: "c1", namespace: "default", name: "a", uid, status: running }] });
  expect(cluster.get<Pod>(pods, "default", "a")?.status?.phase).toBe("Running");
  expect((await sync({ marks: { c1: mark } })).news).toEqual([]);
});

test("a pod ends once: what its node says of it afterwards is not taken", async () => {
  const { join, sync, addPod, cluster } = bed();
  await join();
  const uid = await addPod("a");
  const phases: unknown[] = [];
  for (const phase of ["Running", "Succeeded", "Failed", "Running"] as const) {
    await sync({ statuses: [{ cluster: "c1", namespace: "default", name: "a", uid, status: { ...running, phase } }] });
    phases.push(cluster.get<Pod>(pods, "default", "a")?.status?.phase);
  }
  expect(phases).toEqual(["Running", "Succeeded", "Succeeded", "Succeeded"]);
});

test("a node tells of no pods but its own", async () => {
  const { join, sync, addPod, cluster } = bed();
  await join();
  const uid = await addPod("other", "n2");
  const own = await addPod("own");
  const statuses = [
    { cluster: "c1", namespace: "default", name: "other", uid, status: running },
    { cluster: "c1", namespace: "default", name: "own", uid: "wrong", status: running },
  ];
  await sync({ statuses, ended: [{ cluster: "c1", namespace: "default", name: "own", uid: own }] });
  expect(cluster.get<Pod>(pods, "default", "other")?.status?.phase).toBeUndefined();
  expect(cluster.get<Pod>(pods, "default", "own")?.status?.phase).toBeUndefined();
});

test("a pod that is being deleted goes once its node says that it has ended", async () => {
  const { join, sync, addPod, cluster } = bed();
  await join();
  const uid = await addPod("a");
  await cluster.client.delete(pods, "default", "a", { gracePeriodSeconds: 30 });
  expect(cluster.get<Pod>(pods, "default", "a")?.metadata.deletionTimestamp).toBeDefined();
  const answer = await sync({ ended: [{ cluster: "c1", namespace: "default", name: "a", uid }] });
  expect(answer.retry).toEqual([]);
  expect(cluster.get<Pod>(pods, "default", "a")).toBeUndefined();
});

test("a pod brings the ConfigMaps and Secrets it names and no others, and their changes follow", async () => {
  const { join, sync, addPod, cluster } = bed();
  await join();
  const configMap = (name: string): ConfigMap => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "default" },
    data: { a: "1" },
  });
  const secret: Secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "hidden", namespace: "default" } };
  await cluster.client.create(configMaps, configMap("used"));
  await cluster.client.create(configMaps, configMap("unused"));
  await cluster.client.create(secrets, secret);
  await addPod("a", "n1", { volumes: [{ name: "v", configMap: { name: "used" } }] });
  const first = (await sync({ marks: {} })).news[0];
  expect(first?.configMaps.map(({ metadata }) => metadata.name)).toEqual(["used"]);
  expect(first?.secrets).toEqual([]);
  await cluster.client.patch(configMaps, "default", "unused", { type: "merge", body: { data: { a: "2" } } });
  expect((await sync({ marks: { c1: first?.mark ?? "" } })).news).toEqual([]);
  await cluster.client.patch(configMaps, "default", "used", { type: "merge", body: { data: { a: "2" } } });
  const second = (await sync({ marks: { c1: first?.mark ?? "" } })).news[0];
  expect(second?.configMaps[0]?.data).toEqual({ a: "2" });
  expect(second?.pods).toEqual([]);
  await cluster.client.delete(configMaps, "default", "used");
  const third = (await sync({ marks: { c1: second?.mark ?? "" } })).news[0];
  expect(third?.removed).toEqual([{ resource: "configmaps", namespace: "default", name: "used" }]);
});

test("services are told only to nodes that route, removals included", async () => {
  const { join, sync, cluster } = bed();
  await join();
  await cluster.client.create(services, { apiVersion: "v1", kind: "Service", metadata: { name: "s", namespace: "default" } });
  expect((await sync({ marks: {} })).news[0]?.services).toEqual([]);
  const first = (await sync({ marks: {}, routes: true })).news[0];
  expect(first?.services).toHaveLength(1);
  await cluster.client.delete(services, "default", "s");
  const second = (await sync({ marks: { c1: first?.mark ?? "" }, routes: true })).news[0];
  expect(second?.removed).toEqual([{ resource: "services", namespace: "default", name: "s" }]);
  expect((await sync({ marks: { c1: first?.mark ?? "" } })).news).toEqual([]);
});

test("a held sync answers as soon as a pod is bound, and empty when time is up", async () => {
  const { join, sync, addPod, clock } = bed();
  await join();
  const mark = (await sync({ marks: {} })).news[0]?.mark ?? "";
  const held = sync({ marks: { c1: mark }, waitSeconds: 20 });
  await new Promise((resolve) => setImmediate(resolve));
  await addPod("a");
  expect((await held).news[0]?.pods).toHaveLength(1);
  const mark2 = (await sync({ marks: { c1: mark } })).news[0]?.mark ?? "";
  const idle = sync({ marks: { c1: mark2 }, waitSeconds: 20 });
  await new Promise((resolve) => setTimeout(resolve, 5));
  clock.advance(20_000);
  expect((await idle).news).toEqual([]);
});

test("a cluster that leaves the pool ends a held sync and is no longer named", async () => {
  const { join, sync, pool } = bed();
  await join();
  const mark = (await sync({ marks: {} })).news[0]?.mark ?? "";
  const held = sync({ marks: { c1: mark }, waitSeconds: 20 });
  await new Promise((resolve) => setTimeout(resolve, 5));
  pool.clusters.length = 0;
  pool.changed();
  expect((await held).clusterIds).toEqual([]);
});

test("tokens are issued for the node's own pods under their own ServiceAccount only", async () => {
  const { join, sync, addPod, cluster } = bed();
  await join();
  await cluster.client.create(serviceAccounts, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "default" },
  });
  const podUid = await addPod("a");
  const other = await addPod("b", "n2");
  const request = { cluster: "c1", namespace: "default", podUid, serviceAccount: "default", audience: "", expirationSeconds: 3600 };
  const { tokens } = await sync({
    tokenRequests: [request, { ...request, podUid: other }, { ...request, serviceAccount: "admin" }],
  });
  expect(tokens.map(({ token }) => token)).toEqual(["jwt", undefined, undefined]);
});

test("events are made once and then counted, and only about the node's own pods", async () => {
  const { join, sync, addPod, cluster } = bed();
  await join();
  const uid = await addPod("a");
  const other = await addPod("b", "n2");
  const event = (name: string, podUid: string, count: number) => ({
    cluster: "c1",
    name: `${name}.1`,
    namespace: "default",
    involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "default", name, uid: podUid },
    type: "Normal" as const,
    reason: "Started",
    message: "Started container main",
    count,
    firstTimestamp: "2026-01-01T00:00:00Z",
    lastTimestamp: "2026-01-01T00:00:00Z",
    component: "kubelet",
  });
  await sync({ events: [event("a", uid, 1), event("b", other, 1)] });
  await sync({ events: [event("a", uid, 2)] });
  expect(cluster.all(events)).toMatchObject([{ metadata: { name: "a.1" }, count: 2 }]);
});

test("a log request reaches the node in its sync and its bytes the caller", async () => {
  const { join, sync, app, streams } = bed();
  await join();
  const node = { pool: "p1", nodeName: "n1" };
  const target = { cluster: "c1", namespace: "default", pod: "a", podUid: "u", container: "main" };
  const opened = streams.open(node, { kind: "log", ...target, options: { follow: true } });
  // A call that asks for no news may be of an agent that only reports, or that finds out whether it is known.
  expect((await sync({})).streams).toEqual([]);
  const { streams: pending } = await sync({ marks: {} });
  expect(pending).toMatchObject([{ kind: "log", pod: "a", options: { follow: true } }]);
  expect((await sync({ marks: {} })).streams).toEqual([]);
  const path = `/agent/v1/streams/${pending[0]?.id}`;
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("hello"));
      controller.close();
    },
  });
  const foreign = await app.request(path, { method: "POST", headers: { authorization: "Bearer cred-n2" }, body: "stolen" });
  expect(foreign.status).toBe(404);
  const headers = { authorization: "Bearer cred-n1" };
  const posted = app.request(new Request(`http://server${path}`, { method: "POST", headers, body, duplex: "half" }));
  expect(await new Response(await opened).text()).toBe("hello");
  expect((await posted).status).toBe(204);
});

test("an unanswered stream request times out", async () => {
  const { streams, clock } = bed();
  const target = { cluster: "c1", namespace: "default", pod: "a", podUid: "u", container: "main" };
  const opened = streams.open({ pool: "p1", nodeName: "n1" }, { kind: "log", ...target, options: {} });
  clock.advance(30_000);
  await expect(opened).rejects.toMatchObject({ reason: "Timeout" });
});

test("a batch answers each node on its own", async () => {
  const { join, post, addPod } = bed();
  await join();
  await addPod("a");
  const response = await post("/agent/v1/sync-batch", {
    calls: [
      { credential: "cred-n1", sync: { marks: {} } },
      { credential: "bad", sync: { marks: {} } },
    ],
  });
  const { answers } = syncBatchResponse.parse(await response.json());
  expect(answers[0]).toMatchObject({ kind: "answer", answer: { news: [{ pods: [{ metadata: { name: "a" } }] }] } });
  expect(answers[1]).toMatchObject({ kind: "problem", problem: { status: 401 } });
});

test("a node called unknown by the cluster becomes ready again with its next sync", async () => {
  const { join, sync, cluster } = bed();
  await join();
  cluster.edit<Node>(nodes, "", "n1", (node) => {
    for (const condition of node.status?.conditions ?? []) condition.status = "Unknown";
    return node;
  });
  await sync({});
  expect(cluster.get<Node>(nodes, "", "n1")?.status?.conditions?.[0]?.status).toBe("True");
});

test("the Node's pod range is the one that its pods have, once that is the node's, and is never changed", async () => {
  const { post, sync, cluster } = bed();
  const node = describedNode("n1", "containerd");
  await post("/agent/v1/join", { token: "good", node: { ...node, podCidr: "10.244.5.0/24" }, networks: ["192.0.2.1/24"] });
  const range = () => cluster.get<Node>(nodes, "", "n1")?.spec?.podCIDRs;
  expect(range()).toBeUndefined();
  await sync({ node: { ...node, podCidr: "10.244.66.0/24" } });
  expect(range()).toBeUndefined();
  await sync({ node: { ...node, podCidr: "10.244.5.0/24" } });
  expect(range()).toEqual(["10.244.5.0/24"]);
  await sync({ node: { ...node, podCidr: "10.244.6.0/24" } });
  expect(range()).toEqual(["10.244.5.0/24"]);
});

test("a node that routes to other machines' pods hears of them when they change, and others do not", async () => {
  const { join, sync, pool, clock } = bed();
  await join();
  pool.peers = [{ podCidr: "10.244.0.0/24", nodeNames: ["n1"], internalIps: ["192.0.2.1"] }];
  expect((await sync({ marks: {} })).peers).toBeUndefined();
  const { news, peers } = await sync({ marks: {}, peersMark: "" });
  expect(peers).toMatchObject({ full: true, podCidr: "10.244.0.0/24", peers: [] });
  const marks = { c1: news[0]?.mark ?? "" };
  const held = sync({ marks, peersMark: peers?.mark ?? "", waitSeconds: 20 });
  const deaf = sync({ marks, waitSeconds: 20 });
  let deafAnswered = false;
  void deaf.then(() => {
    deafAnswered = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  pool.peers = [...pool.peers, { podCidr: "10.244.1.0/24", nodeNames: ["n2"], internalIps: ["192.0.2.2"] }];
  pool.peersChanged();
  clock.advance(250);
  const answer = await held;
  expect(answer.peers).toMatchObject({ full: false, peers: [{ nodeName: "n2", podCidr: "10.244.1.0/24", internalIps: ["192.0.2.2"] }] });
  expect((await sync({ marks, peersMark: answer.peers?.mark ?? "" })).peers).toBeUndefined();
  expect(deafAnswered).toBe(false);
  clock.advance(20_000);
  await deaf;
});
