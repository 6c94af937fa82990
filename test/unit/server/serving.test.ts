import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { Duplex } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createServing, type Serving } from "../../../server/serving.ts";
import type { ApiRequest } from "../../../shared/api/request-info.ts";
import type { ApiResponse, Sink } from "../../../shared/api/response.ts";
import { createCertificateAuthority, issueServerCertificate } from "../../../shared/auth/certificate-authority.ts";
import { systemClock } from "../../../shared/clock.ts";
import { isStatus } from "../../../shared/kubernetes/status-error.ts";

const megabytes = Buffer.alloc(3 * 1024 * 1024, "0123456789abcdef");
const ok = (body: Buffer): ApiResponse => ({ status: 200, headers: {}, body });

let ca = "";
let key = "";
let cert = "";
let serving: Serving;
/** Sent along with every request. */
let steering: Record<string, string> = {};
let port = 0;
/** What the cluster API answers. */
let answer: (request: ApiRequest) => Promise<ApiResponse>;
/** What everything else answers. */
let fetched: (request: Request) => Response | Promise<Response>;

beforeAll(async () => {
  const notBefore = Date.now();
  const authority = await createCertificateAuthority({ commonName: "test", notBefore });
  const names = { dnsNames: ["localhost"], ips: ["127.0.0.1"], notBefore, days: 1 };
  const issued = await issueServerCertificate({ caKeyPem: authority.keyPem, caPem: authority.certificatePem, ...names });
  ca = authority.certificatePem;
  key = issued.keyPem;
  cert = issued.certificatePem;
});

afterEach(() => serving.end(0));

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: Buffer | readonly Buffer[];
}

/** A request under way; its body is sent in the pieces that are given. */
function ask(path: string, { method = "GET", headers = {}, body }: Asked = {}) {
  const outgoing = request({ host: "127.0.0.1", port, path, method, headers: { ...steering, ...headers }, ca });
  outgoing.on("error", () => {});
  for (const chunk of body === undefined ? [] : Buffer.isBuffer(body) ? [body] : body) outgoing.write(chunk);
  return outgoing;
}

async function answered(path: string, asked: Asked = {}) {
  const outgoing = ask(path, asked).end();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return { status: incoming.statusCode, headers: incoming.headers, bytes: Buffer.concat(chunks) };
}

