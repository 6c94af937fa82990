import { createECDH, createPrivateKey, createPublicKey, hkdfSync, type KeyObject, type webcrypto } from "node:crypto";
import type { RequestedCertificate } from "./kubelet-certificates.ts";

export interface SigningOptions {
  /** `spec.request`: PEM in base64. */
  readonly request: string;
  readonly usages: readonly string[];
  readonly expirationSeconds: number | undefined;
  readonly nowMs: number;
}

/** The authority of one cluster's client and node certificates. */
export interface ClusterAuthority {
  /** The certificate, and the authority's behind it, in PEM. */
  sign(options: SigningOptions): Promise<SigningOutcome>;
}

export type SigningOutcome = { readonly kind: "signed"; readonly pem: string } | { readonly kind: "refused"; readonly reason: string };

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const order = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
const backdateMs = 300_000;
/** kube-controller-manager's `--cluster-signing-duration`. */
const longestMs = 365 * 86_400_000;
const shortestMs = 600_000;
/** What lives shorter is not shortened by the time it is dated back. */
const shortMs = 8 * 3_600_000;
const alternativeNames = "2.5.29.17";
const purposes: Readonly<Record<string, string>> = { "server auth": "1.3.6.1.5.5.7.3.1", "client auth": "1.3.6.1.5.5.7.3.2" };

/** The library takes a while to load: only who signs pays for it. */
async function x509() {
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

async function parse(request: string) {
  const lib = await x509();
  try {
    const parsed = new lib.Pkcs10CertificateRequest(Buffer.from(request, "base64").toString("utf8"));
    return { lib, parsed, alternatives: parsed.getExtensions(alternativeNames) };
  } catch {
    return undefined;
  }
}

/** What is asked for in PEM as base64; `undefined` when it is no PKCS #10 request. */
export async function readCertificateRequest(request: string): Promise<RequestedCertificate | undefined> {
  const read = await parse(request);
  if (!read) return undefined;
  const { lib, parsed, alternatives } = read;
  const names = alternatives.flatMap(({ rawData }) => new lib.SubjectAlternativeNameExtension(rawData).names.items);
  const of = (type: string): string[] => names.filter((name) => name.type === type).map(({ value }) => value);
  return {
    commonName: parsed.subjectName.getField("CN")[0] ?? "",
    organizations: parsed.subjectName.getField("O"),
    ...{ dnsNames: of("dns"), ipAddresses: of("ip"), emailAddresses: of("email"), uris: of("url") },
  };
}

/**
 * Each cluster has an authority of its own, whose key follows from the installation's (RFC 5869): what a tenant has signed here, for
 * whatever name, is worth nothing to those who know the API server by the installation's authority.
 */
export function createClusterAuthority(options: {
  readonly caKeyPem: () => string;
  readonly caPem: string;
  readonly cluster: string;
}): ClusterAuthority {
  const open = async () => {
    const lib = await x509();
    const keys = await deriveKeys(options.caKeyPem(), options.cluster);
    const { notBefore, notAfter } = new lib.X509Certificate(options.caPem);
    const certificate = await lib.X509CertificateGenerator.createSelfSigned({
      ...{ name: [{ CN: [authorityName(options.cluster)] }], notBefore, notAfter, signingAlgorithm: algorithm, keys },
      extensions: [
        new lib.BasicConstraintsExtension(true, 0, true),
        new lib.KeyUsagesExtension(lib.KeyUsageFlags.keyCertSign | lib.KeyUsageFlags.digitalSignature, true),
        await lib.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return { keys, certificate };
  };
  let opening: ReturnType<typeof open> | undefined;
  return {
    async sign({ request, usages, expirationSeconds, nowMs }) {
      const read = await parse(request);
      if (!read || !(await read.parsed.verify())) return { kind: "refused", reason: "unable to verify certificate request signature" };
      const { lib, parsed, alternatives } = read;
      opening ??= open();
      const { keys, certificate: authority } = await opening;
      const ttlMs = Math.min(longestMs, Math.max(shortestMs, (expirationSeconds ?? longestMs / 1000) * 1000));
      const notAfterMs = nowMs + ttlMs - (ttlMs < shortMs ? 0 : backdateMs);
      const flags = lib.KeyUsageFlags;
      const keyUsages =
        (usages.includes("digital signature") ? flags.digitalSignature : 0) |
        (usages.includes("key encipherment") ? flags.keyEncipherment : 0);
      const extended = usages.flatMap((usage) => purposes[usage] ?? []);
      const certificate = await lib.X509CertificateGenerator.create({
        subject: parsed.subjectName,
        issuer: authority.subjectName,
        notBefore: new Date(nowMs - backdateMs),
        notAfter: new Date(Math.min(notAfterMs, authority.notAfter.getTime())),
        ...{ signingAlgorithm: algorithm, publicKey: parsed.publicKey, signingKey: keys.privateKey },
        extensions: [
          ...(keyUsages === 0 ? [] : [new lib.KeyUsagesExtension(keyUsages, true)]),
          new lib.ExtendedKeyUsageExtension(extended),
          new lib.BasicConstraintsExtension(false, undefined, true),
          await lib.AuthorityKeyIdentifierExtension.create(authority, false),
          ...alternatives,
        ],
      });
      return { kind: "signed", pem: [certificate, authority].map((each) => `${each.toString("pem").trim()}\n`).join("") };
    },
  };
}

/** The common name of a cluster's authority. */
export const authorityName = (cluster: string): string => `kubernetes-ca-${cluster}`;

/** With which the certificates that a cluster's authority has signed are told from others. */
export const authorityPublicKey = (caKeyPem: string, cluster: string): KeyObject =>
  createPublicKey({ key: deriveJwk(caKeyPem, cluster).open, format: "jwk" });

function deriveJwk(caKeyPem: string, cluster: string) {
  const secret = createPrivateKey(caKeyPem).export({ type: "pkcs8", format: "der" });
  // 128 bits more than the order has, so that no key is likelier than another (FIPS 186-5 A.2.1).
  const seed = Buffer.from(hkdfSync("sha256", secret, "", `coracle cluster authority ${cluster}`, 48)).toString("hex");
  const scalar = Buffer.from(((BigInt(`0x${seed}`) % (order - 1n)) + 1n).toString(16).padStart(64, "0"), "hex");
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(scalar);
  const point = curve.getPublicKey();
  const shared = { kty: "EC", crv: "P-256", x: point.subarray(1, 33).toString("base64url"), y: point.subarray(33).toString("base64url") };
  return { open: shared, whole: { ...shared, d: scalar.toString("base64url") } };
}

async function deriveKeys(caKeyPem: string, cluster: string): Promise<webcrypto.CryptoKeyPair> {
  const { open, whole } = deriveJwk(caKeyPem, cluster);
  return {
    privateKey: await crypto.subtle.importKey("jwk", whole, algorithm, false, ["sign"]),
    publicKey: await crypto.subtle.importKey("jwk", open, algorithm, true, ["verify"]),
  };
}
