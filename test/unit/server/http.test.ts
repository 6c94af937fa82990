import { once } from "node:events";
import { Agent, request } from "node:https";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "node:tls";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createServing } from "../../../server/serving.ts";
import type { ApiRequest } from "../../../shared/api/request-info.ts";
import type { StreamBody } from "../../../shared/api/response.ts";
import { createCertificateAuthority, issueServerCertificate } from "../../../shared/auth/certificate-authority.ts";
import { systemClock } from "../../../shared/clock.ts";

const items = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${String(index).padStart(6, "0")}${"x".repeat(1000)}`));
const all = Buffer.concat(items);
/** Sends every item, waiting wherever the receiver is slow, then ends. */
const watched: StreamBody = {
  start(sink) {
    void (async () => {
      for (const item of items) if (!sink.write(item)) await sink.drained();
      sink.end();
    })();
    return () => {};
  },
};
const errors: unknown[] = [];
const ways = [
  ["the fast path", {}],
  ["Node's server", { te: "trailers" }],
] as const;
/** Sent along with every request. */
let steering: Record<string, string> = {};
let port = 0;
let ca = "";
let stop = async (): Promise<void> => {};

async function start(headers: Record<string, string>): Promise<void> {
  steering = headers;
  const notBefore = Date.now();
  const authority = await createCertificateAuthority({ commonName: "test", notBefore });
  const names = { dnsNames: ["localhost"], ips: ["127.0.0.1"], notBefore, days: 1 };
  const issued = await issueServerCertificate({ caKeyPem: authority.keyPem, caPem: authority.certificatePem, ...names });
  ca = authority.certificatePem;
  const options = {
    key: issued.keyPem,
    cert: issued.certificatePem,
    clusterApi: async ({ url }: ApiRequest) => ({
      status: 200,
      headers: { "content-type": "application/json", ...(url === "/api/impossible" && { warning: "\u0000" }) },
      body: url === "/api/watch" ? watched : url === "/api/small" ? items.slice(0, 2) : url === "/api/single" ? all : items,
    }),
    fetch: () => new Response("elsewhere"),
    onError: (error: unknown) => errors.push(error),
  };
  const server = createServing(options, systemClock);
  port = await server.listen(0, "127.0.0.1");
  stop = () => server.end(0);
}
beforeEach(() => void errors.splice(0));
afterEach(() => stop());

/** What the server sends back to these bytes, until it closes the connection. */
async function exchange(text: string): Promise<Buffer> {
  const socket = connect({ host: "127.0.0.1", port, ca });
  socket.write(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function fetchBytes(path: string, { method = "GET", headers = {}, agent = new Agent({ ca }) } = {}) {
  const outgoing = request({ host: "127.0.0.1", port, path, method, headers: { ...steering, ...headers }, agent }).end();
  const [incoming] = await once(outgoing, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return { headers: incoming.headers, bytes: Buffer.concat(chunks) };
}

describe.each(ways)("answers of the cluster API on %s", (_, headers) => {
  beforeEach(() => start(headers));

  it.each(["/api/many", "/api/single"])("arrive whole however large they are: %s", async (path) => {
    const { headers, bytes } = await fetchBytes(path);
    expect(headers["content-length"]).toBe(String(all.length));
    expect(bytes.equals(all)).toBe(true);
  });

  it("arrive whole for receivers of every speed, on one connection behind each other, and after others have hung up", async () => {
    const slow = async (): Promise<Buffer> => {
      const outgoing = request({ host: "127.0.0.1", port, path: "/api/many", headers: steering, ca }).end();
      const [incoming] = await once(outgoing, "response");
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) {
        chunks.push(chunk);
        if (chunks.length % 20 === 0) await pause(5);
      }
      return Buffer.concat(chunks);
    };
    const gone = request({ host: "127.0.0.1", port, path: "/api/many", headers: steering, ca }).end();
    const [begun] = await once(gone, "response");
    begun.destroy();
    const two = exchange(
      "GET /api/single HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/many HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    for (const bytes of await Promise.all([slow(), slow(), slow(), fetchBytes("/api/many").then(({ bytes }) => bytes)]))
      expect(bytes.equals(all)).toBe(true);
    const behindEachOther = await two;
    const first = behindEachOther.indexOf("\r\n\r\n") + 4;
    const second = behindEachOther.indexOf("\r\n\r\n", first + all.length) + 4;
    expect(behindEachOther.subarray(first, first + all.length).equals(all)).toBe(true);
    expect(behindEachOther.subarray(second).equals(all)).toBe(true);
  });

  it("leave the connection usable for the next request", async () => {
    const agent = new Agent({ ca, keepAlive: true, maxSockets: 1 });
    const [large, small] = await Promise.all([fetchBytes("/api/many", { agent }), fetchBytes("/api/small", { agent })]);
    expect(large.bytes).toHaveLength(all.length);
    expect(small.bytes).toHaveLength(2 * 1006);
    agent.destroy();
  });

  it("are compressed for who accepts it, when they are large", async () => {
    const accepts = { headers: { "accept-encoding": "gzip" } };
    const large = await fetchBytes("/api/many", accepts);
    expect(large.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(large.bytes).equals(all)).toBe(true);
    expect((await fetchBytes("/api/small", accepts)).headers["content-encoding"]).toBeUndefined();
  });

  it("have no body for HEAD, and the length that GET would have", async () => {
    const { headers, bytes } = await fetchBytes("/api/many", { method: "HEAD" });
    expect(headers["content-length"]).toBe(String(all.length));
    expect(bytes).toHaveLength(0);
  });

  it("survive a receiver that hangs up in the middle", async () => {
    const outgoing = request({ host: "127.0.0.1", port, path: "/api/many", headers: steering, agent: new Agent({ ca }) }).end();
    const [incoming] = await once(outgoing, "response");
    await once(incoming, "data");
    outgoing.destroy();
    expect((await fetchBytes("/api/small")).bytes).toHaveLength(2 * 1006);
  });

  it("that cannot be sent are a 500, are reported, and harm nobody else", async () => {
    expect((await fetchBytes("/api/impossible")).bytes.toString()).toBe("500 Internal Server Error\n");
    await expect.poll(() => errors.map((error) => (error as Error).name)).toEqual(["TypeError"]);
    expect((await fetchBytes("/api/small")).bytes).toHaveLength(2 * 1006);
  });
});

describe.each(ways)("answers that go on on %s", (_, headers) => {
  beforeEach(() => start(headers));

  it("arrive whole and in order, and leave the connection usable", async () => {
    const agent = new Agent({ ca, keepAlive: true, maxSockets: 1 });
    const [stream, small] = await Promise.all([fetchBytes("/api/watch", { agent }), fetchBytes("/api/small", { agent })]);
    expect(stream.headers["transfer-encoding"]).toBe("chunked");
    expect(stream.bytes.equals(all)).toBe(true);
    expect(small.bytes).toHaveLength(2 * 1006);
    agent.destroy();
  });

  it("wait for the answer to a request before them on the same connection", async () => {
    const last = "GET /api/small HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    const bytes = await exchange(`${"GET /api/watch HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2)}${last}`);
    const frame = Buffer.from(`${(1006).toString(16)}\r\n${items[2999]?.toString()}\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n`);
    const first = bytes.indexOf(frame);
    expect(first).toBeGreaterThan(0);
    expect(bytes.indexOf(frame, first + 1)).toBeGreaterThan(first);
    expect(bytes.subarray(-2 * 1006).equals(Buffer.concat(items.slice(0, 2)))).toBe(true);
  });

  it("have no chunks for HTTP/1.0, and no body for HEAD", async () => {
    const old = await exchange("GET /api/watch HTTP/1.0\r\n\r\n");
    expect(old.subarray(old.indexOf("\r\n\r\n") + 4).equals(all)).toBe(true);
    expect((await fetchBytes("/api/watch", { method: "HEAD" })).bytes).toHaveLength(0);
  });
});
