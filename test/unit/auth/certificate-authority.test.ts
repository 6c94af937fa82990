import { X509Certificate } from "node:crypto";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import {
  apiServerDnsNames,
  apiServerIps,
  createCertificateAuthority,
  issueServerCertificate,
} from "../../../shared/auth/certificate-authority.ts";

const now = Date.now();

async function issue(days = 365) {
  const ca = await createCertificateAuthority({ commonName: "coracle-ca", notBefore: now });
  const server = await issueServerCertificate({
    caKeyPem: ca.keyPem,
    caPem: ca.certificatePem,
    dnsNames: apiServerDnsNames,
    ips: apiServerIps,
    notBefore: now,
    days,
  });
  return { ca, server };
}

describe("the certificate authority", () => {
  it("is an authority for ten years that signs what it issues", async () => {
    const { ca, server } = await issue();
    const authority = new X509Certificate(ca.certificatePem);
    const leaf = new X509Certificate(server.certificatePem);
    expect(authority.ca).toBe(true);
    expect(authority.validToDate.getTime() - now).toBeGreaterThan(3649 * 86_400_000);
    expect(leaf.ca).toBe(false);
    expect(leaf.verify(authority.publicKey)).toBe(true);
    expect(leaf.checkIssued(authority)).toBe(true);
  });

  it("names every host and address by which the API is reached", async () => {
    const leaf = new X509Certificate((await issue()).server.certificatePem);
    for (const name of apiServerDnsNames) expect(leaf.checkHost(name)).toBe(name);
    for (const ip of apiServerIps) expect(leaf.checkIP(ip)).toBe(ip);
    expect(leaf.checkHost("example.org")).toBeUndefined();
  });

  it("serves TLS that a client with the authority accepts and one without refuses", async () => {
    const { ca, server } = await issue();
    const listener = createServer({ key: server.keyPem, cert: server.certificatePem }, (_, response) => response.end("ok"));
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const { port } = listener.address() as AddressInfo;
    const get = (authority?: string) =>
      new Promise<string>((resolve) => {
        request({ host: "127.0.0.1", port, ...(authority && { ca: authority }) }, (response) => resolve(String(response.statusCode)))
          .on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""))
          .end();
      });
    expect(await get(ca.certificatePem)).toBe("200");
    expect(await get()).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED/);
    listener.closeAllConnections();
    await new Promise((resolve) => listener.close(resolve));
  });
});
