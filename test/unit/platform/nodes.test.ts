import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNodeMarks } from "../../../shared/host/node-marks.ts";
import { partitions, recordKeys } from "../../../shared/platform/record-keys.ts";
import { putRecord } from "../../../shared/platform/records.ts";
import { type Bench, openPlatform, type ProblemBody } from "./fixture.ts";

const machine = (name: string, machineId = name) => ({ name, machineId, runtime: "process" as const });

describe("pools and their machines", () => {
  let bench: Bench;
  let pool: string;
  const join = (token: string, name: string, machineId?: string) => bench.platform.nodes.join(token, machine(name, machineId));
  const newToken = async (options: { ttlSeconds?: number; maxUses?: number } = {}) => {
    const { token, record } = await bench.platform.joinTokens.create("acme", pool, { ttlSeconds: 3600, ...options });
    return { token, id: record.value.id };
  };
  const joined = async (name: string) => {
    const outcome = await join((await newToken()).token, name);
    if (outcome.kind !== "joined") throw new Error(outcome.reason);
    return outcome;
  };

  beforeEach(async () => {
    bench = await openPlatform();
    pool = (await bench.platform.pools.create("acme", { name: "metal", size: 0, runtime: "auto", labels: {}, taints: [] })).value.id;
  });
  afterEach(() => bench.dispose());

  describe("a pool", () => {
    const path = () => `/v1/pools/${pool}`;

    it("is changed in its labels, taints, size and name, and the world hears its size", async () => {
      const taints = [{ key: "gpu", value: "a100", effect: "NoSchedule" }];
      const answer = await bench.expectStatus(200, bench.call("PATCH", path(), { size: 4, name: "gpu", labels: { a: "1" }, taints }));
      expect(answer).toMatchObject({ name: "gpu", size: 4, labels: { a: "1" }, taints, cluster: null });
      expect(bench.world.sizes.get("gpu")).toBe(4);
      await bench.expectStatus(201, bench.call("POST", "/v1/pools", { name: "metal" }));
      expect((await bench.call("PATCH", path(), { name: "metal" })).status).toBe(409);
      expect((await bench.call("PATCH", path(), { size: 1 }, { "if-match": '"1"' })).status).toBe(412);
    });

    it("tells who serves its agents that it changed", async () => {
      const heard: string[] = [];
      const stop = bench.platform.news.onPoolChange((id) => heard.push(id));
      await bench.call("PATCH", path(), { labels: { a: "1" } });
      stop();
      await bench.call("PATCH", path(), { labels: { a: "2" } });
      expect(heard).toEqual([pool]);
    });

    it("is deleted with its tokens, but not while a machine is in it", async () => {
      await joined("n1");
      expect(await bench.expectStatus<ProblemBody>(409, bench.call("DELETE", path()))).toMatchObject({ code: "in-use" });
      await bench.expectStatus(204, bench.call("DELETE", `${path()}/nodes/n1`));
      const { token } = await newToken();
      await bench.expectStatus(204, bench.call("DELETE", path()));
      expect((await bench.call("GET", path())).status).toBe(404);
      expect(await bench.store.queryRecords(partitions.joinTokens("acme", pool))).toEqual([]);
      expect(await join(token, "n2")).toEqual({ kind: "refused", reason: "unknown" });
    });

    it("of another tenant is nowhere", async () => {
      await bench.platform.tenants.create({ id: "other", name: "Other" });
      const key = await bench.keyOf(["nodes:write"], "other");
      for (const [method, suffix, body] of [
        ["GET", "", undefined],
        ["PATCH", "", {}],
        ["DELETE", "", undefined],
        ["GET", "/nodes", undefined],
        ["POST", "/join-tokens", {}],
        ["GET", "/join-tokens", undefined],
      ] as const) {
        expect((await bench.call(method, path() + suffix, body, {}, key)).status).toBe(404);
      }
    });
  });

  describe("a join token", () => {
    it("is shown once and listed with its uses and state", async () => {
      const path = `/v1/pools/${pool}/join-tokens`;
      const { id, token } = await bench.expectStatus<{ id: string; token: string }>(
        201,
        bench.call("POST", path, { ttlSeconds: 60, maxUses: 1 }),
      );
      expect(token).toMatch(/^cj_live_/);
      await join(token, "n1");
      const text = await (await bench.call("GET", path)).text();
      expect(text).not.toContain(token);
      expect(JSON.parse(text).items).toMatchObject([{ id, state: "used-up", uses: 1, maxUses: 1 }]);
    });

    it("refuses with the reason: unknown, expired, revoked, used up", async () => {
      const brief = await newToken({ ttlSeconds: 60 });
      bench.clock.advance(60_000);
      expect(await join(brief.token, "n1")).toEqual({ kind: "refused", reason: "expired" });
      const revoked = await newToken();
      await bench.expectStatus(204, bench.call("DELETE", `/v1/pools/${pool}/join-tokens/${revoked.id}`));
      expect(await join(revoked.token, "n1")).toEqual({ kind: "refused", reason: "revoked" });
      const once = await newToken({ maxUses: 1 });
      expect((await join(once.token, "n1")).kind).toBe("joined");
      expect(await join(once.token, "n2")).toEqual({ kind: "refused", reason: "used-up" });
      expect(await join("cj_live_nonsense", "n1")).toEqual({ kind: "refused", reason: "unknown" });
      expect(await join(bench.admin, "n1")).toEqual({ kind: "refused", reason: "unknown" });
    });

    it("admits no more machines than it may, however many come at once", async () => {
      const { token } = await newToken({ maxUses: 3 });
      const outcomes = await Promise.all(Array.from({ length: 10 }, (_, index) => join(token, `n${index}`)));
      expect(outcomes.filter(({ kind }) => kind === "joined")).toHaveLength(3);
      expect((await bench.store.queryRecords(partitions.nodes("acme", pool))).length).toBe(3);
    });

    it("is swept a day after it expired, and kept until then", async () => {
      const { token } = await newToken({ ttlSeconds: 60 });
      const revived = bench.make();
      bench.clock.advance(80_000_000);
      revived.start();
      await expect.poll(() => join(token, "n1")).toEqual({ kind: "refused", reason: "expired" });
      await revived.stop();
      bench.clock.advance(10_000_000);
      const later = bench.make();
      later.start();
      await expect.poll(() => bench.store.queryRecords(partitions.joinTokens("acme", pool))).toEqual([]);
      await later.stop();
      expect(await join(token, "n1")).toEqual({ kind: "refused", reason: "unknown" });
    });

    it.each(["aaa", "acme"])("is swept although a kept answer of the tenant %s cannot be read", async (tenant) => {
      if (tenant !== "acme") await bench.platform.tenants.create({ id: tenant, name: "First" });
      const { record } = await bench.platform.keys.create(tenant, { name: "broken", scopes: ["clusters:write"] });
      const answer = { partition: partitions.idempotency(tenant, record.value.id), sort: "unreadable" };
      await bench.store.writeRecords([{ ...answer, kind: "put", expected: 0, value: {} }]);
      await newToken({ ttlSeconds: 60 });
      bench.clock.advance(2 * 86_400_000);
      await bench.platform.housekeeping.round();
      expect(await bench.store.queryRecords(partitions.joinTokens("acme", pool))).toEqual([]);
    });

    it("is swept although the marks of removed nodes cannot be read", async () => {
      await newToken({ ttlSeconds: 60 });
      bench.clock.advance(2 * 86_400_000);
      const query = bench.store.queryRecords.bind(bench.store);
      bench.store.queryRecords = async (partition, range) => {
        if (partition === partitions.removedNodes) throw new Error("broken");
        return query(partition, range);
      };
      await bench.platform.housekeeping.round();
      expect(await bench.store.queryRecords(partitions.joinTokens("acme", pool))).toEqual([]);
    });
  });

  describe("a machine", () => {
    it("proves itself by the credential it was given", async () => {
      const { credential, node } = await joined("n1");
      expect(node).toEqual({ tenant: "acme", pool, nodeName: "n1" });
      expect(await bench.platform.nodes.authenticate(credential)).toEqual({ kind: "node", node });
      expect(await bench.platform.nodes.authenticate(`${credential}x`)).toEqual({ kind: "unknown" });
      expect(await bench.platform.nodes.authenticate(bench.admin)).toEqual({ kind: "unknown" });
    });

    it("joins again under its name, and its old credential ends", async () => {
      const first = await joined("n1");
      const again = await join((await newToken()).token, "n1");
      if (again.kind !== "joined") throw new Error(again.reason);
      expect(await bench.platform.nodes.authenticate(first.credential)).toEqual({ kind: "unknown" });
      expect((await bench.platform.nodes.authenticate(again.credential)).kind).toBe("node");
    });

    it("does not get the name of another, and the attempt costs no use", async () => {
      await joined("n1");
      const { token, id } = await newToken({ maxUses: 1 });
      expect(await join(token, "n1", "other-machine")).toEqual({ kind: "refused", reason: "name-taken" });
      const [record] = await bench.store.getRecords([recordKeys.joinToken("acme", pool, id)]);
      expect(record?.value.uses).toBe(0);
    });

    it("that is deleted hears for a day that it was removed", async () => {
      const { credential } = await joined("n1");
      await bench.expectStatus(204, bench.call("DELETE", `/v1/pools/${pool}/nodes/n1`));
      expect(bench.world.removedNodes).toEqual(["n1"]);
      expect(await bench.platform.nodes.authenticate(credential)).toEqual({ kind: "removed" });
      bench.clock.advance(86_400_001);
      const later = bench.make();
      later.start();
      await expect.poll(() => bench.platform.nodes.authenticate(credential)).toEqual({ kind: "unknown" });
      await later.stop();
      expect(await bench.store.queryRecords(partitions.removedNodes)).toEqual([]);
    });

    it("that is deleted has its pool's mark moved before anything else is done", async () => {
      const { node } = await joined("n1");
      const marks = createNodeMarks(bench.store);
      const before = await marks.state(node);
      let during = before;
      bench.world.removing = async () => {
        during = await marks.state(node);
      };
      await bench.platform.nodes.remove("acme", pool, "n1");
      expect(during.word).not.toBe(before.word);
    });

    describe("that could not be taken out of its clusters when it was deleted", () => {
      const unreachable = async () => Promise.reject(new Error("its clusters cannot be reached"));
      const commitments = () => bench.store.queryRecords(partitions.commitments("acme", pool));
      const markers = () => bench.store.queryRecords(partitions.removingNodes);
      beforeEach(async () => {
        await joined("n1");
        await bench.store.writeRecords([putRecord(recordKeys.nodeCommitments("acme", pool, "n1"), 0, { cpuMillis: 100 })]);
        bench.world.removing = unreachable;
        await bench.expectStatus(204, bench.call("DELETE", `/v1/pools/${pool}/nodes/n1`));
        expect((await bench.call("DELETE", `/v1/pools/${pool}/nodes/n1`)).status).toBe(404);
        expect(await markers()).toHaveLength(1);
      });

      it("is taken out by a later round of any process, with what was committed of it", async () => {
        expect(await bench.platform.drainer.round()).toBe(1);
        expect(bench.world.removedNodes).toEqual([]);
        expect(await commitments()).toHaveLength(1);
        bench.world.removing = async () => {};
        expect(await bench.make().drainer.round()).toBe(0);
        expect(bench.world.removedNodes).toEqual(["n1"]);
        expect([await commitments(), await markers()]).toEqual([[], []]);
        expect(await bench.platform.drainer.round()).toBe(0);
        expect(bench.world.removedNodes).toEqual(["n1"]);
      });

      it("is left alone once it has joined anew", async () => {
        await joined("n1");
        bench.world.removing = async () => {};
        expect(await bench.platform.drainer.round()).toBe(0);
        expect(bench.world.removedNodes).toEqual([]);
        expect(await commitments()).toHaveLength(1);
        expect(await markers()).toEqual([]);
      });

      it("keeps what is committed of it when it joins anew while it is taken out", async () => {
        bench.world.removing = async () => void (await joined("n1"));
        expect(await bench.platform.drainer.round()).toBe(1);
        expect(await bench.platform.drainer.round()).toBe(0);
        expect(await commitments()).toHaveLength(1);
        expect(await markers()).toEqual([]);
      });

      it("does not wait for another tenant's, that still cannot be", async () => {
        await bench.platform.tenants.create({ id: "aaa", name: "First" });
        const first = await bench.platform.pools.create("aaa", { name: "metal", size: 0, runtime: "auto", labels: {}, taints: [] });
        const { token } = await bench.platform.joinTokens.create("aaa", first.value.id, { ttlSeconds: 3600 });
        await join(token, "n0");
        await bench.platform.nodes.remove("aaa", first.value.id, "n0");
        bench.world.removing = ({ tenant }) => (tenant === "aaa" ? unreachable() : Promise.resolve());
        expect(await bench.platform.drainer.round()).toBe(1);
        expect(bench.world.removedNodes).toEqual(["n1"]);
        expect((await markers()).map(({ value }) => value.tenant)).toEqual(["aaa"]);
      });
    });

    it("has its mark swept once it was removed, whatever lies before the mark", async () => {
      const { credential } = await joined("n1");
      await bench.platform.nodes.remove("acme", pool, "n1");
      await bench.store.writeRecords([{ partition: partitions.removedNodes, sort: "0", kind: "put", expected: 0, value: {} }]);
      bench.clock.advance(2 * 86_400_000);
      await bench.platform.housekeeping.round();
      expect((await bench.store.queryRecords(partitions.removedNodes)).map(({ sort }) => sort)).toEqual(["0"]);
      expect(await bench.platform.nodes.authenticate(credential)).toEqual({ kind: "unknown" });
    });

    it("is shown as unreachable after 40 silent seconds, also after a restart of the server", async () => {
      const { node } = await joined("n1");
      const show = () => bench.expectStatus<{ items: object[] }>(200, bench.call("GET", `/v1/pools/${pool}/nodes`));
      expect((await show()).items).toMatchObject([{ name: "n1", state: "ready", lastSeenAt: new Date(bench.clock.now()).toISOString() }]);
      bench.clock.advance(30_000);
      bench.platform.heartbeats.seen(node, bench.clock.now());
      bench.clock.advance(10_000);
      await bench.platform.heartbeats.flush();
      const times = await bench.make().heartbeats.ofPool("acme", pool);
      expect(times.get("n1")).toBe(bench.clock.now() - 10_000);
      bench.clock.advance(30_000);
      expect((await show()).items).toMatchObject([{ state: "unreachable" }]);
    });

    it("that has been silent for a day is forgotten by the process that heard it, and the record of it kept", async () => {
      const { node } = await joined("n1");
      const { node: other } = await joined("n2");
      const { heartbeats } = bench.platform;
      const spokeMs = bench.clock.now();
      await heartbeats.flush();
      bench.clock.advance(43_200_000);
      heartbeats.seen(other, bench.clock.now());
      bench.clock.advance(43_200_000);
      await heartbeats.flush();
      expect([heartbeats.lastSeen(node), heartbeats.lastSeen(other)]).toEqual([undefined, bench.clock.now() - 43_200_000]);
      expect((await heartbeats.ofPool("acme", pool)).get("n1")).toBe(spokeMs);
    });

    it("is drained until its pods are gone, also by another process, and taken back", async () => {
      await joined("n1");
      const path = `/v1/pools/${pool}/nodes/n1`;
      bench.world.draining = "pending";
      expect(await bench.expectStatus(202, bench.call("POST", `${path}/drain`))).toMatchObject({ state: "draining" });
      expect(await bench.platform.drainer.round()).toBe(1);
      bench.world.draining = "done";
      expect(await bench.make().drainer.round()).toBe(0);
      expect(await bench.expectStatus(200, bench.call("GET", path))).toMatchObject({ state: "drained" });
      expect(await bench.expectStatus(202, bench.call("POST", `${path}/uncordon`))).toMatchObject({ state: "ready" });
      expect(bench.world.uncordoned).toEqual(["n1"]);
    });

    it("that goes while it is drained is no longer drained", async () => {
      await joined("n1");
      await bench.call("POST", `/v1/pools/${pool}/nodes/n1/drain`);
      await bench.platform.nodes.remove("acme", pool, "n1");
      expect(await bench.platform.drainer.round()).toBe(0);
      expect(await bench.store.queryRecords(partitions.drainingNodes)).toEqual([]);
    });
  });
});
