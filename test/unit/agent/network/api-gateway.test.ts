import { createServer, type Server } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApiGateway, newApiKeyPair } from "../../../../agent/network/api-gateway.ts";
import type { ApiProxy } from "../../../../agent/network/api-proxy.ts";
import {
  apiServerDnsNames,
  apiServerIps,
  certifyServerKey,
  createCertificateAuthority,
} from "../../../../shared/auth/certificate-authority.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { silentLog } from "../../../../shared/telemetry/log.ts";

let server: Server;
let gateway: ApiProxy;
let port = 0;
let caPem = "";
const seen: { method: string | undefined; url: string | undefined; host: string | undefined; body: string }[] = [];
let certified = 0;

beforeEach(async () => {
  seen.length = 0;
  certified = 0;
  server = createServer((incoming, response) => {
    const body: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => body.push(chunk));
    incoming.on("end", () => {
      seen.push({ method: incoming.method, url: incoming.url, host: incoming.headers.host, body: Buffer.concat(body).toString() });
      response.writeHead(201, { "content-type": "application/json" });
      response.write("first;");
      setTimeout(() => response.end("last"), incoming.url === "/slow" ? 60_000 : 1);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const authority = await createCertificateAuthority({ commonName: "test", notBefore: Date.now() });
  caPem = authority.certificatePem;
  const keys = newApiKeyPair();
  const certify = async () => {
    certified++;
    const names = { dnsNames: apiServerDnsNames, ips: apiServerIps };
    const certificatePem = await certifyServerKey(keys.publicKeyPem, {
      caKeyPem: authority.keyPem,
      caPem,
      ...names,
      notBefore: Date.now(),
      days: 30,
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, certificatePem, expiresAtMs: Date.now() + 30 * 86_400_000 };
  };
  gateway = createApiGateway({ keys, certificate: await certify(), certify, ca: undefined, clock: systemClock, log: silentLog });
  ({ port } = await gateway.listen("127.0.0.1", 0));
});
afterEach(async () => {
  await gateway.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** As a pod asks: by the cluster's name and authority. Resolves with the first chunk, or the whole where `all`. */
const ask = (
  path: string,
  { servername = "kubernetes.default.svc", all = true, body = "" } = {},
): Promise<{ status: number | undefined; text: string }> =>
  new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, method: body === "" ? "GET" : "POST", ca: caPem, servername }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        if (!all) resolve({ status: response.statusCode, text });
      });
      response.on("end", () => resolve({ status: response.statusCode, text }));
      response.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });

describe("the gateway to an API server under another name", () => {
  it("is the cluster's API server to pods, and passes requests on under the server's name", async () => {
    expect(await ask("/api/v1/namespaces?limit=1", { body: "{}" })).toEqual({ status: 201, text: "first;last" });
    const { port: upstream } = server.address() as AddressInfo;
    expect(seen).toEqual([{ method: "POST", url: "/api/v1/namespaces?limit=1", host: `127.0.0.1:${upstream}`, body: "{}" }]);
  });

  it("passes on what comes, when it comes", async () => {
    expect(await ask("/slow", { all: false })).toEqual({ status: 201, text: "first;" });
  });

  it("has no other names", async () => {
    await expect(ask("/", { servername: "example.com" })).rejects.toThrow(/altnames/);
  });

  it("answers 502 while the server is away", async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect((await ask("/api")).status).toBe(502);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });

  it("asks for a certificate once, long before it expires not again", () => {
    expect(certified).toBe(1);
  });
});
