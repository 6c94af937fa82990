import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import {
  apiServerDnsNames,
  apiServerIps,
  createCertificateAuthority,
  issueServerCertificate,
} from "../shared/auth/certificate-authority.ts";
import { lockDirectory } from "./directory-lock.ts";

/** Browsers and Go refuse server certificates of more than 825 days. */
const serverCertificateDays = 820;
const renewBeforeMs = 30 * 24 * 3600 * 1000;

export interface DataDirectory {
  readonly path: string;
  readonly caPem: string;
  readonly caKeyPem: string;
  readonly serverKeyPem: string;
  readonly serverCertificatePem: string;
  /** PKCS #8 PEM of the EC key that signs tokens. */
  readonly signingKeyPem: string;
  /** 32 bytes: seals Secrets at rest. */
  readonly sealingKey: Buffer;
  /** Writes a file that only its owner may read, whole or not at all. */
  writePrivate(name: string, content: string): void;
  readPrivate(name: string): string | undefined;
  release(): void;
}

const certificateShape = z.object({
  keyPem: z.string(),
  certificatePem: z.string(),
  expiresAtMs: z.number(),
  /** Beyond those that every server has. */
  addresses: z.array(z.string()).default([]),
});

/** The certificate that is kept, unless it is about to expire or lacks an address. */
function keptCertificate(
  text: string | undefined,
  nowMs: number,
  addresses: readonly string[],
): z.infer<typeof certificateShape> | undefined {
  if (text === undefined) return undefined;
  const parsed = certificateShape.safeParse(JSON.parse(text));
  if (!parsed.success || parsed.data.expiresAtMs - renewBeforeMs < nowMs) return undefined;
  return addresses.every((address) => parsed.data.addresses.includes(address)) ? parsed.data : undefined;
}

/** Opens the folder that holds everything of the embedded host and makes what is missing: keys, the local authority, the server's certificate. */
export async function openDataDirectory(path: string, nowMs: number, addresses: readonly string[]): Promise<DataDirectory> {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const release = lockDirectory(path);
  const file = (name: string): string => join(path, name);
  const readPrivate = (name: string): string | undefined => (existsSync(file(name)) ? readFileSync(file(name), "utf8") : undefined);
  const writePrivate = (name: string, content: string): void => {
    const temporary = file(`${name}.tmp`);
    rmSync(temporary, { force: true });
    writeFileSync(temporary, content, { mode: 0o600, flush: true });
    renameSync(temporary, file(name));
  };
  const keep = (name: string, make: () => string): string => {
    const known = readPrivate(name);
    if (known !== undefined) return known;
    const made = make();
    writePrivate(name, made);
    return made;
  };

  const signingKeyPem = keep("token-signing.key", () =>
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  );
  const sealingKey = Buffer.from(
    keep("sealing.key", () => `${randomBytes(32).toString("base64")}\n`),
    "base64",
  );
  let [caPem, caKeyPem] = [readPrivate("ca.crt"), readPrivate("ca.key")];
  if (caPem === undefined || caKeyPem === undefined) {
    const authority = await createCertificateAuthority({ commonName: "coracle-local-ca", notBefore: nowMs });
    [caPem, caKeyPem] = [authority.certificatePem, authority.keyPem];
    writePrivate("ca.key", caKeyPem);
    writePrivate("ca.crt", caPem);
  }
  let server = keptCertificate(readPrivate("server.json"), nowMs, addresses);
  if (!server) {
    const ips = [...new Set([...apiServerIps, ...addresses])];
    const issued = await issueServerCertificate({
      caKeyPem,
      caPem,
      dnsNames: apiServerDnsNames,
      ips,
      notBefore: nowMs,
      days: serverCertificateDays,
    });
    server = { ...issued, expiresAtMs: nowMs + serverCertificateDays * 24 * 3600 * 1000, addresses: [...addresses] };
    writePrivate("server.json", JSON.stringify(server));
  }
  return {
    path,
    caPem,
    caKeyPem,
    serverKeyPem: server.keyPem,
    serverCertificatePem: server.certificatePem,
    signingKeyPem,
    sealingKey,
    writePrivate,
    readPrivate,
    release,
  };
}
