import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { z } from "zod";
import { partitions, recordKeys } from "../../../shared/platform/record-keys.ts";
import { putRecord } from "../../../shared/platform/records.ts";
import type { clusterResource, credentialsResource } from "../../../shared/platform/resources.ts";
import { clusterPartitions } from "../../../shared/store/cluster-records.ts";
import { isStoreError } from "../../../shared/store/store.ts";
import { type Bench, openPlatform, type ProblemBody } from "./fixture.ts";

type Cluster = z.infer<typeof clusterResource>;
type Credentials = z.infer<typeof credentialsResource>;

describe("clusters", () => {
  let bench: Bench;
  const create = (body: unknown) => bench.expectStatus<Cluster>(201, bench.call("POST", "/v1/clusters", body));
  const problem = (status: number, answer: Promise<Response>) => bench.expectStatus<ProblemBody>(status, answer);
  const recordsOf = async (...names: string[]) => (await Promise.all(names.map((name) => bench.store.queryRecords(name)))).flat();

  beforeEach(async () => {
    bench = await openPlatform();
  });
  afterEach(() => bench.dispose());

  it("are ready in the transaction that makes them, with a pool of their own", async () => {
    const response = await bench.call("POST", "/v1/clusters", { name: "dev", nodes: 3, labels: { team: "core" } });
    const cluster = await bench.expectStatus<Cluster>(201, response);
    expect(cluster).toMatchObject({ name: "dev", state: "ready", nodes: 3, ownsPool: true, labels: { team: "core" } });
    expect(cluster.endpoint).toBe(`https://127.0.0.1:7443/clusters/${cluster.id}`);
    expect(response.headers.get("location")).toBe(`/v1/clusters/${cluster.id}`);
    expect(response.headers.get("etag")).toBe('"1"');
    expect(bench.world.created).toEqual(["dev"]);
    expect(bench.world.sizes).toEqual(new Map([["dev", 3]]));
    expect(await bench.store.head({ tenant: "acme", cluster: cluster.id })).toEqual({ revision: 1, floor: 0 });
    expect((await bench.platform.clusters.find(cluster.id))?.value.tenant).toBe("acme");
  });

  it("stay provisioning where the world needs time, until it says that they are ready", async () => {
    bench.world.readyAtOnce = false;
    const { id, state } = await create({ name: "dev" });
    expect(state).toBe("provisioning");
    await bench.platform.clusters.markReady("acme", id);
    expect((await bench.platform.clusters.get("acme", id)).value.state).toBe("ready");
  });

  it("pause and resume their scheduler, and say so", async () => {
    const { id, schedulingPaused } = await create({ name: "dev" });
    expect(schedulingPaused).toBe(false);
    const paused = await bench.expectStatus<Cluster>(200, bench.call("PATCH", `/v1/clusters/${id}`, { schedulingPaused: true }));
    expect(paused.schedulingPaused).toBe(true);
    expect(bench.world.paused).toEqual(new Map([["dev", true]]));
    const renamed = await bench.expectStatus<Cluster>(200, bench.call("PATCH", `/v1/clusters/${id}`, { name: "prod" }));
    expect(renamed.schedulingPaused).toBe(true);
    await bench.call("PATCH", `/v1/clusters/${id}`, { schedulingPaused: false });
    expect(bench.world.paused.get("prod")).toBe(false);
  });

  it("have names that are unique in a tenant, and another tenant's do not matter", async () => {
    await create({ name: "dev" });
    expect(await problem(409, bench.call("POST", "/v1/clusters", { name: "dev" }))).toMatchObject({ code: "name-taken" });
    await bench.platform.tenants.create({ id: "other", name: "Other" });
    const key = await bench.keyOf(["clusters:write"], "other");
    await bench.expectStatus(201, bench.call("POST", "/v1/clusters", { name: "dev" }, {}, key));
  });

  it("made at the same time under one name are one, and the loser leaves nothing", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => bench.call("POST", "/v1/clusters", { name: "dev" })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(409)]);
    expect(await recordsOf(partitions.clusters("acme"), partitions.pools("acme"))).toHaveLength(2);
  });

  it("are limited in number by their tenant, and a deleted one makes room", async () => {
    await bench.platform.tenants.create({ id: "small", name: "Small", maxClusters: 1 });
    const key = await bench.keyOf(["clusters:write"], "small");
    const { id } = await bench.expectStatus<Cluster>(201, bench.call("POST", "/v1/clusters", { name: "a" }, {}, key));
    expect(await problem(403, bench.call("POST", "/v1/clusters", { name: "b" }, {}, key))).toMatchObject({ code: "quota-exceeded" });
    await bench.call("DELETE", `/v1/clusters/${id}`, undefined, {}, key);
    await bench.platform.reaper.round();
    await bench.expectStatus(201, bench.call("POST", "/v1/clusters", { name: "b" }, {}, key));
  });

  it.each([
    ["a name that is no DNS label", { name: "Not_A_Name" }, "#/name"],
    ["no name", {}, "#/name"],
    ["an unknown field", { name: "a", colour: "red" }, "#/colour"],
    ["a negative size", { name: "a", nodes: -1 }, "#/nodes"],
    ["a label that Kubernetes would refuse", { name: "a", labels: { "a b": "c" } }, "#/labels/a%20b"],
    ["both a pool and a size", { name: "a", pool: "p1", nodes: 1 }, "#/pool"],
  ])("are refused with %s, and the answer points at it", async (_, body, pointer) => {
    const answer = await problem(422, bench.call("POST", "/v1/clusters", body));
    expect(answer.errors?.map((error) => error.pointer)).toContain(pointer);
    expect(await recordsOf(partitions.clusters("acme"))).toEqual([]);
  });

  it("are told what is wrong with a label's key, and have 64 labels at the most, however they come", async () => {
    const answer = await problem(422, bench.call("POST", "/v1/clusters", { name: "a", labels: { "a b": "c" } }));
    expect(answer.errors).toEqual([{ pointer: "#/labels/a%20b", detail: "a label key as Kubernetes spells it" }]);
    const many = (from: number) => Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`l${from + index}`, "x"]));
    const { id } = await create({ name: "a", labels: many(0) });
    const refused = await problem(422, bench.call("PATCH", `/v1/clusters/${id}`, { labels: many(30) }));
    expect(refused.errors).toEqual([{ pointer: "#/labels", detail: "at most 64 labels" }]);
    await bench.expectStatus(200, bench.call("PATCH", `/v1/clusters/${id}`, { labels: many(20) }));
  });

  it("are listed a page at a time, each once, and found by name", async () => {
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) {
      await create({ name });
      bench.clock.advance(1);
    }
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const query: string = `?limit=2${cursor === null ? "" : `&cursor=${cursor}`}`;
      const page: { items: Cluster[]; nextCursor: string | null } = await bench.expectStatus(
        200,
        bench.call("GET", `/v1/clusters${query}`),
      );
      seen.push(...page.items.map(({ name }) => name));
      cursor = page.nextCursor;
      pages++;
    } while (cursor !== null);
    expect(seen).toEqual(names);
    expect(pages).toBe(3);
    const found = await bench.expectStatus<{ items: Cluster[] }>(200, bench.call("GET", "/v1/clusters?name=c"));
    expect(found.items.map(({ name }) => name)).toEqual(["c"]);
  });

  it("are resized, renamed and labelled, and their pool follows", async () => {
    const { id, pool } = await create({ name: "dev", labels: { a: "1", b: "2" } });
    const updated = await bench.expectStatus<Cluster>(
      200,
      bench.call("PATCH", `/v1/clusters/${id}`, { name: "prod", nodes: 5, labels: { a: null, c: "3" } }),
    );
    expect(updated).toMatchObject({ name: "prod", nodes: 5, labels: { b: "2", c: "3" } });
    expect((await bench.platform.pools.get("acme", pool)).value).toMatchObject({ name: "prod", size: 5 });
    expect(bench.world.sizes.get("prod")).toBe(5);
    await create({ name: "dev" });
    expect(await problem(409, bench.call("PATCH", `/v1/clusters/${id}`, { name: "dev" }))).toMatchObject({ code: "name-taken" });
  });

  it("are changed only by who saw their newest state, when If-Match says what was seen", async () => {
    const { id } = await create({ name: "dev" });
    const path = `/v1/clusters/${id}`;
    const first = await bench.call("PATCH", path, { labels: { a: "1" } }, { "if-match": '"1"' });
    expect(first.headers.get("etag")).toBe('"2"');
    for (const tag of ['"1"', 'W/"2"', "x"])
      expect((await bench.call("PATCH", path, { labels: {} }, { "if-match": tag })).status).toBe(412);
    expect((await bench.call("PATCH", path, { labels: {} }, { "if-match": "*" })).status).toBe(200);
    expect((await bench.call("GET", path, undefined, { "if-none-match": '"3"' })).status).toBe(304);
  });

  it("keep every one of many changes made at once", async () => {
    const { id } = await create({ name: "dev" });
    const patches = Array.from({ length: 10 }, (_, index) => bench.call("PATCH", `/v1/clusters/${id}`, { labels: { [`l${index}`]: "x" } }));
    expect((await Promise.all(patches)).map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(Object.keys((await bench.platform.clusters.get("acme", id)).value.labels)).toHaveLength(10);
  });

  it("of another tenant and of nobody get the same answer", async () => {
    const { id } = await create({ name: "dev" });
    await bench.platform.tenants.create({ id: "other", name: "Other" });
    const key = await bench.keyOf(["clusters:write"], "other");
    const requests: [string, string, unknown][] = [
      ["GET", "", undefined],
      ["PATCH", "", { nodes: 1 }],
      ["DELETE", "", undefined],
      ["POST", "/credentials", {}],
    ];
    for (const [method, suffix, body] of requests) {
      const mine = await problem(404, bench.call(method, `/v1/clusters/${id}${suffix}`, body, {}, key));
      const none = await problem(404, bench.call(method, `/v1/clusters/cl-none${suffix}`, body, {}, key));
      expect(mine.detail.replace(id, "cl-none")).toBe(none.detail);
    }
    expect((await bench.platform.clusters.get("acme", id)).value.state).toBe("ready");
  });

  describe("that draw on one pool", () => {
    it("share it, do not resize it, and keep it when they go", async () => {
      const pool = await bench.expectStatus<{ id: string }>(201, bench.call("POST", "/v1/pools", { name: "shared", size: 2 }));
      const one = await create({ name: "one", pool: pool.id });
      const two = await create({ name: "two", pool: pool.id });
      expect(one).toMatchObject({ nodes: 2, ownsPool: false, pool: pool.id });
      expect(await bench.platform.pools.clustersOn("acme", pool.id)).toEqual([one.id, two.id].sort());
      expect(await problem(409, bench.call("PATCH", `/v1/clusters/${one.id}`, { nodes: 3 }))).toMatchObject({ code: "conflict" });
      expect(await problem(409, bench.call("DELETE", `/v1/pools/${pool.id}`))).toMatchObject({ code: "in-use" });
      for (const { id } of [one, two]) await bench.expectStatus(202, bench.call("DELETE", `/v1/clusters/${id}`));
      expect(await bench.platform.reaper.round()).toBe(0);
      await bench.expectStatus(204, bench.call("DELETE", `/v1/pools/${pool.id}`));
    });

    it("find no pool of another tenant", async () => {
      await bench.platform.tenants.create({ id: "other", name: "Other" });
      const pool = await bench.platform.pools.create("other", { name: "theirs", size: 0, runtime: "auto", labels: {}, taints: [] });
      expect((await bench.call("POST", "/v1/clusters", { name: "a", pool: pool.value.id })).status).toBe(404);
    });

    it("keep a pool whose own cluster goes", async () => {
      const owner = await create({ name: "owner", nodes: 1 });
      const guest = await create({ name: "guest", pool: owner.pool });
      await bench.expectStatus(202, bench.call("DELETE", `/v1/clusters/${owner.id}`));
      await bench.platform.reaper.round();
      expect((await bench.platform.pools.get("acme", owner.pool)).value.ownerCluster).toBeUndefined();
      expect((await bench.platform.clusters.get("acme", guest.id)).value.state).toBe("ready");
    });

    it("cannot begin to draw on one that goes with its cluster", async () => {
      const owner = await create({ name: "owner" });
      await bench.expectStatus(202, bench.call("DELETE", `/v1/clusters/${owner.id}`));
      expect(await problem(409, bench.call("POST", "/v1/clusters", { name: "late", pool: owner.pool }))).toMatchObject({
        code: "conflict",
      });
    });
  });

  describe("that are deleted", () => {
    it("are those of which it was asked: word of it alone does nothing, and goes", async () => {
      const { id } = await create({ name: "dev" });
      const mark = recordKeys.deletingCluster("acme", id);
      await bench.store.writeRecords([putRecord(mark, 0, { tenant: "acme", cluster: id })]);
      expect(await bench.platform.reaper.round()).toBe(0);
      expect((await bench.platform.clusters.get("acme", id)).value.state).toBe("ready");
      expect(await bench.store.getRecords([mark])).toEqual([undefined]);
    });

    it("are deleting until the world is done, and then nothing of them is left", async () => {
      const { id, pool } = await create({ name: "dev", nodes: 1 });
      const ref = { tenant: "acme", cluster: id };
      const key = { group: "", resource: "configmaps", namespace: "default", name: "a" };
      await bench.store.commit(ref, [{ kind: "put", key, expected: 0, object: { metadata: { name: "a", namespace: "default" } } }]);
      const { token } = await bench.platform.joinTokens.create("acme", pool, { ttlSeconds: 60 });
      await bench.platform.nodes.join(token, { name: "n1", machineId: "m1", runtime: "process" });
      const own = Object.values(clusterPartitions).map((partitionOf) => partitionOf(ref));
      await bench.store.writeRecords(own.map((partition) => putRecord({ partition, sort: "a" }, 0, {})));
      bench.world.deleting = "pending";
      const gone = await bench.expectStatus<Cluster>(202, bench.call("DELETE", `/v1/clusters/${id}`));
      expect(gone.state).toBe("deleting");
      expect(await problem(409, bench.call("POST", `/v1/clusters/${id}/credentials`, {}))).toMatchObject({ code: "conflict" });
      expect(await problem(409, bench.call("PATCH", `/v1/clusters/${id}`, { nodes: 2 }))).toMatchObject({ code: "conflict" });
      expect(await bench.platform.reaper.round()).toBe(1);
      bench.world.deleting = "done";
      expect(await bench.platform.reaper.round()).toBe(0);
      expect((await bench.call("GET", `/v1/clusters/${id}`)).status).toBe(404);
      expect(bench.world.removedNodes).toEqual(["n1"]);
      await expect(bench.store.head(ref)).rejects.toSatisfy((error) => isStoreError(error, "NoSuchCluster"));
      const left = await recordsOf(
        ...own,
        partitions.clusters("acme"),
        partitions.pools("acme"),
        partitions.poolClusters("acme", pool),
        partitions.nodes("acme", pool),
        partitions.heartbeats("acme", pool),
        partitions.joinTokens("acme", pool),
        partitions.deletingClusters,
        recordKeys.clusterName("acme", "dev").partition,
        recordKeys.poolName("acme", "dev").partition,
        recordKeys.clusterTenant(id).partition,
      );
      expect(left).toEqual([]);
      await create({ name: "dev" });
    });

    it("are finished by another process after a crash, and by the loop after a failure", async () => {
      const { id } = await create({ name: "dev" });
      bench.world.deleting = new Error("the world is down");
      await bench.expectStatus(202, bench.call("DELETE", `/v1/clusters/${id}`));
      const revived = bench.make();
      expect(await revived.reaper.round()).toBe(1);
      revived.reaper.start();
      bench.world.deleting = "done";
      await expect
        .poll(async () => {
          bench.clock.advance(250);
          return revived.clusters.find(id);
        })
        .toBeUndefined();
      await revived.stop();
    });

    it("are counted out once, however many processes finish them", async () => {
      for (const name of ["a", "b", "c"]) {
        const { id } = await create({ name });
        if (name !== "c") await bench.call("DELETE", `/v1/clusters/${id}`);
      }
      await Promise.all([bench.platform.reaper.round(), bench.make().reaper.round()]);
      expect(await bench.platform.reaper.round()).toBe(0);
      const [usage] = await bench.store.getRecords([recordKeys.tenantUsage("acme")]);
      expect(usage?.value.clusters).toBe(1);
      expect(await recordsOf(partitions.deletingClusters)).toEqual([]);
    });

    it("may be asked to go twice", async () => {
      const { id } = await create({ name: "dev" });
      const first = await bench.call("DELETE", `/v1/clusters/${id}`);
      const second = await bench.call("DELETE", `/v1/clusters/${id}`);
      expect([first.status, second.status]).toEqual([202, 202]);
      expect(second.headers.get("etag")).toBe(first.headers.get("etag"));
    });
  });

  describe("give credentials", () => {
    it("as a kubeconfig with a token of that cluster, for an hour unless told otherwise", async () => {
      const { id } = await create({ name: "dev" });
      const answer = await bench.expectStatus<Credentials>(201, bench.call("POST", `/v1/clusters/${id}/credentials`, ""));
      const config = parse(answer.kubeconfig);
      expect(config).toMatchObject({
        "current-context": "coracle-dev",
        clusters: [{ cluster: { server: `https://127.0.0.1:7443/clusters/${id}`, "certificate-authority-data": "Q0E=" } }],
        users: [{ user: { token: answer.token } }],
      });
      const verified = await bench.tokens.verifyToken(answer.token ?? "");
      expect(verified).toMatchObject({ cluster: { tenant: "acme", cluster: id }, user: { username: "key:test" } });
      expect(verified?.expiresAtMs).toBe(bench.clock.now() + 3_600_000);
    });

    it("for a named user and groups, but for none of the system's own users", async () => {
      const { id } = await create({ name: "dev" });
      const path = `/v1/clusters/${id}/credentials`;
      const { token } = await bench.expectStatus<Credentials>(
        201,
        bench.call("POST", path, { username: "jane", groups: ["dev"], ttlSeconds: 600 }),
      );
      expect((await bench.tokens.verifyToken(token ?? ""))?.user).toMatchObject({
        username: "jane",
        groups: ["dev", "system:authenticated"],
      });
      expect((await bench.call("POST", path, { username: "system:serviceaccount:a:b" })).status).toBe(422);
    });

    it("as a command that fetches a token when it is needed", async () => {
      const { id } = await create({ name: "dev" });
      const { kubeconfig, token } = await bench.expectStatus<Credentials>(
        201,
        bench.call("POST", `/v1/clusters/${id}/credentials`, { kind: "exec" }),
      );
      expect(token).toBeNull();
      expect(parse(kubeconfig).users[0].user.exec).toMatchObject({
        apiVersion: "client.authentication.k8s.io/v1",
        command: "coracle",
        args: ["cluster", "token", id],
      });
    });
  });
});
