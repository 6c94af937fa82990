import { z } from "zod";
import { apiKeyScopes } from "../shared/auth/api-key.ts";
import type { TokenIssuer } from "../shared/auth/token.ts";
import { renderKubeconfig } from "../shared/platform/kubeconfig.ts";
import type { Platform } from "../shared/platform/platform.ts";
import { isPlatformError } from "../shared/platform/problem.ts";
import type { DataDirectory } from "./data-directory.ts";
import type { Settings } from "./settings.ts";

const localTenant = "local";
const localCluster = "default";
/** Ten years: the kubeconfig on disk works after any restart. */
const adminTokenSeconds = 10 * 365 * 24 * 3600;
const adminFile = z.object({ apiKey: z.string().exactOptional() });

export interface FirstStartOptions {
  readonly data: DataDirectory;
  readonly platform: Pick<Platform, "tenants" | "clusters" | "keys">;
  readonly tokens: TokenIssuer;
  readonly url: string;
  readonly settings: Pick<Settings, "nodes" | "runtime">;
}

/** What an embedded host has from its first start on: a tenant with a cluster, and on its disk what opens them. Later starts write the files anew. */
export async function firstStart(options: FirstStartOptions): Promise<void> {
  await ensureDefaults(options);
  await writeCredentials(options, await adminToken(options));
}

/** Whoever deletes the cluster is not given it again. A first start that was killed before its end had not come to it yet. */
async function ensureDefaults({ data, platform: { tenants, clusters }, settings }: FirstStartOptions): Promise<void> {
  const known = await tenants.get(localTenant).catch((error: unknown) => {
    if (isPlatformError(error, "not-found")) return undefined;
    throw error;
  });
  if (known && data.readPrivate("admin.json") !== undefined) return;
  if (!known) await tenants.create({ id: localTenant, name: localTenant });
  if (await clusters.find(localCluster)) return;
  const { nodes, runtime } = settings;
  await clusters.create(localTenant, { id: localCluster, name: localCluster, labels: {}, nodes, runtime });
}

/** Kept in a file of its own, so that every start writes the same kubeconfig. */
async function adminToken({ data, tokens }: FirstStartOptions): Promise<string> {
  const known = data.readPrivate("admin.token")?.trim();
  if (known !== undefined && (await tokens.verifyToken(known))) return known;
  const { token } = await tokens.issueClusterToken({
    cluster: { tenant: localTenant, cluster: localCluster },
    username: "kubernetes-admin",
    groups: ["system:masters"],
    expirationSeconds: adminTokenSeconds,
  });
  data.writePrivate("admin.token", `${token}\n`);
  return token;
}

async function writeCredentials({ data, platform: { keys }, url }: FirstStartOptions, token: string): Promise<void> {
  const server = `${url}/clusters/${localCluster}`;
  data.writePrivate("kubeconfig", renderKubeconfig({ name: localCluster, server, caPem: data.caPem, user: { kind: "token", token } }));
  const known = adminFile.parse(JSON.parse(data.readPrivate("admin.json") ?? "{}"));
  const record = known.apiKey === undefined ? undefined : await keys.authenticate(known.apiKey);
  // A key that an earlier version made lacks the scopes that are new.
  const valid = apiKeyScopes.every((scope) => record?.scopes.includes(scope));
  const apiKey = valid ? known.apiKey : (await keys.create(localTenant, { name: "embedded-host", scopes: apiKeyScopes })).key;
  data.writePrivate("admin.json", `${JSON.stringify({ url, apiKey, ca: data.caPem }, undefined, 2)}\n`);
}
