import { createHmac, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { putRecord, writeInChunks } from "../../../shared/platform/records.ts";
import { createAesSealer } from "../../../shared/store/sealer.ts";
import { webhookKeys, webhookPartitions } from "../../../shared/webhooks/records.ts";
import type { TransportOutcome } from "../../../shared/webhooks/transport.ts";
import type { WebhookSettings } from "../../../shared/webhooks/webhooks.ts";
import { type Bench, openPlatform, type ProblemBody } from "./fixture.ts";

interface Hook {
  readonly id: string;
  readonly url: string;
  readonly enabled: boolean;
  readonly secret?: string;
}
interface Delivery {
  readonly message: string;
  readonly type: string;
  readonly state: string;
  readonly attempts: number;
  readonly nextAttemptAt: string | null;
  readonly lastOutcome: string | null;
}
interface Sent {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const day = 86_400_000;
const url = "https://receiver.example/hook";

describe("webhooks", () => {
  let bench: Bench;
  let sent: Sent[];
  let answer: TransportOutcome;
  let during: () => Promise<void>;

  const settings: WebhookSettings = {
    sealer: createAesSealer(randomBytes(32)),
    allowPrivate: false,
    random: () => 0.5,
    transport: {
      async post(url, headers, body) {
        sent.push({ url, headers, body });
        await during();
        return answer;
      },
    },
  };

  beforeEach(async () => {
    sent = [];
    answer = { kind: "answered", status: 200 };
    during = async () => {};
    bench = await openPlatform({ webhooks: settings });
  });
  afterEach(() => bench.dispose());

  const deliverer = () => {
    const { webhooks } = bench.platform;
    if (!webhooks) throw new Error("no webhooks");
    return webhooks.deliverer;
  };
  const register = (body: object = { url }): Promise<Hook> => bench.expectStatus<Hook>(201, bench.call("POST", "/v1/webhooks", body));
  const deliveries = async (id: string): Promise<Delivery[]> =>
    (await bench.expectStatus<{ items: Delivery[] }>(200, bench.call("GET", `/v1/webhooks/${id}/deliveries`))).items;
  const typesSent = () => sent.map(({ body }) => JSON.parse(body).type).sort();
  const verify = ({ headers, body }: Sent, secret: string): boolean => {
    const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const expected = createHmac("sha256", Buffer.from(secret.slice(6), "base64"))
      .update(content)
      .digest("base64");
    return (headers["webhook-signature"] ?? "").split(" ").includes(`v1,${expected}`);
  };

  describe("are endpoints that", () => {
    it("are made, shown without their secret, listed, changed and deleted", async () => {
      const { id, secret, ...made } = await register({ url, events: ["cluster.ready"], description: "ops" });
      expect(secret).toMatch(/^whsec_/);
      expect(made).toMatchObject({ url, events: ["cluster.ready"], description: "ops", enabled: true });
      expect(await bench.expectStatus(200, bench.call("GET", `/v1/webhooks/${id}`))).toEqual({ id, ...made });
      const changed = await bench.call("PATCH", `/v1/webhooks/${id}`, { enabled: false, events: ["*"] }, { "if-match": '"1"' });
      expect(await bench.expectStatus(200, changed)).toMatchObject({ enabled: false, events: ["*"] });
      expect((await bench.call("PATCH", `/v1/webhooks/${id}`, {}, { "if-match": '"1"' })).status).toBe(412);
      const { items } = await bench.expectStatus<{ items: Hook[] }>(200, bench.call("GET", "/v1/webhooks"));
      expect(items.map((item) => item.id)).toEqual([id]);
      expect(JSON.stringify(items)).not.toContain("whsec_");
      expect((await bench.call("DELETE", `/v1/webhooks/${id}`)).status).toBe(204);
      expect((await bench.call("GET", `/v1/webhooks/${id}`)).status).toBe(404);
    });

    it("lie in the store without their secrets in the clear", async () => {
      const { secret = "" } = await register();
      const records = await bench.store.queryRecords(webhookPartitions.endpoints("acme"));
      expect(JSON.stringify(records)).not.toContain(secret.slice(6));
      expect(records).toHaveLength(1);
    });

    it.each([
      "http://receiver.example/",
      "ftp://receiver.example/",
      "https://user:password@receiver.example/",
      "https://127.0.0.1/",
      "https://169.254.169.254/latest/meta-data",
      "https://2130706433/",
      "https://[::1]/",
      "https://localhost/",
      "https://api.localhost./",
      "receiver",
    ])("are refused at %s", async (url) => {
      const problem = await bench.expectStatus<ProblemBody>(422, bench.call("POST", "/v1/webhooks", { url }));
      expect(problem.errors).toMatchObject([{ pointer: "#/url" }]);
    });

    it("are at most ten, of known events, and of one tenant alone", async () => {
      expect((await bench.call("POST", "/v1/webhooks", { url, events: ["cluster.exploded"] })).status).toBe(422);
      const { id } = await register();
      for (let count = 1; count < 10; count++) await register();
      await bench.expectStatus<ProblemBody>(403, bench.call("POST", "/v1/webhooks", { url }));
      await bench.platform.tenants.create({ id: "other", name: "Other" });
      const stranger = await bench.keyOf(["webhooks:write"], "other");
      expect((await bench.call("GET", `/v1/webhooks/${id}`, undefined, {}, stranger)).status).toBe(404);
      const reader = await bench.keyOf(["webhooks:read"]);
      expect((await bench.call("DELETE", `/v1/webhooks/${id}`, undefined, {}, reader)).status).toBe(403);
    });
  });

  describe("are told of", () => {
    it("clusters that come, change their size and go, and of nothing that they did not ask for", async () => {
      await register();
      const narrow = await register({ url: `${url}/narrow`, events: ["cluster.deleted"] });
      const { id } = await bench.expectStatus<{ id: string }>(201, bench.call("POST", "/v1/clusters", { name: "dev", nodes: 1 }));
      await bench.call("PATCH", `/v1/clusters/${id}`, { nodes: 3 });
      await bench.call("PATCH", `/v1/clusters/${id}`, { nodes: 3, labels: { a: "b" } });
      await bench.call("DELETE", `/v1/clusters/${id}`);
      await bench.platform.reaper.round();
      await deliverer().round();
      const wide = sent.filter((each) => each.url === url);
      expect(wide.map(({ body }) => JSON.parse(body).type).sort()).toEqual([
        "cluster.created",
        "cluster.deleted",
        "cluster.ready",
        "cluster.resized",
      ]);
      const resized = wide.map(({ body }) => JSON.parse(body)).find(({ type }) => type === "cluster.resized");
      expect(resized).toMatchObject({ timestamp: "2026-01-01T00:00:00.000Z", data: { id, nodes: 3 } });
      expect((await deliveries(narrow.id)).map(({ type, state }) => [type, state])).toEqual([["cluster.deleted", "delivered"]]);
    });

    it("nothing that did not happen", async () => {
      const { id } = await register();
      await bench.call("POST", "/v1/clusters", { name: "dev" });
      expect((await bench.call("POST", "/v1/clusters", { name: "dev" })).status).toBe(409);
      expect((await deliveries(id)).map(({ type }) => type).sort()).toEqual(["cluster.created", "cluster.ready"]);
    });

    it("machines that come, fall silent (once a silence) and go", async () => {
      await register();
      const { platform, clock } = bench;
      const pool = (await platform.pools.create("acme", { name: "p", size: 0, runtime: "auto", labels: {}, taints: [] })).value.id;
      const { token } = await platform.joinTokens.create("acme", pool, { ttlSeconds: 600 });
      const machine = { name: "n1", machineId: "m1", runtime: "process" } as const;
      for (let time = 0; time < 2; time++) await platform.nodes.join(token, machine);
      const node = { tenant: "acme", pool, nodeName: "n1" };
      for (const lastSeenMs of [clock.now(), clock.now(), clock.now() + 5000]) await platform.nodes.noteSilence(node, lastSeenMs);
      await platform.nodes.remove("acme", pool, "n1");
      await platform.nodes.noteSilence(node, clock.now() + 9000);
      await deliverer().round();
      expect(typesSent()).toEqual(["node.joined", "node.notReady", "node.notReady", "node.removed"]);
    });

    it("the usage of a day that is over", async () => {
      await register({ url, events: ["usage.daily"] });
      const { platform, clock } = bench;
      platform.meter.request({ tenant: "acme", cluster: "dev" }, "read");
      await platform.metering.flush();
      platform.start();
      clock.advance(day + 2 * 3_600_000);
      const later = () => {
        clock.advance(5000);
        return sent.length;
      };
      await expect.poll(later).toBe(1);
      expect(JSON.parse(sent[0]?.body ?? "")).toMatchObject({ type: "usage.daily", data: { day: "2026-01-01", apiReads: 1 } });
    });
  });

  describe("deliver", () => {
    const queueTest = (id: string) => bench.expectStatus(202, bench.call("POST", `/v1/webhooks/${id}/test`));

    it("with a signature by the secret, and for a day after a rotation by both", async () => {
      const { id, secret = "" } = await register();
      await queueTest(id);
      await deliverer().round();
      const rotated = await bench.expectStatus<Hook>(201, bench.call("POST", `/v1/webhooks/${id}/rotate-secret`));
      await queueTest(id);
      await deliverer().round();
      bench.clock.advance(day);
      await queueTest(id);
      await deliverer().round();
      const [first, second, third] = sent;
      if (!first || !second || !third) throw new Error("not sent");
      expect([first, second, third].map((each) => [verify(each, secret), verify(each, rotated.secret ?? "")])).toEqual([
        [true, false],
        [true, true],
        [false, true],
      ]);
      expect(first.headers).toMatchObject({ "content-type": "application/json", "user-agent": "coracle/0.0.0" });
      expect(first.headers["webhook-timestamp"]).toBe(String(Date.UTC(2026, 0, 1) / 1000));
    });

    it("again and again, later and later, for about a day, with one webhook-id; then no more", async () => {
      const { id } = await register();
      answer = { kind: "answered", status: 503 };
      await queueTest(id);
      const times: number[] = [];
      for (let step = 0; step < 40_000 && (await deliveries(id))[0]?.state === "pending"; step++) {
        const before = sent.length;
        await deliverer().round();
        if (sent.length > before) times.push((bench.clock.now() - Date.UTC(2026, 0, 1)) / 60_000);
        const next = (await deliveries(id))[0]?.nextAttemptAt;
        if (next) bench.clock.advance(Date.parse(next) - bench.clock.now());
      }
      expect(times.map((minutes) => Math.round(minutes))).toEqual([0, 0, 5, 35, 155, 455, 935, 1415]);
      expect(new Set(sent.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
      expect(await deliveries(id)).toMatchObject([{ state: "dead", attempts: 8, nextAttemptAt: null, lastOutcome: "answered 503" }]);
      await deliverer().round();
      expect(sent).toHaveLength(8);
      expect(await deliverer().due(10)).toEqual([]);
    });

    it("once, however many try at the same time and however often a queue repeats itself", async () => {
      const { id } = await register();
      await queueTest(id);
      const [ref] = await deliverer().due(10);
      if (!ref) throw new Error("nothing due");
      const outcomes = await Promise.all([1, 2, 3].map(() => deliverer().deliver(ref)));
      expect(outcomes.sort()).toEqual(["delivered", "later", "later"]);
      expect(await deliverer().deliver(ref)).toBe("gone");
      expect(sent).toHaveLength(1);
    });

    it("however many of another tenant's are due before and cannot be read, of which some are tried", async () => {
      const dueMs = bench.clock.now() - 1000;
      const refs = Array.from({ length: 150 }, (_, at) => ({ tenant: "lost", endpoint: "wh", sort: `${at}` }));
      await writeInChunks(bench.store, [
        putRecord(webhookKeys.due(dueMs - 1, { tenant: "lost", endpoint: "wh", sort: "none" }), 0, {}),
        ...refs.flatMap((ref) => [putRecord(webhookKeys.due(dueMs, ref), 0, ref), putRecord(webhookKeys.delivery(ref), 0, {})]),
      ]);
      const { id } = await register();
      await queueTest(id);
      const failed = await deliverer().round();
      expect(await deliveries(id)).toMatchObject([{ state: "delivered" }]);
      expect(failed).toBeGreaterThanOrEqual(16);
      expect(failed).toBeLessThan(32);
    });

    it("by a queue that takes a share of each tenant's, and the rest of one's where others have no more", async () => {
      const dueMs = bench.clock.now() - 1000;
      const ref = (tenant: string, at: number) => ({ tenant, endpoint: "wh", sort: `${String(at).padStart(3, "0")}` });
      const much = Array.from({ length: 150 }, (_, at) => putRecord(webhookKeys.due(dueMs, ref("much", at)), 0, ref("much", at)));
      await writeInChunks(bench.store, [...much, putRecord(webhookKeys.due(dueMs + 1, ref("other", 0)), 0, ref("other", 0))]);
      const picked = await deliverer().due(40);
      expect(picked.map(({ tenant, sort }) => `${tenant} ${sort}`)).toEqual([
        ...much.slice(0, 5).map((_, at) => `much 00${at}`),
        "other 000",
        ...much.slice(5, 39).map((_, at) => `much ${String(at + 5).padStart(3, "0")}`),
      ]);
    });

    it("again a minute after a deliverer died in the middle", async () => {
      const { id } = await register();
      await queueTest(id);
      const [ref] = await deliverer().due(10);
      if (!ref) throw new Error("nothing due");
      during = () => new Promise(() => {});
      void deliverer().deliver(ref);
      await expect.poll(() => sent.length).toBe(1);
      during = async () => {};
      expect(await deliverer().deliver(ref)).toBe("later");
      bench.clock.advance(60_000);
      expect(await deliverer().deliver(ref)).toBe("delivered");
    });

    it("no more to a receiver that answers 410, or that was disabled or deleted", async () => {
      const { id } = await register();
      answer = { kind: "answered", status: 410 };
      await queueTest(id);
      await deliverer().round();
      expect(await deliveries(id)).toMatchObject([{ state: "dead", lastOutcome: "answered 410" }]);
      expect(await bench.expectStatus(200, bench.call("GET", `/v1/webhooks/${id}`))).toMatchObject({ enabled: false });
      await bench.expectStatus<ProblemBody>(409, bench.call("POST", `/v1/webhooks/${id}/test`));
      const other = await register();
      await queueTest(other.id);
      await bench.call("PATCH", `/v1/webhooks/${other.id}`, { enabled: false });
      await deliverer().round();
      expect(await deliveries(other.id)).toMatchObject([{ state: "dead", attempts: 0, lastOutcome: "the webhook is disabled" }]);
      const third = await register();
      await queueTest(third.id);
      await bench.call("DELETE", `/v1/webhooks/${third.id}`);
      await deliverer().round();
      expect(await deliverer().due(10)).toEqual([]);
      expect(sent).toHaveLength(1);
    });

    it("by the host's own loop, and keeps the log of a week", async () => {
      const { id } = await register();
      bench.platform.start();
      await queueTest(id);
      await expect.poll(async () => (await deliveries(id))[0]?.state).toBe("delivered");
      bench.clock.advance(8 * day);
      await queueTest(id);
      await expect.poll(async () => (await deliveries(id)).map(({ state }) => state)).toEqual(["delivered"]);
      expect(sent).toHaveLength(2);
    });
  });
});
