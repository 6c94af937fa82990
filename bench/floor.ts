import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createCertificateAuthority, issueServerCertificate } from "../shared/auth/certificate-authority.ts";
import type { Endpoint } from "./endpoint.ts";

const program = fileURLToPath(new URL("floor-server.ts", import.meta.url));

/** Starts the bare server of `floor-server.ts` in a process of its own. `stop` removes what it wrote. */
export async function startFloor(): Promise<{ endpoint: Endpoint; stop: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "coracle-floor-"));
  const notBefore = Date.now();
  const { certificatePem: ca, keyPem: caKeyPem } = await createCertificateAuthority({ commonName: "bench-ca", notBefore });
  const names = { dnsNames: ["localhost"], ips: ["127.0.0.1"], notBefore, days: 1 };
  const { certificatePem, keyPem } = await issueServerCertificate({ caKeyPem, caPem: ca, ...names });
  await Promise.all([writeFile(join(directory, "server.key"), keyPem), writeFile(join(directory, "server.crt"), certificatePem)]);
  const child = fork(program, [directory]);
  const [port] = await once(child, "message");
  return {
    endpoint: { base: `https://127.0.0.1:${port}`, token: "none", ca },
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
