import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { open } from "lmdb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Node, Pod } from "../../shared/kubernetes/types.ts";
import { eventually, untilTrue } from "./eventually.ts";
import type { HttpRequest } from "./http.ts";
import { shellPod, yamlOf } from "./manifests.ts";
import { itWith, needs } from "./needs.ts";
import { isRunning } from "./processes.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

interface Cluster {
  readonly id: string;
  readonly name: string;
  readonly pool: string;
  readonly state: string;
  readonly nodes: number;
}
interface Page<T> {
  readonly items: readonly T[];
}
interface Problem {
  readonly type: string;
  readonly status: number;
  readonly title: string;
}

describe("clusters over the command line and HTTP", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server?.stop());

  const kubeconfigOf = async (name: string): Promise<string> => {
    const path = join(server.dataDirectory, "..", `${name}.kubeconfig`);
    await writeFile(path, (await server.coracle(`cluster kubeconfig ${name}`)).stdout, { mode: 0o600 });
    return path;
  };
  const post = (path: string, body: unknown, request: HttpRequest = {}) => server.platform.send(path, { ...request, method: "POST", body });

  itWith([needs.kubectl], "come, are worked with, grow, shrink and go", async () => {
    const created = JSON.parse((await server.coracle("cluster create boat --nodes 2 --runtime hollow -o json")).stdout);
    expect(created).toMatchObject({ name: "boat", state: "ready", nodes: 2 });
    const kubeconfig = await kubeconfigOf("boat");
    const readyNodes = async (): Promise<string[]> => {
      const { items } = await server.get<{ items: Node[] }>("get nodes", { kubeconfig });
      const ready = items.filter(({ status }) => status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"));
      return ready.map(({ metadata }) => metadata.name ?? "").sort();
    };
    const nodesAre = (...names: string[]) =>
      eventually(`nodes ${names}`, async () => ((await readyNodes()).join() === names.join() ? true : undefined), { withinSeconds: 60 });
    await nodesAre("boat-0", "boat-1");
    await server.kubectl("create deployment web --image=x --replicas=4", { kubeconfig });
    await server.kubectl("rollout status deployment/web --timeout=60s", { kubeconfig });
    await server.coracle("cluster resize boat --nodes 3");
    await nodesAre("boat-0", "boat-1", "boat-2");
    await server.coracle("cluster resize boat --nodes 1");
    await nodesAre("boat-0");
    await server.kubectl("rollout status deployment/web --timeout=60s", { kubeconfig });
    const pods = await server.get<{ items: Pod[] }>("get pods -l app=web", { kubeconfig });
    const serving = pods.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    expect(serving.map(({ spec }) => spec?.nodeName)).toEqual(["boat-0", "boat-0", "boat-0", "boat-0"]);
    await server.coracle("cluster resize boat --nodes 2");
    await nodesAre("boat-0", "boat-1");
    await server.coracle("cluster delete boat");
    expect((await server.kubectl("get nodes", { kubeconfig, mayFail: true })).code).toBe(1);
    expect((await server.coracle("cluster get boat", { mayFail: true })).code).toBe(3);
  });

  itWith([needs.kubectl, needs.sh, needs.linux], "end their processes when they are deleted, and leave nothing in the store", async () => {
    const { id, pool } = JSON.parse((await server.coracle("cluster create brief --nodes 1 --runtime process -o json")).stdout) as Cluster;
    const kubeconfig = await kubeconfigOf("brief");
    await server.kubectl("wait --for=create node/brief-0 serviceaccount/default --timeout=60s", { kubeconfig }).catch(() => {});
    await server.kubectl("wait --for=condition=Ready node/brief-0 --timeout=60s", { kubeconfig });
    await server.kubectl("create secret generic kept --from-literal=a=b", { kubeconfig });
    const pod = shellPod("worker", "echo pid $$$$; while :; do sleep 0.1; done");
    await eventually("the pod is taken", () => server.kubectl("create -f -", { kubeconfig, stdin: yamlOf(pod) }));
    const pid = Number(
      await eventually("its pid", async () => /pid (\d+)/.exec((await server.kubectl("logs worker", { kubeconfig })).stdout)?.[1]),
    );
    expect(isRunning(pid)).toBe(true);
    expect(traces(server.dataDirectory, [id, pool]).length).toBeGreaterThan(3);
    await server.coracle("cluster delete brief --timeout 60s");
    await untilTrue("the process has ended", async () => !isRunning(pid));
    await eventually("the store holds no trace", async () => {
      const left = traces(server.dataDirectory, [id, pool]);
      if (left.length === 0) return true;
      throw new Error(left.join("\n"));
    });
  });

  itWith(
    [needs.sh, needs.linux],
    "have the machines that were asked for, whoever takes one away and whenever the server dies",
    async () => {
      const { id, pool } = JSON.parse(
        (await server.coracle("cluster create steady --nodes 2 --runtime process -o json")).stdout,
      ) as Cluster;
      const machines = async () =>
        (await server.platform.send(`/v1/pools/${pool}/nodes`)).json<Page<{ name: string; joinedAt: string }>>().items;
      const namesAre = (...names: string[]) =>
        untilTrue(`machines ${names}`, async () => (await machines()).map(({ name }) => name).join() === names.join(), {
          withinSeconds: 60,
        });
      await namesAre("steady-0", "steady-1");
      const former = (await machines()).find(({ name }) => name === "steady-1")?.joinedAt;
      await server.coracle("node delete steady-1 --cluster steady");
      await untilTrue("another machine", async () =>
        (await machines()).some(({ name, joinedAt }) => name === "steady-1" && joinedAt !== former),
      );
      expect((await server.platform.send(`/v1/clusters/${id}`, { method: "PATCH", body: { nodes: 0 } })).status).toBe(200);
      await server.kill("SIGKILL");
      await server.restart();
      await namesAre();
      // What a machine kept goes after the machine.
      await untilTrue("nothing of them", async () => (await readdir(join(server.dataDirectory, "agents", pool))).join() === "prefix");
      await server.coracle("cluster delete steady");
    },
  );

  it("are made once for one Idempotency-Key, whatever becomes of the answer", async () => {
    const headers = { "idempotency-key": "again-and-again" };
    const first = await post("/v1/clusters", { name: "once" }, { headers });
    const second = await post("/v1/clusters", { name: "once" }, { headers });
    expect([first.status, second.status, second.headers["idempotency-replayed"]]).toEqual([201, 201, "true"]);
    expect(second.text).toBe(first.text);
    const other = await post("/v1/clusters", { name: "other" }, { headers });
    expect([other.status, other.json<Problem>().title]).toEqual([422, "The Idempotency-Key was used for another request"]);
    const atOnce = await Promise.all(
      Array.from({ length: 8 }, () => post("/v1/clusters", { name: "race" }, { headers: { "idempotency-key": "race" } })),
    );
    expect(atOnce.filter(({ status }) => status !== 201 && status !== 409)).toEqual([]);
    expect(new Set(atOnce.filter(({ status }) => status === 201).map(({ text }) => text)).size).toBe(1);
    const { items } = (await server.platform.send("/v1/clusters?limit=100")).json<Page<Cluster>>();
    expect(items.filter(({ name }) => name === "once" || name === "race")).toHaveLength(2);
  });

  it("of two tenants are strangers: absent and foreign look the same on every surface", async () => {
    expect((await post("/v1/tenants", { name: "Other", id: "other" })).status).toBe(201);
    const scopes = ["clusters:write", "nodes:write", "keys:write"];
    const { key } = (await post("/v1/tenants/other/keys", { name: "k", scopes })).json<{ key: string }>();
    const mine = (await post("/v1/clusters", { name: "secretive" })).json<Cluster>();
    const theirs = (await post("/v1/clusters", { name: "secretive" }, { token: key })).json<Cluster>();
    expect(theirs.id).not.toBe(mine.id);

    const seen = (await server.platform.send("/v1/clusters?limit=100", { token: key })).json<Page<Cluster>>();
    expect(seen.items.map(({ id }) => id)).toEqual([theirs.id]);
    const bare = ({ status, text }: { status: number; text: string }, id: string) => ({
      status,
      text: text.replaceAll(id, "ID").replace(/"(instance|requestId)":"[^"]*"/g, ""),
    });
    const routes: readonly { path: (id: string) => string; request?: HttpRequest; id: string; absent: string }[] = [
      { path: (id) => `/v1/clusters/${id}`, id: mine.id, absent: absentLike(mine.id) },
      { path: (id) => `/v1/clusters/${id}`, request: { method: "PATCH", body: { nodes: 3 } }, id: mine.id, absent: absentLike(mine.id) },
      { path: (id) => `/v1/clusters/${id}`, request: { method: "DELETE" }, id: mine.id, absent: absentLike(mine.id) },
      { path: (id) => `/v1/clusters/${id}/credentials`, request: { method: "POST", body: {} }, id: mine.id, absent: absentLike(mine.id) },
      { path: (id) => `/v1/pools/${id}`, id: mine.pool, absent: absentLike(mine.pool) },
      { path: (id) => `/v1/pools/${id}/nodes`, id: mine.pool, absent: absentLike(mine.pool) },
      { path: (id) => `/v1/pools/${id}/join-tokens`, request: { method: "POST", body: {} }, id: mine.pool, absent: absentLike(mine.pool) },
    ];
    for (const { path, request = {}, id, absent } of routes) {
      const foreign = await server.platform.send(path(id), { ...request, token: key });
      const nothing = await server.platform.send(path(absent), { ...request, token: key });
      expect(foreign.status, path(id)).toBe(404);
      expect(bare(foreign, id)).toEqual(bare(nothing, absent));
    }

    const { token } = (await post(`/v1/clusters/${theirs.id}/credentials`, {}, { token: key })).json<{ token: string }>();
    expect((await server.platform.send(`/clusters/${theirs.id}/api/v1/namespaces`, { token })).status).toBe(200);
    expect((await server.platform.send("/api/v1/namespaces", { token })).status).toBe(200);
    const foreign = await server.platform.send(`/clusters/${mine.id}/api/v1/namespaces`, { token });
    const nothing = await server.platform.send(`/clusters/${absentLike(mine.id)}/api/v1/namespaces`, { token });
    expect([foreign.status, foreign.text]).toEqual([404, nothing.text]);
    expect((await server.platform.send("/v1/clusters", { token })).status).toBe(401);
    expect((await server.api.send("/api/v1/namespaces", { token: key })).status).toBe(401);
  });

  it("take no token that is wrong, missing or of another kind", async () => {
    for (const token of ["none", "nonsense", "ck_live_0000000000000000", "a.b.c"]) {
      expect([token, (await server.platform.send("/v1/clusters", { token })).status]).toEqual([token, 401]);
      const cluster = await server.api.send("/api/v1/namespaces", { token });
      expect([token, [401, 403].includes(cluster.status)]).toEqual([token, true]);
      expect(cluster.json<{ kind: string }>().kind).toBe("Status");
      expect([token, (await server.platform.send("/agent/v1/sync", { method: "POST", body: {}, token })).status]).toEqual([token, 401]);
    }
  });

  it("let a machine join with a token as often as it says, and not after it is revoked", async () => {
    const { id, pool } = (await post("/v1/clusters", { name: "joined" })).json<Cluster>();
    const state = join(server.dataDirectory, "..", "joining");
    const tokenOf = async (maxUses: number) =>
      (await post(`/v1/pools/${pool}/join-tokens`, { ttlSeconds: 60, maxUses })).json<{ id: string; token: string }>();
    const { token } = await tokenOf(1);
    const joinArguments = (name: string, with_: string) =>
      ["node", "join", "--runtime", "hollow", "--name", name, "--token", with_, "--state-dir", join(state, name)] as const;
    const first = server.spawnCoracle(joinArguments("one", token));
    try {
      const nodes = async () =>
        (await server.platform.send(`/v1/pools/${pool}/nodes`)).json<Page<{ name: string }>>().items.map(({ name }) => name);
      await untilTrue("the node has joined", async () => (await nodes()).join() === "one");
      const second = await server.coracle(joinArguments("two", token), { mayFail: true });
      expect([second.code, second.stderr.split("\n").length]).toEqual([4, 2]);
      const revoked = await tokenOf(5);
      expect((await server.platform.send(`/v1/pools/${pool}/join-tokens/${revoked.id}`, { method: "DELETE" })).status).toBe(204);
      expect((await server.coracle(joinArguments("three", revoked.token), { mayFail: true })).code).toBe(4);
      const forged = await server.coracle(joinArguments("four", `${token.slice(0, -1)}x`), { mayFail: true });
      expect(forged.code).toBe(4);
      expect(await nodes()).toEqual(["one"]);
      expect((await server.platform.send(`/v1/clusters/${id}`)).status).toBe(200);
    } finally {
      first.kill("SIGTERM");
    }
  });
});

