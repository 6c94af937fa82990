import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";

const identity = z.object({
  nodeName: z.string(),
  pool: z.string(),
  credential: z.string(),
  podCidr: z.string().exactOptional(),
  /** Whether pods reach the API server through the node (`api-gateway.ts`), as the server said. */
  apiGateway: z.boolean().exactOptional(),
});
/** Who a node is to its server, once it has joined, and the range that its pool gives to its pods. */
export type NodeIdentityRecord = z.infer<typeof identity>;

const identities = z.record(z.string(), identity);

/** The identities that a state directory keeps, by wished name; none when it has none or they cannot be read. */
export async function readIdentities(path: string): Promise<Record<string, NodeIdentityRecord>> {
  try {
    return identities.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return {};
  }
}

/** Mode 0600: a credential is a secret. */
export async function writeIdentities(path: string, records: Readonly<Record<string, NodeIdentityRecord>>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, JSON.stringify(records), { mode: 0o600 });
  await rename(`${path}.new`, path);
}
