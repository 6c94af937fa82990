import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHandler } from "../../../functions/cluster-api.ts";
import type { ResponseStream, StreamingHandler } from "../../../functions/lambda.ts";
import { type Bed, createCluster, createFunctionBed, type Instance } from "./function-bed.ts";

/** What Lambda's runtime offers, over a chunked answer of an HTTP server. */
const chunked = {
  streamifyResponse: (handler: StreamingHandler) => handler as unknown as (event: unknown, ...rest: never[]) => Promise<unknown>,
  HttpResponseStream: {
    from(
      stream: ResponseStream,
      { statusCode, headers }: { statusCode: number; headers: Readonly<Record<string, string>> },
    ): ResponseStream {
      const response = stream as unknown as ServerResponse;
      response.writeHead(statusCode, { ...headers });
      response.flushHeaders();
      return stream;
    },
  },
};

describe("the cluster API behind a function URL that streams", () => {
  let server: Server;
  let url: string;
  let bed: Bed;
  let fn: Instance;
  let remainingMs = 60_000;
  const invocations: Promise<void>[] = [];

  beforeEach(async () => {
    bed = createFunctionBed();
    fn = bed.instance();
    globalThis.awslambda = chunked;
    const handler = createHandler(bed.ports()) as unknown as StreamingHandler;
    globalThis.awslambda = undefined;
    server = createServer((request, response) => {
      const [rawPath = "", rawQueryString = ""] = (request.url ?? "").split("?");
      const headers = {
        host: "fn",
        authorization: request.headers.authorization ?? "",
        "accept-encoding": request.headers["accept-encoding"],
      };
      const event = { rawPath, rawQueryString, headers: JSON.parse(JSON.stringify(headers)), requestContext: { http: { method: "GET" } } };
      const endMs = Date.now() + remainingMs;
      const context = { getRemainingTimeInMillis: () => endMs - Date.now() };
      invocations.push(handler(event, response as unknown as ResponseStream, context));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await Promise.all(invocations);
    remainingMs = 60_000;
  });

  async function* lines(path: string, token: string): AsyncGenerator<{ type: string; object: { metadata: Record<string, unknown> } }> {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    expect(response.status).toBe(200);
    let rest = "";
    for await (const chunk of response.body ?? []) {
      rest += Buffer.from(chunk).toString("utf8");
      const whole = rest.split("\n");
      rest = whole.pop() ?? "";
      for (const line of whole) yield JSON.parse(line);
    }
    expect(rest).toBe("");
  }

  test("sends each event of a watch when it happens, by whichever function it was written", async () => {
    const { id, credentials } = await createCluster(bed, fn);
    const path = `/clusters/${id}/api/v1/namespaces/default/configmaps`;
    const watch = lines(`${path}?watch=true&resourceVersion=1`, credentials.token);
    const names: string[] = [];
    const first = watch.next();
    for (const name of ["one", "two"])
      await fn.cluster("POST", path, credentials.token, { apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
    for (const next of [await first, await watch.next()]) if (!next.done) names.push(String(next.value.object.metadata.name));
    expect(names).toEqual(["one", "two"]);
    await watch.return(undefined);
  });

  test("ends a watch with a bookmark before the function's time is over, and another goes on from there", async () => {
    const { id, credentials } = await createCluster(bed, fn);
    const path = `/clusters/${id}/api/v1/namespaces/default/configmaps`;
    remainingMs = 5500;
    const startMs = Date.now();
    const seen = [];
    for await (const line of lines(`${path}?watch=true&allowWatchBookmarks=true&resourceVersion=1`, credentials.token)) seen.push(line);
    expect(Date.now() - startMs).toBeLessThan(5500);
    expect(seen.map(({ type }) => type)).toEqual(["BOOKMARK"]);
    const resumed = Number(seen[0]?.object.metadata.resourceVersion);
    await fn.cluster("POST", path, credentials.token, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "late" } });
    remainingMs = 60_000;
    const next = lines(`${path}?watch=true&resourceVersion=${resumed}`, credentials.token);
    expect((await next.next()).value).toMatchObject({ type: "ADDED", object: { metadata: { name: "late" } } });
    await next.return(undefined);
  });

  test("answers what is no stream whole, compressed where that pays", async () => {
    const { id, credentials } = await createCluster(bed, fn);
    const path = `/clusters/${id}/api/v1/namespaces/default/configmaps`;
    const data = { text: "x".repeat(200_000) };
    await fn.cluster("POST", path, credentials.token, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "big" }, data });
    const response = await fetch(`${url}${path}/big`, { headers: { authorization: `Bearer ${credentials.token}` } });
    expect(response.headers.get("content-encoding")).toBe("gzip");
    const answer = (await response.json()) as { data: { text: string } };
    expect(answer.data.text).toHaveLength(200_000);
  });
});
