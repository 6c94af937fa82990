import { generateKeyPairSync, randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import {
  apiServerDnsNames,
  apiServerIps,
  createCertificateAuthority,
  issueServerCertificate,
} from "../shared/auth/certificate-authority.ts";

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
  const release = lock(join(path, "lock"));
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

/** One process a folder: two would each believe to know what the other has not written yet. @throws Error */
function lock(path: string): () => void {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const handle = openSync(path, "wx", 0o600);
      writeSync(handle, identityOf(process.pid) ?? String(process.pid));
      closeSync(handle);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const holder = readFileSync(path, "utf8");
      const pid = Number.parseInt(holder, 10);
      if (pid !== process.pid && isAlive(pid) && (identityOf(pid) ?? holder) === holder)
        throw new Error(`another process (${pid}) works on this data directory`);
      rmSync(path, { force: true });
    }
  }
  throw new Error(`the lock ${path} could not be taken`);
}

/** Process id and start time, so that a reused id is not taken for the holder. */
function identityOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
