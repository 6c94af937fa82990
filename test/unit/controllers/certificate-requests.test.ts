import { createPublicKey, type webcrypto, X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { createCertificateAuthority } from "../../../shared/auth/certificate-authority.ts";
import { type ClusterAuthority, createClusterAuthority } from "../../../shared/auth/certificate-signing.ts";
import type { RequestAttributes } from "../../../shared/auth/rbac-rules.ts";
import type { UserInfo } from "../../../shared/auth/user.ts";
import { createCertificateApprovingController } from "../../../shared/controllers/certificate-approving.ts";
import { createCertificateCleaner } from "../../../shared/controllers/certificate-cleaner.ts";
import { createCertificateSigningController } from "../../../shared/controllers/certificate-signing-controller.ts";
import { formatTime } from "../../../shared/controllers/timestamp.ts";
import { certificateSigningRequests, clusterRoleBindings } from "../../../shared/kubernetes/known-resources.ts";
import type { CertificateSigningRequest, CertificateSigningRequestSpec } from "../../../shared/kubernetes/types.ts";
import { createFakeCluster } from "./fake-cluster.ts";
import { runControllers } from "./run-controllers.ts";

const kubeletClient = "kubernetes.io/kube-apiserver-client-kubelet";
let ca: { keyPem: string; certificatePem: string };
let authority: ClusterAuthority;
let lib: typeof import("@peculiar/x509");
beforeAll(async () => {
  await import("reflect-metadata");
  lib = await import("@peculiar/x509");
  ca = await createCertificateAuthority({ commonName: "coracle-ca", notBefore: Date.now() });
  authority = createClusterAuthority({ caKeyPem: () => ca.keyPem, caPem: ca.certificatePem, cluster: "c1" });
});

const ec = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const rsa = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
interface Name {
  type: "dns" | "ip" | "email" | "url";
  value: string;
}

async function requestText(subject: string, names: Name[] = [], algorithm: typeof ec | typeof rsa = ec): Promise<string> {
  const keys = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
  const extensions = names.length > 0 ? [new lib.SubjectAlternativeNameExtension(names)] : [];
  const made = await lib.Pkcs10CertificateRequestGenerator.create({ name: subject, keys, signingAlgorithm: algorithm, extensions });
  return Buffer.from(made.toString("pem")).toString("base64");
}

const node = "CN=system:node:n1, O=system:nodes";
const request = async (
  spec: Partial<CertificateSigningRequestSpec>,
  subject = node,
  names: Name[] = [],
): Promise<CertificateSigningRequest> => ({
  apiVersion: "certificates.k8s.io/v1",
  kind: "CertificateSigningRequest",
  metadata: { name: "csr" },
  spec: {
    request: await requestText(subject, names),
    signerName: kubeletClient,
    usages: ["digital signature", "client auth"],
    username: "system:bootstrap:abc",
    groups: ["system:bootstrappers"],
    ...spec,
  },
});

async function setUp(may: (user: UserInfo, request: RequestAttributes) => boolean = () => false) {
  const cluster = createFakeCluster();
  const authorizer = {
    authorize: (user: UserInfo, asked: RequestAttributes) => ({ allowed: may(user, asked), reason: "" }),
  };
  const controllers = await runControllers(
    cluster,
    createCertificateApprovingController(authorizer),
    createCertificateSigningController(authority),
    createCertificateCleaner(),
  );
  const read = () => cluster.get<CertificateSigningRequest>(certificateSigningRequests, "", "csr");
  const create = async (given: CertificateSigningRequest) => {
    await cluster.client.create(certificateSigningRequests, given);
    await controllers.settle();
    return read()?.status;
  };
  const decide = async (type: string) => {
    const lastUpdateTime = formatTime(cluster.clock.now());
    cluster.edit<CertificateSigningRequest>(certificateSigningRequests, "", "csr", (object) => ({
      ...object,
      status: { ...object.status, conditions: [{ type, status: "True", lastUpdateTime }] },
    }));
    await controllers.settle();
    return read()?.status;
  };
  return { cluster, controllers, create, decide, read };
}

const certificatesOf = (status: CertificateSigningRequest["status"]): X509Certificate[] =>
  Buffer.from(status?.certificate ?? "", "base64")
    .toString()
    .split(/(?=-----BEGIN)/)
    .filter((text) => text.trim() !== "")
    .map((text) => new X509Certificate(text));

describe("approving", () => {
  const may = (subresource: string) => (_user: UserInfo, asked: RequestAttributes) =>
    asked.kind === "resource" && asked.verb === "create" && asked.subresource === subresource;

  it("approves a kubelet's request if its user may have it, and its certificate follows", async () => {
    const { create } = await setUp(may("nodeclient"));
    const status = await create(await request({}));
    expect(status?.conditions).toMatchObject([
      { type: "Approved", reason: "AutoApproved", message: "Auto approving kubelet client certificate after SubjectAccessReview." },
    ]);
    expect(certificatesOf(status)).toHaveLength(2);
  });

  it("approves what a node asks for itself by a right of its own", async () => {
    const { create } = await setUp(may("selfnodeclient"));
    const status = await create(await request({ username: "system:node:n1" }));
    expect(status?.conditions?.[0]?.message).toBe("Auto approving self kubelet client certificate after SubjectAccessReview.");
  });

  it.each([
    ["another node's name", { username: "system:node:n2" }, node, []],
    ["a subject that is no node", { username: "jane" }, "CN=jane, O=system:nodes", []],
    ["a host name in it", { username: "system:node:n1" }, node, [{ type: "dns", value: "a.example" }]],
    ["further usages", { username: "system:node:n1", usages: ["digital signature", "client auth", "server auth"] }, node, []],
    ["another signer", { username: "system:node:n1", signerName: "example.com/signer" }, node, []],
  ] as const)("leaves %s to people", async (_title, spec, subject, names) => {
    const { create } = await setUp(may("selfnodeclient"));
    expect(await create(await request(spec as Partial<CertificateSigningRequestSpec>, subject, [...names]))).toBeUndefined();
  });

  it("looks again when rights change", async () => {
    let allowed = false;
    const { cluster, controllers, create, read } = await setUp(() => allowed);
    expect(await create(await request({}))).toBeUndefined();
    allowed = true;
    await cluster.client.create(clusterRoleBindings, { metadata: { name: "b" } });
    await controllers.settle();
    expect(read()?.status?.conditions).toMatchObject([{ type: "Approved" }]);
  });
});

describe("signing", () => {
  it("certifies the key and the names that were asked for, for the time that was asked", async () => {
    const { cluster, create, decide, read } = await setUp();
    const names: Name[] = [
      { type: "dns", value: "n1.example" },
      { type: "ip", value: "10.0.0.7" },
    ];
    const spec = {
      signerName: "kubernetes.io/kubelet-serving",
      usages: ["digital signature", "server auth"],
      expirationSeconds: 3600,
    } as const;
    await create(await request({ ...spec, usages: [...spec.usages] }, node, names));
    const [leaf, issuer] = certificatesOf(await decide("Approved"));
    expect(leaf?.subject).toBe("CN=system:node:n1\nO=system:nodes");
    expect(leaf?.subjectAltName).toBe("DNS:n1.example, IP Address:10.0.0.7");
    expect(leaf?.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect([leaf?.ca, issuer?.ca]).toEqual([false, true]);
    expect(leaf && issuer && leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey)).toBe(true);
    const nowMs = Math.floor(cluster.clock.now() / 1000) * 1000;
    expect([leaf?.validFromDate.getTime(), leaf?.validToDate.getTime()]).toEqual([nowMs - 300_000, nowMs + 3_600_000]);
    const pem = Buffer.from(read()?.spec.request ?? "", "base64").toString();
    const asked = new lib.Pkcs10CertificateRequest(pem).publicKey.toString("pem");
    expect(leaf?.publicKey.equals(createPublicKey(asked))).toBe(true);
  });

  it("signs RSA keys too, for a year at most", async () => {
    const { cluster, create, decide } = await setUp();
    const signerName = "kubernetes.io/kube-apiserver-client";
    const made = await request({ signerName, usages: ["client auth"], expirationSeconds: 10 * 365 * 86_400 });
    await create({ ...made, spec: { ...made.spec, request: await requestText("CN=jane, O=devs", [], rsa) } });
    const [leaf] = certificatesOf(await decide("Approved"));
    expect(leaf?.publicKey.asymmetricKeyType).toBe("rsa");
    const year = Math.floor(cluster.clock.now() / 1000) * 1000 + 365 * 86_400_000 - 300_000;
    expect(leaf?.validToDate.getTime()).toBe(year);
  });

  it.each([
    ["kubernetes.io/kubelet-serving", ["digital signature", "server auth"], "DNS or IP subjectAltName is required"],
    [kubeletClient, ["client auth"], "usages did not match [client auth digital signature key encipherment]"],
    ["kubernetes.io/kube-apiserver-client", ["server auth"], "invalid usage for client certificate: server auth"],
  ] as const)("marks what %s does not sign as failed", async (signerName, usages, message) => {
    const { create, decide } = await setUp();
    await create(await request({ signerName, usages: [...usages] }));
    const status = await decide("Approved");
    expect(status?.certificate).toBeUndefined();
    expect(status?.conditions?.[1]).toMatchObject({ type: "Failed", status: "True", reason: "SignerValidationFailure", message });
  });

  it("refuses a request whose key did not sign it", async () => {
    const { create, decide } = await setUp();
    const made = await request({ signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"] });
    const der = Buffer.from(
      Buffer.from(made.spec.request, "base64")
        .toString()
        .replace(/-----[^-]+-----|\s/g, ""),
      "base64",
    );
    const at = der.indexOf("system:node:n1");
    der.write("system:node:n2", at);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
    await create({ ...made, spec: { ...made.spec, request: Buffer.from(pem).toString("base64") } });
    expect((await decide("Approved"))?.conditions?.[1]?.message).toBe("unable to verify certificate request signature");
  });

  it("signs neither what nobody approved nor what is denied, nor for the signers of others", async () => {
    const { create, decide } = await setUp();
    expect(await create(await request({}))).toBeUndefined();
    expect((await decide("Denied"))?.certificate).toBeUndefined();
    const other = await setUp();
    await other.create(await request({ signerName: "example.com/signer" }));
    expect((await other.decide("Approved"))?.certificate).toBeUndefined();
  });

  it("has an authority for each cluster, the same one after a restart, and none is the installation's", async () => {
    const sign = async (cluster: string) => {
      const made = createClusterAuthority({ caKeyPem: () => ca.keyPem, caPem: ca.certificatePem, cluster });
      const text = await requestText(node);
      const outcome = await made.sign({ request: text, usages: ["client auth"], expirationSeconds: undefined, nowMs: Date.now() });
      const pem = outcome.kind === "signed" ? outcome.pem : "";
      const [leaf, issuer] = certificatesOf({ certificate: Buffer.from(pem).toString("base64") });
      if (!leaf || !issuer) throw new Error("no certificate");
      return { leaf, key: issuer.publicKey.export({ type: "spki", format: "pem" }) };
    };
    const [first, again, other] = [await sign("c1"), await sign("c1"), await sign("c2")];
    expect(again.key).toBe(first.key);
    expect(other.key).not.toBe(first.key);
    expect(first.leaf.verify(new X509Certificate(ca.certificatePem).publicKey)).toBe(false);
  });
});

describe("cleaning", () => {
  it("deletes an answered request after an hour, a forgotten one after a day, and keeps one whose signer is slow", async () => {
    const hour = 3_600_000;
    const cases = [
      { type: "Denied", keptMs: hour - 1000, signerName: kubeletClient },
      { type: undefined, keptMs: 24 * hour - 1000, signerName: kubeletClient },
    ];
    for (const { type, keptMs, signerName } of cases) {
      const { cluster, controllers, create, decide, read } = await setUp();
      await create(await request({ signerName }));
      if (type !== undefined) await decide(type);
      cluster.clock.advance(keptMs);
      await controllers.settle();
      expect(read()).toBeDefined();
      cluster.clock.advance(1000);
      await controllers.settle();
      expect(read()).toBeUndefined();
    }
    const { cluster, controllers, create, decide, read } = await setUp();
    await create(await request({ signerName: "example.com/signer" }));
    await decide("Approved");
    cluster.clock.advance(48 * hour);
    await controllers.settle();
    expect(read()).toBeDefined();
  });

  it("deletes a request whose certificate has expired", async () => {
    const { cluster, controllers, create, decide, read } = await setUp();
    await create(await request({ expirationSeconds: 600 }));
    await decide("Approved");
    cluster.clock.advance(601_000);
    await controllers.settle();
    expect(read()).toBeUndefined();
  });
});
