import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { partitions, reservedTenants } from "../../../shared/platform/record-keys.ts";
import { StoreError } from "../../../shared/store/store.ts";
import { type Bench, openPlatform, type ProblemBody } from "./fixture.ts";

describe("the platform API", () => {
  let bench: Bench;
  const problem = (status: number, answer: Promise<Response>) => bench.expectStatus<ProblemBody>(status, answer);
  beforeEach(async () => {
    bench = await openPlatform();
  });
  afterEach(() => bench.dispose());

  it("answers for its health and its description without a key", async () => {
    expect((await bench.platform.app.request("/v1/healthz")).status).toBe(200);
    expect((await bench.platform.app.request("/openapi.json")).status).toBe(200);
  });

  it("says who one is", async () => {
    const me = await bench.expectStatus<object>(200, bench.call("GET", "/v1/whoami"));
    expect(me).toMatchObject({ tenant: "acme", key: { name: "test", prefix: bench.admin.slice(8, 16) } });
    expect(JSON.stringify(me)).not.toContain(bench.admin);
  });

  describe("refuses", () => {
    it("with a problem document that names the request", async () => {
      const response = await bench.call("GET", "/v1/clusters/cl-none", undefined, { "x-request-id": "mine-1" });
      expect(response.status).toBe(404);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      expect(response.headers.get("x-request-id")).toBe("mine-1");
      expect(await response.json()).toEqual({
        type: "urn:coracle:problem:not-found",
        title: "There is no such thing",
        status: 404,
        detail: 'There is no cluster "cl-none".',
        instance: "/v1/clusters/cl-none",
        code: "not-found",
        requestId: "mine-1",
      });
    });

    it("a request id that could forge a log line, by making its own", async () => {
      const response = await bench.call("GET", "/v1/whoami", undefined, { "x-request-id": "a b{}" });
      expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    });

    it.each([
      ["no key", undefined],
      ["a word", "Bearer hello"],
      ["another scheme", "Basic YTpi"],
      ["a key with a wrong checksum", `Bearer ck_live_00000000_${"0".repeat(38)}`],
    ])("%s", async (_, authorization) => {
      const response = await bench.platform.app.request("/v1/clusters", authorization ? { headers: { authorization } } : {});
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe('Bearer realm="coracle"');
    });

    it("keys that were revoked or have expired, from the next request on", async () => {
      const { key, record } = await bench.platform.keys.create("acme", { name: "x", scopes: ["clusters:read"] });
      const late = await bench.platform.keys.create("acme", {
        name: "y",
        scopes: ["clusters:read"],
        expiresAtMs: bench.clock.now() + 1000,
      });
      expect((await bench.call("GET", "/v1/clusters", undefined, {}, key)).status).toBe(200);
      expect((await bench.call("GET", "/v1/clusters", undefined, {}, late.key)).status).toBe(200);
      await bench.expectStatus(204, bench.call("DELETE", `/v1/keys/${record.value.id}`));
      bench.clock.advance(1000);
      expect((await bench.call("GET", "/v1/clusters", undefined, {}, key)).status).toBe(401);
      expect((await bench.call("GET", "/v1/clusters", undefined, {}, late.key)).status).toBe(401);
    });

    it("what the key's scopes do not cover, and names the scope", async () => {
      const reader = await bench.keyOf(["clusters:read"]);
      expect((await bench.call("GET", "/v1/clusters", undefined, {}, reader)).status).toBe(200);
      const answer = await problem(403, bench.call("POST", "/v1/clusters", { name: "a" }, {}, reader));
      expect(answer.detail).toContain("clusters:write");
    });

    it("unknown paths and methods", async () => {
      expect((await bench.call("GET", "/v1/nothing")).status).toBe(404);
      const response = await bench.call("PUT", "/v1/clusters");
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("POST, GET");
    });

    it.each<[string, string, Record<string, string>, number]>([
      ["a body that is not JSON", "{", {}, 400],
      ["a body of another type", "name=a", { "content-type": "application/x-www-form-urlencoded" }, 415],
      ["a body that is no object", "[1]", {}, 422],
      ["a body that reaches for the prototype", '{"name":"a","__proto__":{"x":1}}', {}, 422],
      ["a body that is too large", `{"name":"${"a".repeat(1_100_000)}"}`, {}, 413],
    ])("%s", async (_, body, headers, status) => {
      expect((await bench.call("POST", "/v1/clusters", body, headers)).status).toBe(status);
    });

    it("cursors of another list, forged ones and limits out of range", async () => {
      for (const name of ["a", "b"]) await bench.call("POST", "/v1/pools", { name });
      const page = await bench.expectStatus<{ nextCursor: string }>(200, bench.call("GET", "/v1/pools?limit=1"));
      expect(await problem(422, bench.call("GET", `/v1/clusters?cursor=${page.nextCursor}`))).toMatchObject({
        errors: [{ parameter: "cursor" }],
      });
      const forged = Buffer.concat([Buffer.alloc(12), Buffer.from("pl-")]).toString("base64url");
      for (const query of [`cursor=${forged}`, "cursor=", "limit=0", "limit=201", "limit=x", "page=2"]) {
        expect((await bench.call("GET", `/v1/pools?${query}`)).status).toBe(422);
      }
    });

    it("a failure of its own with a fixed text and an id, and a busy store with a wish to try again", async () => {
      const failures = [
        [new Error("the password is hunter2"), 500],
        [new StoreError("Throttled", "slow down"), 503],
        [new StoreError("DiskFull", "slow down"), 503],
      ] as const;
      for (const [error, status] of failures) {
        bench.faults.queryRecords = error;
        const answer = await bench.call("GET", "/v1/clusters");
        expect(answer.status).toBe(status);
        expect(answer.headers.get("retry-after")).toBe(status === 503 ? "1" : null);
        expect(await answer.text()).not.toMatch(/hunter2|slow down/);
      }
    });

    it("a body that is not UTF-8", async () => {
      const headers = { authorization: `Bearer ${bench.admin}`, "content-type": "application/json" };
      const body = Buffer.from([0x22, 0xff, 0x22]);
      expect((await bench.platform.app.request("/v1/clusters", { method: "POST", headers, body })).status).toBe(400);
    });
  });

  describe("with an Idempotency-Key", () => {
    const post = (body: unknown, key = "k1", path = "/v1/clusters") => bench.call("POST", path, body, { "idempotency-key": key });

    it("gives a repetition the first answer", async () => {
      const first = await post({ name: "dev" });
      const second = await post({ name: "dev" });
      expect([first.status, second.status]).toEqual([201, 201]);
      expect(await second.text()).toBe(await first.text());
      expect(second.headers.get("etag")).toBe(first.headers.get("etag"));
      expect([first, second].map((answer) => answer.headers.get("idempotency-replayed"))).toEqual([null, "true"]);
    });

    it("refuses another body under the same key", async () => {
      await post({ name: "dev" });
      expect(await problem(422, post({ name: "other" }))).toMatchObject({ code: "idempotency-key-reused" });
    });

    it("works once on requests that come together", async () => {
      const answers = await Promise.all(Array.from({ length: 6 }, () => post({ name: "dev" })));
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 201)).toHaveLength(1);
      expect(statuses.filter((status) => status === 409)).toHaveLength(5);
      expect((await post({ name: "dev" })).status).toBe(201);
    });

    it("keeps a shown secret only sealed", async () => {
      const body = { name: "ci", scopes: ["clusters:read"] };
      const { key } = await bench.expectStatus<{ key: string }>(201, post(body, "k1", "/v1/keys"));
      const again = await bench.expectStatus<{ key: string }>(201, post(body, "k1", "/v1/keys"));
      expect(again.key).toBe(key);
      const all = await bench.platform.keys.list("acme", { limit: 10 });
      const kept = await Promise.all(all.items.map(({ value }) => bench.store.queryRecords(partitions.idempotency("acme", value.id))));
      expect(kept.flat()).toHaveLength(1);
      expect(JSON.stringify(kept)).not.toContain(key);
    });

    it("forgets after a day, and an attempt that died after a minute", async () => {
      await post({ name: "dev" });
      bench.clock.advance(86_400_000);
      expect(await problem(409, post({ name: "dev" }))).toMatchObject({ code: "name-taken" });
      expect((await post({ name: "Bad Name" }, "k2")).status).toBe(422);
      expect((await post({ name: "good" }, "k2")).status).toBe(201);
    });

    it("of one API key says nothing about another's", async () => {
      await post({ name: "dev" });
      const other = await bench.keyOf(["clusters:write"]);
      const answer = await bench.call("POST", "/v1/clusters", { name: "other" }, { "idempotency-key": "k1" }, other);
      expect(answer.status).toBe(201);
    });
  });

  it("holds each tenant to its own rate, and says when to come again", async () => {
    await bench.dispose();
    bench = await openPlatform({ rateLimit: { burst: 3, perSecond: 0.5 } });
    await bench.platform.tenants.create({ id: "other", name: "Other" });
    const other = await bench.keyOf(["clusters:read"], "other");
    const statuses: number[] = [];
    for (let count = 0; count < 4; count++) statuses.push((await bench.call("GET", "/v1/whoami")).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect((await bench.call("GET", "/v1/whoami")).headers.get("retry-after")).toBe("2");
    expect((await bench.call("GET", "/v1/whoami", undefined, {}, other)).status).toBe(200);
    bench.clock.advance(2000);
    expect((await bench.call("GET", "/v1/whoami")).status).toBe(200);
  });

  describe("keys and tenants", () => {
    it("show a key once and list it by its prefix", async () => {
      const made = await bench.expectStatus<{ id: string; key: string; prefix: string }>(
        201,
        bench.call("POST", "/v1/keys", { name: "ci", scopes: ["clusters:read"] }),
      );
      expect(made.key.startsWith(`ck_live_${made.prefix}_`)).toBe(true);
      const list = await bench.call("GET", "/v1/keys");
      const text = await list.text();
      expect(text).toContain(made.prefix);
      expect(text).not.toContain(made.key);
      expect((await bench.call("GET", `/v1/keys/${made.id}`)).status).toBe(200);
    });

    it("let nobody make a key that may do more than his own", async () => {
      const key = await bench.keyOf(["keys:write", "clusters:read"]);
      const make = (scopes: string[]) => bench.call("POST", "/v1/keys", { name: "x", scopes }, {}, key);
      expect((await make(["clusters:read", "keys:read"])).status).toBe(201);
      expect(await problem(403, make(["clusters:write"]))).toMatchObject({ code: "forbidden" });
      expect((await make(["operator"])).status).toBe(403);
      expect((await make(["everything"])).status).toBe(422);
    });

    it("give tenants and their first keys to the operator alone", async () => {
      const tenant = { name: "New", id: "new" };
      const other = await bench.keyOf(["keys:write", "clusters:write"]);
      expect((await bench.call("POST", "/v1/tenants", tenant, {}, other)).status).toBe(403);
      await bench.expectStatus(201, bench.call("POST", "/v1/tenants", tenant));
      expect((await bench.call("POST", "/v1/tenants", tenant)).status).toBe(409);
      // Partitions begin with it that are no tenant's.
      for (const id of reservedTenants) expect((await bench.call("POST", "/v1/tenants", { ...tenant, id })).status, id).toBe(409);
      const { key } = await bench.expectStatus<{ key: string }>(
        201,
        bench.call("POST", "/v1/tenants/new/keys", { name: "first", scopes: ["clusters:write"] }),
      );
      expect(await bench.expectStatus(200, bench.call("GET", "/v1/whoami", undefined, {}, key))).toMatchObject({ tenant: "new" });
    });

    it("let an operator act for a tenant that it names, and nobody else", async () => {
      await bench.platform.tenants.create({ id: "new", name: "New" });
      const as = { "coracle-tenant": "new" };
      await bench.expectStatus(201, bench.call("POST", "/v1/clusters", { name: "dev" }, as));
      expect(await bench.platform.clusters.findByName("new", "dev")).toBeDefined();
      expect(await bench.platform.clusters.findByName("acme", "dev")).toBeUndefined();
      const plain = await bench.keyOf(["clusters:read"]);
      expect((await bench.call("GET", "/v1/clusters", undefined, as, plain)).status).toBe(403);
      expect((await bench.call("GET", "/v1/clusters", undefined, { "coracle-tenant": "none" })).status).toBe(404);
    });
  });

  describe("its OpenAPI document", () => {
    type Schema = Record<string, unknown>;
    interface Document {
      openapi: string;
      paths: Record<
        string,
        Record<string, { operationId: string; responses: Record<string, unknown>; parameters: { name: string; in: string }[] }>
      >;
      components: { schemas: Record<string, Schema> };
    }
    const read = () => bench.expectStatus<Document>(200, Promise.resolve(bench.platform.app.request("/openapi.json")));

    it("describes every route with its parameters and refusals", async () => {
      const { openapi, paths } = await read();
      const operations = Object.values(paths).flatMap((path) => Object.values(path));
      expect(openapi).toBe("3.1.0");
      expect(operations.length).toBeGreaterThanOrEqual(25);
      expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
      for (const { responses } of operations) expect(Object.keys(responses)).toContain("401");
      for (const [path, methods] of Object.entries(paths)) {
        const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        for (const { parameters } of Object.values(methods)) {
          expect(parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name)).toEqual(named);
        }
      }
    });

    it("refers only to schemas that it has, once each", async () => {
      const document = await read();
      const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference);
      const known = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
      expect(references.length).toBeGreaterThan(40);
      expect(new Set(references)).toEqual(new Set(known));
      expect(document.components.schemas.CreateClusterRequest).toMatchObject({
        type: "object",
        required: ["name"],
        additionalProperties: false,
      });
    });
  });
});
