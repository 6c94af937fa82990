import { once } from "node:events";
import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHttpServer } from "../../../server/http.ts";
import { createCertificateAuthority, issueServerCertificate } from "../../../shared/auth/certificate-authority.ts";

const items = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${String(index).padStart(6, "0")}${"x".repeat(1000)}`));
const all = Buffer.concat(items);
const errors: unknown[] = [];
let port = 0;
let ca = "";
let stop = (): void => {};

beforeEach(async () => {
  const notBefore = Date.now();
  const authority = await createCertificateAuthority({ commonName: "test", notBefore });
  const names = { dnsNames: ["localhost"], ips: ["127.0.0.1"], notBefore, days: 1 };
  const issued = await issueServerCertificate({ caKeyPem: authority.keyPem, caPem: authority.certificatePem, ...names });
  ca = authority.certificatePem;
  const server = createHttpServer({
    key: issued.keyPem,
    cert: issued.certificatePem,
    clusterApi: async ({ url }) => ({
      status: 200,
      headers: { "content-type": "application/json", ...(url === "/api/impossible" && { warning: "\u0000" }) },
      body: url === "/api/small" ? items.slice(0, 2) : url === "/api/single" ? all : items,
    }),
    fetch: () => new Response("elsewhere"),
    onError: (error) => errors.push(error),
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
  stop = () => {
    server.close();
    server.closeAllConnections();
  };
});
afterEach(() => stop());

async function fetchBytes(path: string, { method = "GET", headers = {}, agent = new Agent({ ca }) } = {}) {
  const outgoing = request({ host: "127.0.0.1", port, path, method, headers, agent }).end();
  const [incoming] = await once(outgoing, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return { headers: incoming.headers, bytes: Buffer.concat(chunks) };
}

describe("answers of the cluster API", () => {
  it.each(["/api/many", "/api/single"])("arrive whole however large they are: %s", async (path) => {
    const { headers, bytes } = await fetchBytes(path);
    expect(headers["content-length"]).toBe(String(all.length));
    expect(bytes.equals(all)).toBe(true);
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
    const outgoing = request({ host: "127.0.0.1", port, path: "/api/many", agent: new Agent({ ca }) }).end();
    const [incoming] = await once(outgoing, "response");
    await once(incoming, "data");
    outgoing.destroy();
    expect((await fetchBytes("/api/small")).bytes).toHaveLength(2 * 1006);
  });

  it("that cannot be sent are a 500, are reported, and harm nobody else", async () => {
    expect((await fetchBytes("/api/impossible")).bytes.toString()).toBe("500 Internal Server Error\n");
    expect(errors.map((error) => error instanceof TypeError)).toEqual([true]);
    expect((await fetchBytes("/api/small")).bytes).toHaveLength(2 * 1006);
  });
});