describe.each([
  ["the fast path", {}],
  ["Node's server", { te: "trailers" }],
])("a server, its connections on %s", (_, headers) => {
  beforeEach(async () => {
    steering = headers;
    answer = async () => ok(Buffer.from("yes"));
    fetched = () => new Response("elsewhere");
    const tunnel = {
      isTunnelPath: (path: string) => path.startsWith("/agent/v1/tunnels/"),
      async accept(path: string, header: (name: string) => string | undefined, accept: () => Promise<Duplex>) {
        if (path.endsWith("/no")) return new Response("not this one", { status: 403 });
        const connection = await accept();
        connection.write(`tunnel for ${header("x-node")}: `);
        connection.pipe(connection);
        return undefined;
      },
    };
    const api = { clusterApi: (request: ApiRequest) => answer(request), fetch: (request: Request) => fetched(request), tunnel };
    serving = createServing({ key, cert, ...api, onError: (error) => expect.unreachable(String(error)) }, systemClock);
    port = await serving.listen(0, "127.0.0.1");
  });

  it("shows a request's method, path, headers and sender", async () => {
    let seen: unknown;
    answer = async (request) => {
      const { method, url, clientAddress, upgradable = false } = request;
      const headers = ["x-one", "x-many", "authorization", "cookie", "x-none"].map((name) => request.header(name));
      seen = { method, url, clientAddress, upgradable, headers, extra: request.headersFrom("impersonate-extra-") };
      return ok(Buffer.alloc(0));
    };
    const headers = {
      "X-One": "1",
      "x-many": ["1", "2"],
      authorization: ["Bearer a", "Bearer b"],
      cookie: ["a=1", "b=2"],
      "Impersonate-Extra-Scopes": ["one", "two"],
    };
    await answered("/api/v1/pods?limit=1", { method: "DELETE", headers });
    expect(seen).toEqual({
      ...{ method: "DELETE", url: "/api/v1/pods?limit=1", clientAddress: "127.0.0.1", upgradable: false },
      headers: ["1", "1, 2", "Bearer a", "a=1; b=2", undefined],
      extra: [
        ["impersonate-extra-scopes", "one"],
        ["impersonate-extra-scopes", "two"],
      ],
    });
  });

  it.each([
    ["none", undefined],
    ["a small one", Buffer.from("småll")],
    ["one of megabytes", megabytes],
    ["one in chunks", [Buffer.from("a"), megabytes, Buffer.from("z")]],
  ])("reads a body: %s", async (_, body) => {
    answer = async (request) => ok(await request.body(8 * 1024 * 1024));
    const { bytes } = await answered("/api/v1/pods", { method: "POST", ...(body && { body }) });
    expect(bytes.equals(body === undefined ? Buffer.alloc(0) : Buffer.isBuffer(body) ? body : Buffer.concat(body))).toBe(true);
  });

  it("reads a body of a declared length that comes in pieces, small and large ones, with its connection's next request", async () => {
    answer = async (request) => ok(await request.body(8 * 1024 * 1024));
    const agent = new Agent({ ca, keepAlive: true, maxSockets: 1 });
    for (const size of [100, 5000, 65_536, 65_537, 300_000, 100]) {
      const sent = megabytes.subarray(0, size);
      const headers = { ...steering, "content-length": String(size) };
      const outgoing = request({ host: "127.0.0.1", port, path: "/api/v1/pods", method: "POST", headers, agent });
      const response = once(outgoing, "response");
      for (let at = 0; at < size; at += Math.ceil(size / 7)) {
        outgoing.write(sent.subarray(at, at + Math.ceil(size / 7)));
        await pause(2);
      }
      outgoing.end();
      const [incoming] = (await response) as [IncomingMessage];
      expect(Buffer.concat(await incoming.toArray()).equals(sent)).toBe(true);
    }
    agent.destroy();
  });

  it("answers what is asked before the last answer has come behind that, and what comes in single bytes", async () => {
    answer = async ({ url }) => {
      if (url === "/api/slow") await pause(100);
      return ok(Buffer.from(`<${url}>`));
    };
    const socket = connect({ host: "127.0.0.1", port, ca });
    const extra = Object.entries(steering).map(([name, value]) => `${name}: ${value}\r\n`);
    const text = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: x\r\n${extra.join("")}${more}\r\n`;
    socket.write(text("/api/slow"));
    await pause(30);
    socket.write(text("/api/second"));
    await pause(30);
    socket.write(text("/api/third"));
    await pause(150);
    for (const letter of text("/api/last", "Connection: close\r\n")) {
      socket.write(letter);
      await pause(1);
    }
    const received = Buffer.concat(await socket.toArray()).toString();
    expect(received.match(/<[^>]+>/g)).toEqual(["</api/slow>", "</api/second>", "</api/third>", "</api/last>"]);
  });

  it("does not answer on and on who asks one thing after another and reads nothing", async () => {
    let asked = 0;
    answer = async () => {
      asked++;
      return ok(megabytes.subarray(0, 15_000));
    };
    const socket = connect({ host: "127.0.0.1", port, ca });
    await once(socket, "secureConnect");
    socket.pause();
    const extra = Object.entries(steering).map(([name, value]) => `${name}: ${value}\r\n`);
    const text = `GET /api/v1/pods HTTP/1.1\r\nHost: x\r\n${extra.join("")}\r\n`;
    const most = 2000;
    /** Whether all that was sent is answered, or soon. */
    const isAnswered = async (sent: number): Promise<boolean> => {
      for (let waited = 0; asked < sent && waited < 500; waited++) await pause(1);
      return asked >= sent;
    };
    let sent = 0;
    do {
      socket.write(text);
      sent++;
    } while ((await isAnswered(sent)) && sent < most);
    expect(sent).toBeLessThan(most);
    let received = 0;
    socket.on("data", (chunk: Buffer) => (received += chunk.length)).resume();
    await expect.poll(() => asked).toBe(sent);
    await expect.poll(() => received).toBeGreaterThan(sent * 15_000);
    socket.destroy();
  });

  it("serves all kinds of requests on one connection, one after another", async () => {
    answer = async ({ method, url, upgradable }) => ok(Buffer.from(`${method} ${url}${upgradable ? " upgradable" : ""}`));
    const agent = new Agent({ ca, keepAlive: true, maxSockets: 1 });
    const asked = async (method: string, path: string, headers: Record<string, string> = {}) => {
      const outgoing = request({ host: "127.0.0.1", port, path, method, headers: { ...steering, ...headers }, agent }).end();
      const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
      return [Buffer.concat(await incoming.toArray()).toString(), outgoing.reusedSocket];
    };
    expect(await asked("GET", "/api/v1/a")).toEqual(["GET /api/v1/a", false]);
    expect(await asked("GET", "/api/v1/b")).toEqual(["GET /api/v1/b", true]);
    expect(await asked("HEAD", "/api/v1/b")).toEqual(["", true]);
    expect(await asked("GET", "/v1/clusters")).toEqual(["elsewhere", true]);
    expect(await asked("DELETE", "/api/v1/c")).toEqual(["DELETE /api/v1/c", true]);
    expect(await asked("PUT", "/api/v1/d", { expect: "100-continue" })).toEqual(["PUT /api/v1/d", true]);
    agent.destroy();
  });

  it.each([204, 304])("sends no body with the status %d, and serves the next request", async (status) => {
    answer = async ({ url }) => (url === "/api/none" ? { status, headers: {}, body: Buffer.from("never seen") } : ok(Buffer.from("yes")));
    const agent = new Agent({ ca, keepAlive: true, maxSockets: 1 });
    const outgoing = request({ host: "127.0.0.1", port, path: "/api/none", headers: steering, agent }).end();
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    expect([incoming.statusCode, (await incoming.toArray()).length]).toEqual([status, 0]);
    const next = request({ host: "127.0.0.1", port, path: "/api/v1/pods", headers: steering, agent }).end();
    const [answered] = (await once(next, "response")) as [IncomingMessage];
    expect([Buffer.concat(await answered.toArray()).toString(), next.reusedSocket]).toEqual(["yes", true]);
    agent.destroy();
  });

  it("passes on an answer that goes on with the length and the cookies that it has", async () => {
    answer = async () => ({
      ...{ status: 200, headers: { "content-length": "5", "x-of": "upstream" }, cookies: ["a=1", "b=2"] },
      body: {
        start(sink) {
          sink.write(Buffer.from("he"));
          setTimeout(() => {
            sink.write(Buffer.from("llo"));
            sink.end();
          }, 20);
          return () => {};
        },
      },
    });
    const { headers, bytes } = await answered("/api/v1/namespaces/a/pods/b/proxy/");
    expect(bytes.toString()).toBe("hello");
    expect(headers).toMatchObject({ "content-length": "5", "x-of": "upstream", "set-cookie": ["a=1", "b=2"] });
    expect(headers["transfer-encoding"]).toBeUndefined();
  });

  it.each([
    ["declared", { "content-length": String(megabytes.length) }],
    ["in chunks", {}],
  ])("refuses a body over the limit, %s, and serves the connection's next request", async (_, headers) => {
    answer = async (request) => {
      const body = await request.body(1024 * 1024).catch((error: unknown) => error);
      return isStatus(body, "RequestEntityTooLarge") ? { status: 413, headers: {}, body: Buffer.alloc(0) } : ok(Buffer.from("taken"));
    };
    expect((await answered("/api/v1/pods", { method: "POST", headers, body: megabytes })).status).toBe(413);
    expect((await answered("/api/v1/pods", { method: "POST", body: Buffer.from("{}") })).bytes.toString()).toBe("taken");
  });

  it("tells that a large body ended early", async () => {
    const problem = Promise.withResolvers<unknown>();
    answer = async (request) => {
      problem.resolve(await request.body(8 * 1024 * 1024).catch((error: unknown) => error));
      return ok(Buffer.alloc(0));
    };
    const outgoing = ask("/api/v1/pods", { method: "POST", body: megabytes.subarray(0, 200_000) });
    await pause(100);
    outgoing.destroy();
    expect(await problem.promise).toMatchObject({ message: "the request body ended early" });
  });

  it("gives a body as it comes, no faster than it is read", async () => {
    const begun = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    answer = async (request) => {
      const stream = request.stream?.();
      begun.resolve();
      await goOn.promise;
      const chunks: Buffer[] = [];
      for await (const chunk of stream ?? []) chunks.push(chunk);
      return ok(Buffer.from(String(Buffer.concat(chunks).length)));
    };
    const outgoing = request({ host: "127.0.0.1", port, path: "/api/v1/x", method: "POST", headers: steering, ca });
    let sent = 0;
    const pump = async (): Promise<void> => {
      for (; sent < 40; sent++) if (!outgoing.write(megabytes.subarray(0, 1024 * 1024))) await once(outgoing, "drain");
      outgoing.end();
    };
    const pumped = pump();
    await begun.promise;
    await pause(300);
    expect(sent).toBeLessThan(30);
    goOn.resolve();
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    await pumped;
    expect(String(await incoming.toArray())).toBe(String(40 * 1024 * 1024));
  });

  it("tells once when the answer has been sent, and when whoever asked has gone before", async () => {
    let closed = 0;
    answer = async (request) => {
      request.onClosed?.(() => closed++);
      if (request.url.endsWith("slow")) await pause(200);
      return ok(Buffer.alloc(0));
    };
    await answered("/api/v1/fast");
    await expect.poll(() => closed).toBe(1);
    const outgoing = ask("/api/v1/slow").end();
    await pause(100);
    outgoing.destroy();
    await expect.poll(() => closed).toBe(2);
  });

  it("waits with a stream for a receiver that is slow, and stops when he has gone", async () => {
    const sinks: Sink[] = [];
    let stopped = 0;
    const chunk = Buffer.alloc(64 * 1024, "x");
    let written = 0;
    const fill = async (sink: Sink): Promise<void> => {
      for (; written < 1000 && stopped === 0; written++) if (!sink.write(chunk)) await sink.drained();
    };
    answer = async () => ({
      ...{ status: 200, headers: {} },
      body: {
        start(sink) {
          sinks.push(sink);
          void fill(sink);
          return () => stopped++;
        },
      },
    });
    const outgoing = ask("/api/v1/pods?watch=1").end();
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    incoming.pause();
    await pause(300);
    const before = written;
    await pause(200);
    expect(written).toBe(before);
    expect(written).toBeLessThan(900);
    incoming.destroy();
    await expect.poll(() => stopped).toBe(1);
  });

  it("gives many receivers the same bytes, each in order", async () => {
    const sinks: Sink[] = [];
    const start = (sink: Sink) => {
      sinks.push(sink);
      return () => {};
    };
    answer = async () => ({ status: 200, headers: {}, body: { start } });
    const receivers = Array.from({ length: 20 }, () => answered("/api/v1/pods?watch=1"));
    await expect.poll(() => sinks.length).toBe(20);
    const events = Array.from({ length: 200 }, (_, index) => Buffer.from(`event ${index} ${"y".repeat(500)}\n`));
    for (const [index, event] of events.entries()) {
      for (const sink of sinks) sink.write(event);
      if (index % 50 === 0) await pause(1);
    }
    for (const sink of sinks) sink.end();
    for (const { bytes } of await Promise.all(receivers)) expect(bytes.equals(Buffer.concat(events))).toBe(true);
  });

  it("cuts a stream off so that the receiver sees it", async () => {
    answer = async () => ({
      ...{ status: 200, headers: {} },
      body: {
        start(sink) {
          sink.write(Buffer.from("half"));
          setTimeout(() => sink.abort?.(), 50);
          return () => {};
        },
      },
    });
    await expect(answered("/api/v1/pods?watch=1")).rejects.toThrow();
  });

  /** A connection that is switched, and the head of its answer. */
  async function upgraded(path: string, headers: Record<string, string> = {}): Promise<{ socket: Duplex; head: Buffer }> {
    const outgoing = ask(path, { method: "POST", headers: { connection: "Upgrade", upgrade: "test", ...headers } }).end();
    const [, socket, head] = (await once(outgoing, "upgrade")) as [IncomingMessage, TLSSocket, Buffer];
    return { socket, head };
  }

  it("gives a connection away that is upgraded: bytes go both ways at their receivers' pace, and ends are seen", async () => {
    let ended = false;
    answer = async ({ upgradable }) => ({
      ...{ status: 101, headers: { connection: "Upgrade", upgrade: "test" } },
      body: upgradable
        ? {
            take(connection) {
              connection.on("error", () => {});
              connection.once("end", () => (ended = true));
              connection.pipe(connection);
            },
          }
        : Buffer.from("not upgradable"),
    });
    const { socket, head } = await upgraded("/api/v1/namespaces/default/pods/web/exec");
    const received = [head];
    let size = head.length;
    socket.on("data", (chunk: Buffer) => {
      received.push(chunk);
      size += chunk.length;
    });
    for (let round = 0; round < 5; round++) if (!socket.write(megabytes)) await once(socket, "drain");
    await expect.poll(() => size, { timeout: 10_000 }).toBe(5 * megabytes.length);
    expect(Buffer.concat(received).equals(Buffer.concat(Array(5).fill(megabytes)))).toBe(true);
    socket.end();
    await expect.poll(() => ended).toBe(true);
  });

  it("tells who took a connection over that the client has gone", async () => {
    let closed = false;
    answer = async () => ({
      ...{ status: 101, headers: { connection: "Upgrade", upgrade: "test" } },
      body: {
        take(connection) {
          connection.on("error", () => {}).resume();
          connection.once("close", () => (closed = true));
        },
      },
    });
    const { socket } = await upgraded("/api/v1/namespaces/default/pods/web/attach");
    socket.destroy();
    await expect.poll(() => closed).toBe(true);
  });

  it("answers a request that asks for an upgrade and gets none", async () => {
    answer = async () => ({ status: 403, headers: {}, body: Buffer.from("no") });
    const headers = { connection: "Upgrade", upgrade: "test" };
    expect(await answered("/api/v1/namespaces/default/pods/web/exec", { method: "POST", headers })).toMatchObject({ status: 403 });
    expect((await answered("/api/v1/namespaces", { headers })).status).toBe(403);
  });

  it("makes tunnels of agents' connections, or refuses them", async () => {
    const { socket, head } = await upgraded("/agent/v1/tunnels/t1", { "x-node": "n1" });
    const received = [head];
    socket.on("data", (chunk: Buffer) => received.push(chunk));
    socket.write("hello");
    await expect.poll(() => Buffer.concat(received).toString()).toBe("tunnel for n1: hello");
    socket.destroy();
    const headers = { connection: "Upgrade", upgrade: "test" };
    const refused = await answered("/agent/v1/tunnels/no", { method: "POST", headers });
    expect([refused.status, refused.bytes.toString()]).toEqual([403, "not this one"]);
  });

  it("serves everything else as web-standard objects", async () => {
    fetched = async (request) => {
      const { pathname, search } = new URL(request.url);
      if (pathname === "/v1/nothing") return new Response(null, { status: 204 });
      const headers = new Headers({ "x-of": request.headers.get("x-of") ?? "" });
      headers.append("set-cookie", "a=1");
      headers.append("set-cookie", "b=2");
      return new Response(`${request.method} ${pathname}${search} ${(await request.text()).length}`, { status: 201, headers });
    };
    const small = await answered("/v1/clusters?a=b", { method: "POST", headers: { "x-of": "mine" }, body: Buffer.from("{}") });
    expect([small.status, small.bytes.toString(), small.headers["x-of"], small.headers["set-cookie"]]).toEqual([
      ...[201, "POST /v1/clusters?a=b 2", "mine"],
      ["a=1", "b=2"],
    ]);
    const large = await answered("/v1/clusters", { method: "POST", body: megabytes });
    expect(large.bytes.toString()).toBe(`POST /v1/clusters ${megabytes.length}`);
    const nothing = await answered("/v1/nothing", { method: "DELETE" });
    expect([nothing.status, nothing.bytes.length]).toEqual([204, 0]);
  });

  it("tells web-standard objects that whoever asked has gone, and only then", async () => {
    const aborted: string[] = [];
    fetched = async (request) => {
      request.signal.addEventListener("abort", () => aborted.push(request.url));
      if (request.url.endsWith("slow")) await pause(300);
      return new Response("done");
    };
    await answered("/v1/fast");
    const outgoing = ask("/v1/slow").end();
    await pause(100);
    outgoing.destroy();
    await expect.poll(() => aborted.map((url) => new URL(url).pathname)).toEqual(["/v1/slow"]);
  });

  it("answers bytes that are no request as Go's server does", async () => {
    const socket = connect({ host: "127.0.0.1", port, ca });
    socket.write("this is no HTTP\r\n\r\n");
    expect(Buffer.concat(await socket.toArray()).toString()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  });

  it("says which port is taken", async () => {
    const other = createServing({ key, cert, clusterApi: answer, fetch: fetched, onError: () => {} }, systemClock);
    await expect(other.listen(port, "127.0.0.1")).rejects.toThrow(`port ${port} is taken`);
    other.close();
  });

  it("ends when those who are being answered have their answers", async () => {
    const goOn = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    answer = async () => {
      begun.resolve();
      await goOn.promise;
      return ok(Buffer.from("still"));
    };
    const last = answered("/api/v1/pods");
    await begun.promise;
    const ended = serving.end(5000);
    await pause(50);
    await expect(answered("/api/v1/pods")).rejects.toThrow("ECONNREFUSED");
    goOn.resolve();
    expect((await last).bytes.toString()).toBe("still");
    await ended;
    serving = { ...serving, end: async () => {} };
  });
});