describe("bodies that are wrong", () => {
  let server: ServerFixture;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server?.stop());

  const hostile: Readonly<Record<string, string | Uint8Array>> = {
    nothing: "",
    text: "hello",
    "half an object": '{"metadata":{"name":"x"',
    "a number": "42",
    null: "null",
    "a list": "[]",
    "not UTF-8": Uint8Array.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
    "a hundred thousand brackets": "[".repeat(100_000),
    "a hundred thousand objects": '{"a":'.repeat(100_000),
    "a prototype": '{"__proto__":{"admin":true},"constructor":{"prototype":{}}}',
    "fields of the wrong type": '{"apiVersion":1,"kind":{},"metadata":[],"name":{},"token":[],"node":7,"marks":[],"nodes":"many","data":3}',
    "names that are no names": '{"metadata":{"name":"../../etc"},"name":"../../etc","token":"x","node":{"name":"../../etc"}}',
    "a huge number": '{"metadata":{"name":1e999},"spec":{"replicas":1e999},"nodes":1e999,"name":1e999,"data":[]}',
  };
  const state = async (): Promise<string> => {
    const paths = ["/v1/clusters", "/v1/pools", "/v1/keys"];
    const platform = await Promise.all(
      paths.map(async (path) => (await server.platform.send(path)).text.replaceAll(/"updatedAt":"[^"]*"/g, "")),
    );
    const kinds = ["/api/v1/configmaps", "/api/v1/pods", "/apis/apps/v1/deployments", "/api/v1/namespaces"];
    const cluster = await Promise.all(kinds.map(async (path) => (await server.api.send(path)).json<Page<unknown>>().items));
    return JSON.stringify([platform, cluster]);
  };

  const surfaces: readonly { surface: "cluster" | "platform" | "agent"; requests: readonly [string, string][] }[] = [
    {
      surface: "cluster",
      requests: [
        ["POST", "/api/v1/namespaces/default/configmaps"],
        ["PUT", "/api/v1/namespaces/default/configmaps/x"],
        ["PATCH", "/api/v1/namespaces/default"],
        ["POST", "/apis/apps/v1/namespaces/default/deployments"],
        ["POST", "/api/v1/namespaces/default/pods/x/binding"],
        ["POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"],
      ],
    },
    {
      surface: "platform",
      requests: [
        ["POST", "/v1/clusters"],
        ["POST", "/v1/pools"],
        ["POST", "/v1/keys"],
        ["POST", "/v1/tenants"],
        ["PATCH", "/v1/clusters/default"],
        ["POST", "/v1/clusters/default/credentials"],
      ],
    },
    {
      surface: "agent",
      requests: [
        ["POST", "/agent/v1/join"],
        ["POST", "/agent/v1/sync"],
        ["POST", "/agent/v1/sync-batch"],
      ],
    },
  ];

  for (const { surface, requests } of surfaces) {
    it(`are refused by the ${surface} API in its own form, and nothing is written`, async () => {
      const before = await state();
      let refused = 0;
      for (const [method, path] of requests) {
        for (const [title, body] of Object.entries(hostile)) {
          for (const type of surface === "cluster" ? contentTypes(method) : ["application/json", "text/plain"]) {
            const client = surface === "cluster" ? server.api : server.platform;
            const answer = await client.send(path, { method, body, headers: { "content-type": type } }).catch((error: unknown) => {
              throw new Error(`${method} ${path} ${title} ${type}: ${String(error)}`);
            });
            const what = `${method} ${path} ${title} ${type}: ${answer.status} ${answer.text.slice(0, 300)}`;
            expect(answer.status, what).toBeLessThan(500);
            // What is allowed to be empty is: credentials and reviews without fields, patches that change nothing.
            if (answer.status < 300) continue;
            refused++;
            if (surface === "cluster")
              expect(answer.json<{ kind: string; status: string }>(), what).toMatchObject({ kind: "Status", status: "Failure" });
            else {
              expect(answer.headers["content-type"], what).toContain("application/problem+json");
              expect(answer.json<Problem>().status, what).toBe(answer.status);
            }
          }
        }
      }
      expect(refused).toBeGreaterThan(requests.length * Object.keys(hostile).length * 0.7);
      expect(await state()).toBe(before);
      expect(server.output()).not.toMatch(/"level":"error"/);
    });
  }

  it("are refused as YAML too, without their aliases being multiplied", async () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      ...[..."bcdefghij"].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${"abcdefghij"[index]}`)}]`),
    ];
    const startedAt = performance.now();
    for (const body of [bomb.join("\n"), "a: *nothing", "\t- x", "kind: ConfigMap\nkind: ConfigMap", "--- 1\n--- 2"]) {
      const headers = { "content-type": "application/yaml" };
      const answer = await server.api.send("/api/v1/namespaces/default/configmaps", { method: "POST", body, headers });
      expect(answer.status, body.slice(0, 80) + answer.text).toBeGreaterThanOrEqual(400);
      expect(answer.status, body.slice(0, 80) + answer.text).toBeLessThan(500);
    }
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  it("are refused when they are too large: 3 MB of the cluster API, 1 MB of the platform's", async () => {
    const tooLarge = (bytes: number) =>
      JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "huge" }, data: { key: "x".repeat(bytes) } });
    const cluster = await server.api.send("/api/v1/namespaces/default/configmaps", { method: "POST", body: tooLarge(3.2 * 1024 * 1024) });
    expect([cluster.status, cluster.json<{ reason: string }>().reason]).toEqual([413, "RequestEntityTooLarge"]);
    const platform = await server.platform.send("/v1/clusters", {
      method: "POST",
      body: JSON.stringify({ name: "x".repeat(2 * 1024 * 1024) }),
      headers: { "content-type": "application/json" },
    });
    expect(platform.status).toBe(413);
    expect((await server.api.send("/api/v1/namespaces/default/configmaps/huge")).status).toBe(404);
    const large = await server.api.send("/api/v1/namespaces/default/configmaps", { method: "POST", body: tooLarge(1000 * 1024) });
    expect(large.status).toBe(201);
  });

  it("do not hold up others who ask meanwhile", async () => {
    const slow = Array.from({ length: 4 }, () =>
      server.api.send("/api/v1/namespaces/default/configmaps", {
        method: "POST",
        body: "[".repeat(1_000_000),
        headers: { "content-type": "application/json" },
      }),
    );
    const quick = await server.api.send("/api/v1/namespaces/default");
    expect(quick.status).toBe(200);
    for (const { status } of await Promise.all(slow)) expect(status).toBe(400);
  });
});

