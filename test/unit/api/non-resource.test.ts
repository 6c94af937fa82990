import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { healthAnswer } from "../../../shared/api/health.ts";
import { createHarness, type Harness } from "./harness.ts";

const protobuf = "application/vnd.kubernetes.protobuf";
const textOf = (path: string, query = ""): string => healthAnswer(path, `${path}${query}`)?.body.toString() ?? "none";

describe("paths that are no resources", () => {
  let api: Harness;
  beforeAll(async () => {
    api = await createHarness();
  });
  afterAll(() => api.close());

  it("tell what is served", async () => {
    const { body } = await api.call("GET", "/");
    expect(body.paths).toEqual([...body.paths].sort());
    expect(body.paths).toEqual(expect.arrayContaining(["/api/v1", "/apis/apps", "/apis/apps/v1", "/openapi/v3", "/version"]));
  });

  it("are discovery that nobody may keep, aggregated with a tag and in every form", async () => {
    const plain = await api.call("GET", "/apis");
    expect([plain.headers.etag, plain.headers["cache-control"]]).toEqual([undefined, "no-cache, private"]);
    const aggregated = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    for (const type of ["application/json", protobuf]) {
      const { status, headers } = await api.call("GET", "/apis", undefined, { accept: `text/html,${type}${aggregated},*/*` });
      expect([status, headers["content-type"], headers.vary]).toEqual([200, `${type}${aggregated}`, "Accept"]);
      expect(headers.etag).toMatch(/^"[0-9A-F]{128}"$/);
    }
    expect((await api.call("GET", "/apis", undefined, { accept: protobuf })).headers["content-type"]).toBe(protobuf);
  });

  it("say more of a group that is there than of one that is not", async () => {
    expect((await api.call("GET", "/apis/apps/v2")).body).toMatchObject({ kind: "Status", code: 404 });
    expect((await api.call("GET", "/apis/no.such/v1")).text).toBe("404 page not found\n");
  });
});

describe("health", () => {
  it("is told check by check on request", () => {
    expect([textOf("/healthz"), textOf("/livez/ping"), textOf("/readyz/etcd"), textOf("/healthz/none")]).toEqual([
      "ok",
      "ok",
      "ok",
      "none",
    ]);
    expect(textOf("/livez", "?verbose")).toBe("[+]ping ok\n[+]log ok\n[+]etcd ok\nlivez check passed\n");
    expect(textOf("/healthz", "?verbose&exclude=log&exclude=x")).toBe(
      '[+]ping ok\n[+]log excluded: ok\n[+]etcd ok\nwarn: some health checks cannot be excluded: no matches for "x"\nhealthz check passed\n',
    );
  });
});

describe("methods and names", () => {
  let api: Harness;
  beforeAll(async () => {
    api = await createHarness();
  });
  afterAll(() => api.close());
  const maps = "/api/v1/namespaces/default/configmaps";

  it("of a resource are those that it has", async () => {
    for (const method of ["HEAD", "OPTIONS", "PROPFIND"]) expect((await api.call(method, maps)).status).toBe(405);
  });

  it("must be in an object that replaces another", async () => {
    await api.call("POST", maps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "kept" }, data: { a: "1" } });
    const answer = await api.call("PUT", `${maps}/kept`, {});
    expect(answer).toMatchObject({
      status: 400,
      body: { message: "the name of the object (kept based on URL) was undeterminable: name must be provided" },
    });
    expect((await api.call("GET", `${maps}/kept`)).body.data).toEqual({ a: "1" });
  });
});
