import type { webcrypto } from "node:crypto";

/** A private key (PKCS #8) with its certificate, both in PEM. */
export interface KeyAndCertificate {
  readonly keyPem: string;
  readonly certificatePem: string;
}

/** The names under which clients inside and outside a cluster reach the API (kubeadm's list), without those of the host itself. */
export const apiServerDnsNames: readonly string[] = [
  "localhost",
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
];

/** Loopback, and the first address of the service range: the ClusterIP of the Service `kubernetes`. */
export const apiServerIps: readonly string[] = ["127.0.0.1", "::1", "10.96.0.1"];

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 86_400_000;
/** Certificates begin a little before they are made, for clocks that run behind. */
const clockSkewMs = 300_000;
const serverAuth = "1.3.6.1.5.5.7.3.1";

/** The library takes a quarter of a second to load: only who makes certificates pays for it. */
async function x509() {
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> => crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);

async function keyPemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/(.{64})(?=.)/g, "$1\n")}\n-----END PRIVATE KEY-----\n`;
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64");
  return crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}

const period = (notBefore: number, days: number) => ({
  notBefore: new Date(notBefore - clockSkewMs),
  notAfter: new Date(notBefore + days * dayMs),
});

/** A self-signed authority (ECDSA P-256) that may sign certificates of servers only, no other authority. `notBefore` in milliseconds since 1970. */
export async function createCertificateAuthority(options: {
  readonly commonName: string;
  readonly notBefore: number;
  /** Default: ten years. */
  readonly days?: number;
}): Promise<KeyAndCertificate> {
  const lib = await x509();
  const keys = await newKeys();
  const certificate = await lib.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [options.commonName] }],
    ...period(options.notBefore, options.days ?? 3650),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new lib.BasicConstraintsExtension(true, 0, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.keyCertSign | lib.KeyUsageFlags.cRLSign | lib.KeyUsageFlags.digitalSignature, true),
      await lib.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { keyPem: await keyPemOf(keys.privateKey), certificatePem: `${certificate.toString("pem").trim()}\n` };
}

export interface ServerCertificateOptions {
  readonly caKeyPem: string;
  readonly caPem: string;
  readonly dnsNames: readonly string[];
  readonly ips: readonly string[];
  readonly notBefore: number;
  readonly days: number;
}

/** A fresh key with a certificate for these names, signed by the authority. `notBefore` in milliseconds since 1970. */
export async function issueServerCertificate(options: ServerCertificateOptions): Promise<KeyAndCertificate> {
  const keys = await newKeys();
  return { keyPem: await keyPemOf(keys.privateKey), certificatePem: await certify(keys.publicKey, options) };
}

/** A certificate for a key whose private half is elsewhere: EC P-256, SubjectPublicKeyInfo in PEM. @throws Error when it is no such key */
export async function certifyServerKey(publicKeyPem: string, options: ServerCertificateOptions): Promise<string> {
  const der = Buffer.from(publicKeyPem.replace(/-----[^-]+-----|\s/g, ""), "base64");
  return certify(await crypto.subtle.importKey("spki", der, algorithm, true, ["verify"]), options);
}

async function certify(publicKey: webcrypto.CryptoKey, options: ServerCertificateOptions): Promise<string> {
  const lib = await x509();
  const authority = new lib.X509Certificate(options.caPem);
  const certificate = await lib.X509CertificateGenerator.create({
    subject: [{ CN: ["kube-apiserver"] }],
    issuer: authority.subject,
    ...period(options.notBefore, options.days),
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: await importKey(options.caKeyPem),
    extensions: [
      new lib.BasicConstraintsExtension(false, undefined, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.digitalSignature, true),
      new lib.ExtendedKeyUsageExtension([serverAuth]),
      new lib.SubjectAlternativeNameExtension([
        ...options.dnsNames.map((value) => ({ type: "dns" as const, value })),
        ...options.ips.map((value) => ({ type: "ip" as const, value })),
      ]),
      await lib.AuthorityKeyIdentifierExtension.create(authority, false),
      await lib.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return `${certificate.toString("pem").trim()}\n`;
}