const contentTypes = (method: string): readonly string[] =>
  method === "PATCH"
    ? [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
      ]
    : ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "text/plain"];

/** An id of the same form that was never given out. */
const absentLike = (id: string): string => `${id.slice(0, -4)}${id.endsWith("0000") ? "1111" : "0000"}`;

/** Every entry of the store whose key or value names one of these ids, read beside the server. */
function traces(dataDirectory: string, ids: readonly string[]): string[] {
  const root = open<Buffer, Buffer>({
    path: join(dataDirectory, "store"),
    readOnly: true,
    maxDbs: 16,
    keyEncoding: "binary",
    encoding: "binary",
  });
  try {
    // The tables are opened before anything is read: doing so within a range ends the reader's transaction.
    const names = Array.from(root.getRange(), ({ key }) => key.toString().replace(/\0+$/, ""));
    const tables = names.map((name) => ({ name, table: root.openDB<Buffer, Buffer>({ name, keyEncoding: "binary", encoding: "binary" }) }));
    const found: string[] = [];
    for (const { name, table } of tables) {
      for (const { key, value } of table.getRange()) {
        const text = `${key.toString("latin1")} ${value.toString("latin1")}`;
        if (ids.some((id) => text.includes(id))) found.push(`${name}: ${text.replaceAll(/[^\x20-\x7e]/g, ".").slice(0, 200)}`);
      }
    }
    return found;
  } finally {
    void root.close();
  }
}
