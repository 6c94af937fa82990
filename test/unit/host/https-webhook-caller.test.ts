import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCertificateAuthority, issueServerCertificate } from "../../../shared/auth/certificate-authority.ts";
import { createAddressGuard } from "../../../shared/host/address-guard.ts";
import { HttpsWebhookCaller } from "../../../shared/host/https-webhook-caller.ts";

let server: Server;
let port = 0;
let ca = "";
let handle: (path: string) => { status: number; body: string } | undefined = () => ({ status: 200, body: "{}" });
beforeAll(async () => {
  const authority = await createCertificateAuthority({ commonName: "hooks", notBefore: Date.now() });
  ca = authority.certificatePem;
  const made = await issueServerCertificate({
    ...{ caKeyPem: authority.keyPem, caPem: ca, dnsNames: ["hook.default.svc"], ips: [], notBefore: Date.now(), days: 1 },
  });
  server = createServer({ key: made.keyPem, cert: made.certificatePem }, (request, response) => {
    const answer = handle(request.url ?? "");
    if (!answer) return;
    response.writeHead(answer.status).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const callerWith = (networks: string[], resolve: (name: string) => Promise<string[]> = async () => ["127.0.0.1"]) =>
  new HttpsWebhookCaller({ mayConnect: createAddressGuard(networks), resolve });
const body = Buffer.from("{}");

describe("webhooks over HTTPS", () => {
  it("are reached by name, at the address that the name has, with a certificate of the name", async () => {
    const caller = callerWith(["127.0.0.0/8"]);
    const answer = await caller.call({ url: `https://hook.default.svc:${port}/x?timeout=1s`, caBundle: ca }, body, 2000);
    expect([answer.status, answer.body.toString()]).toEqual([200, "{}"]);
    caller.close();
  });

  it("are reached at a given endpoint under their own name", async () => {
    const caller = callerWith(["127.0.0.0/8"], () => Promise.reject(new Error("not asked")));
    const connectTo = { address: "127.0.0.1", port };
    expect((await caller.call({ url: "https://hook.default.svc:443/", caBundle: ca, connectTo }, body, 2000)).status).toBe(200);
    caller.close();
  });

  it.each([
    ["by address", "https://127.0.0.1:1/", undefined],
    ["by a name that leads there", "https://rebinding.example.com/", undefined],
    ["as the endpoint of a Service", "https://hook.default.svc:443/", { address: "127.0.0.1", port: 1 }],
  ])("in a private network are refused %s, before anything is connected to", async (_how, url, connectTo) => {
    const caller = callerWith([]);
    await expect(caller.call({ url, ...(connectTo && { connectTo }) }, body, 2000)).rejects.toThrow(
      /^dial tcp 127\.0\.0\.1:\d+: the address is not public/,
    );
  });

  it("go to the public address of a name that has private ones as well", async () => {
    const seen: string[] = [];
    const caller = new HttpsWebhookCaller({
      mayConnect: (address) => {
        seen.push(address);
        return address === "127.0.0.2";
      },
      resolve: async () => ["10.0.0.1", "127.0.0.2"],
    });
    await expect(caller.call({ url: "https://x.example.com:1/" }, body, 2000)).rejects.toThrow(
      "dial tcp 127.0.0.2:1: connect: connection refused",
    );
    expect(seen).toContain("10.0.0.1");
    caller.close();
  });

  it("with a certificate of an unknown authority, or of another name, are not trusted", async () => {
    const caller = callerWith(["127.0.0.0/8"]);
    const url = `https://hook.default.svc:${port}/`;
    await expect(caller.call({ url }, body, 2000)).rejects.toThrow("x509: certificate signed by unknown authority");
    await expect(caller.call({ url: `https://other.default.svc:${port}/`, caBundle: ca }, body, 2000)).rejects.toThrow("x509: ");
    caller.close();
  });

  it("that do not answer in time, or answer without end, are given up", async () => {
    const caller = callerWith(["127.0.0.0/8"]);
    const target = { url: `https://hook.default.svc:${port}/`, caBundle: ca };
    handle = () => undefined;
    await expect(caller.call(target, body, 100)).rejects.toThrow("context deadline exceeded");
    handle = () => ({ status: 200, body: "x".repeat(4 * 1024 * 1024) });
    await expect(caller.call(target, body, 5000)).rejects.toThrow("the answer is too long");
    caller.close();
  });

  it("whose names nobody knows are said to be so", async () => {
    const caller = callerWith([], () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" })));
    await expect(caller.call({ url: "https://nowhere.example.com/" }, body, 500)).rejects.toThrow(
      "dial tcp: lookup nowhere.example.com: no such host",
    );
  });

  it("that lead elsewhere are not followed there", async () => {
    const caller = callerWith(["127.0.0.0/8"]);
    handle = () => ({ status: 307, body: "" });
    expect((await caller.call({ url: `https://hook.default.svc:${port}/`, caBundle: ca }, body, 2000)).status).toBe(307);
    caller.close();
  });
});
