import "reflect-metadata";
import { type webcrypto, X509Certificate } from "node:crypto";
import { ExtendedKeyUsageExtension, Pkcs10CertificateRequestGenerator, X509CertificateGenerator } from "@peculiar/x509";
import { beforeAll, describe, expect, it } from "vitest";
import { createCertificateAuthority } from "../../../shared/auth/certificate-authority.ts";
import { authorityPublicKey, createClusterAuthority } from "../../../shared/auth/certificate-signing.ts";
import { verifyClientCertificate } from "../../../shared/auth/client-certificate.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const nowMs = Date.parse("2026-06-01T00:00:00Z");
const dayMs = 86_400_000;

describe("a client certificate", () => {
  let installation: Awaited<ReturnType<typeof createCertificateAuthority>>;
  let keys: webcrypto.CryptoKeyPair;
  beforeAll(async () => {
    installation = await createCertificateAuthority({ commonName: "ca", notBefore: nowMs - dayMs });
    keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  });

  const authorityOf = (cluster: string) => ({
    cluster: { tenant: "t", cluster },
    publicKey: authorityPublicKey(installation.keyPem, cluster),
  });
  async function signed(
    name: Readonly<Record<string, string[]>>[],
    usages: readonly string[] = ["client auth"],
    cluster = "a",
  ): Promise<Buffer> {
    const request = await Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm: algorithm });
    const authority = createClusterAuthority({ caKeyPem: () => installation.keyPem, caPem: installation.certificatePem, cluster });
    const outcome = await authority.sign({
      request: Buffer.from(request.toString("pem")).toString("base64"),
      ...{ usages, expirationSeconds: 3600, nowMs },
    });
    if (outcome.kind !== "signed") throw new Error(outcome.reason);
    return new X509Certificate(outcome.pem).raw;
  }
  const userOf = (der: Buffer, cluster = "a", atMs = nowMs) => verifyClientCertificate(der, authorityOf(cluster), atMs)?.user;

  it("shows its common name, and its organizations as groups", async () => {
    const der = await signed([{ O: ["devs", "ops, inc"] }, { CN: ["jane"] }]);
    expect(userOf(der)).toMatchObject({ username: "jane", groups: ["devs", "ops, inc", "system:authenticated"] });
    expect(userOf(der)?.extra?.["authentication.kubernetes.io/credential-id"]?.[0]).toMatch(/^X509SHA256=[0-9a-f]{64}$/);
  });

  it("shows nobody at another cluster, before its time or after it", async () => {
    const der = await signed([{ CN: ["jane"] }]);
    expect([userOf(der), userOf(der, "b"), userOf(der, "a", nowMs - dayMs), userOf(der, "a", nowMs + 3_600_000)]).toMatchObject([
      { username: "jane" },
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("shows nobody when it is for servers, or has no common name", async () => {
    expect(userOf(await signed([{ CN: ["jane"] }], ["server auth"]))).toBeUndefined();
    expect(userOf(await signed([{ O: ["devs"] }]))).toBeUndefined();
  });

  it("shows nobody when another key has signed it in the authority's name", async () => {
    const forged = await X509CertificateGenerator.create({
      ...{ subject: "CN=jane", issuer: "CN=kubernetes-ca-a", notBefore: new Date(nowMs - dayMs), notAfter: new Date(nowMs + dayMs) },
      ...{ signingAlgorithm: algorithm, publicKey: keys.publicKey, signingKey: keys.privateKey },
      extensions: [new ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.2"])],
    });
    expect(userOf(Buffer.from(forged.rawData))).toBeUndefined();
  });
});
