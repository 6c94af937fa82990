import { createHash, randomBytes, randomUUID } from "node:crypto";
import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { join, resolve } from "node:path";
import { createAgentApi, tunnelId } from "../shared/api/agent/agent-api.ts";
import { createNodeTunnels } from "../shared/api/agent/node-tunnels.ts";
import { createStreamBroker } from "../shared/api/agent/stream-broker.ts";
import { Documents, version } from "../shared/api/non-resource.ts";
import { type ClusterDirectory, createClusterSurface } from "../shared/api/surface.ts";
import { apiKeyScopes } from "../shared/auth/api-key.ts";
import { authorityPublicKey } from "../shared/auth/certificate-signing.ts";
import { createTokenIssuer } from "../shared/auth/token.ts";
import type { Clock } from "../shared/clock.ts";
import { createAddressGuard } from "../shared/host/address-guard.ts";
import { createHostBase } from "../shared/host/base.ts";
import { createTunnelSession } from "../shared/host/http2-tunnel.ts";
import { HttpsWebhookCaller } from "../shared/host/https-webhook-caller.ts";
import { createLoops } from "../shared/host/loops.ts";
import { createNodeOperations } from "../shared/host/node-operations.ts";
import { createNodePool } from "../shared/host/node-pool.ts";
import { createPodStreams } from "../shared/host/pod-streams.ts";
import type { Secret } from "../shared/kubernetes/types.ts";
import { refOf } from "../shared/platform/clusters.ts";
import { renderKubeconfig } from "../shared/platform/kubeconfig.ts";
import { createPlatform, type Platform } from "../shared/platform/platform.ts";
import { isPlatformError } from "../shared/platform/problem.ts";
import { objectPath } from "../shared/store/lmdb/encoding.ts";
import { LmdbStore } from "../shared/store/lmdb/lmdb-store.ts";
import { createAesSealer } from "../shared/store/sealer.ts";
import { objectOf } from "../shared/store/view.ts";
import type { Log } from "../shared/telemetry/log.ts";
import { createHttpTransport } from "../shared/webhooks/http-transport.ts";
import { ClusterHost } from "./cluster-host.ts";
import { type DataDirectory, openDataDirectory } from "./data-directory.ts";
import { createHttpServer } from "./http.ts";
import { listen, servedAddresses, urlHost } from "./listening.ts";
import { createLocalAgents } from "./local-agents.ts";
import { createLocalProvisioner } from "./provisioner.ts";
import type { Settings } from "./settings.ts";

export interface Host {
  /** `https://127.0.0.1:7443`. */
  readonly url: string;
  readonly kubeconfig: string;
  readonly admin: string;
  /** Resolves when the default cluster's nodes are on their way. */
  startAgents(): Promise<void>;
  close(): Promise<void>;
}

const localTenant = "local";
const localCluster = "default";
/** Short beside the start of a container, long beside a request. */
const graceMs = 50;
/** Ten years: the kubeconfig on disk works after any restart. */
const adminTokenSeconds = 10 * 365 * 24 * 3600;

/** The whole of Coracle in one process over LMDB: platform, cluster and agent APIs on one HTTPS port, the loops, and local agents. */
export async function startHost(settings: Settings, clock: Clock, log: Log): Promise<Host> {
  const data = await openDataDirectory(settings.dataDirectory, clock.now(), servedAddresses(settings.host));
  const store = new LmdbStore({
    path: join(settings.dataDirectory, "store"),
    sealer: createAesSealer(data.sealingKey),
    base: createHostBase(data.caPem, objectPath),
    now: () => clock.now(),
  });
  let url = "";
  const tokens = createTokenIssuer({ signingKey: data.signingKeyPem, clock, uid: randomUUID });
  const broker = createStreamBroker({ clock, newId: randomUUID });
  const tunnels = createNodeTunnels({ broker, clock });
  const webhooks = new HttpsWebhookCaller({
    mayConnect: settings.webhooksToPrivateAddresses ? () => true : createAddressGuard(settings.webhookNetworks),
    resolve: async (hostname) => (await lookup(hostname, { all: true })).map(({ address }) => address),
  });
  const advertised = machineAddress();
  const port = (): number => Number(new URL(url).port);
  let platform: Platform;
  const host: ClusterHost = new ClusterHost({
    store,
    clock,
    log,
    random: Math.random,
    tokens,
    documents: new Documents("127.0.0.1"),
    webhooks,
    meter: () => platform.meter,
    podStreamsOf: (ref) => createPodStreams(ref, broker, () => host.peek(ref)?.cluster.mirror, tunnels),
    loopsOf: (runtime) =>
      createLoops(runtime, {
        clock,
        log,
        random: Math.random,
        caPem: data.caPem,
        caKeyPem: () => data.caKeyPem,
        ...(advertised !== undefined && { apiServerAddress: { ip: advertised, port: port() } }),
        heartbeats: platform.heartbeats,
        onSilence: (node, lastSeenMs) => platform.nodes.noteSilence(node, lastSeenMs),
        listeningSinceMs: clock.now(),
        graceMs,
        schedulingPaused: async () => (await platform.clusters.find(runtime.ref.cluster))?.value.schedulingPaused === true,
      }),
  });
  const agents = createLocalAgents({
    stateDirectory: resolve(settings.dataDirectory, "agents"),
    server: () => ({ url, caPem: data.caPem }),
    joinTokens: () => platform.joinTokens,
    nodes: () => platform.nodes,
    wakeDrainer: () => platform.drainer.wake(),
    runtimeEndpoint: settings.runtimeEndpoint,
    clock,
    log,
  });
  platform = createPlatform({
    store,
    clock,
    log,
    randomBytes,
    uid: randomUUID,
    tokens,
    provisioner: createLocalProvisioner({ clock, host: () => host, agents }),
    operations: createNodeOperations(host, () => platform.pools),
    cursorKey: createHash("sha256").update("page cursors").update(data.sealingKey).digest(),
    server: () => ({ url, caPem: data.caPem, kubernetesVersion: version.gitVersion }),
    webhooks: {
      sealer: createAesSealer(data.sealingKey),
      allowPrivate: settings.webhooksToPrivateAddresses,
      transport: createHttpTransport({
        allowPrivate: settings.webhooksToPrivateAddresses,
        resolve: (hostname) => lookup(hostname, { all: true }),
      }),
      random: Math.random,
    },
    version: "0.1.0",
  });
  const agentApi = createAgentApi({
    pool: createNodePool({ ...platform, host }),
    tokens: {
      issue: ({ tenant, cluster, ...request }) =>
        tokens.issueServiceAccountToken({ ...toTokenRequest(request), cluster: { tenant, cluster } }),
    },
    streams: broker,
    tunnels: { tunnels, createSession: (connection) => createTunnelSession(connection, clock) },
    clock,
    log,
    newId: randomUUID,
  });
  const directory: ClusterDirectory = {
    open: (ref) => host.open(ref),
    async findSecret(clusterId, key) {
      const record = await platform.clusters.find(clusterId);
      if (!record || record.value.state === "deleting") return undefined;
      const cluster = refOf(record.value);
      const [stored] = await store.latest(cluster, [key]);
      return stored && { cluster, secret: objectOf<Secret>(stored) };
    },
    async findAuthority(clusterId) {
      const record = await platform.clusters.find(clusterId);
      if (!record || record.value.state === "deleting") return undefined;
      const cluster = refOf(record.value);
      return { cluster, publicKey: authorityPublicKey(data.caKeyPem, cluster.cluster) };
    },
  };
  const surfaceOf = (url: string) => (new URL(url).pathname.startsWith("/agent/") ? agentApi.app : platform.app);
  const server = createHttpServer({
    key: data.serverKeyPem,
    cert: data.serverCertificatePem,
    clusterApi: createClusterSurface({ directory, tokens, clock, log, requestId: randomUUID, meter: platform.meter }),
    fetch: (request) => surfaceOf(request.url).fetch(request),
    tunnel: { isTunnelPath: (path) => tunnelId(path) !== undefined, accept: agentApi.acceptTunnel },
    onError: (error) => log.error("an answer could not be sent", error),
  });
  try {
    url = `https://${urlHost(settings.host)}:${await listen(server, settings.port, settings.host)}`;
    await ensureDefaults(platform, settings);
    await writeCredentials(data, platform, url, await adminToken(data, tokens));
  } catch (error) {
    server.close();
    await store.close();
    data.release();
    throw error;
  }
  platform.start();
  return {
    url,
    kubeconfig: join(settings.dataDirectory, "kubeconfig"),
    admin: join(settings.dataDirectory, "admin.json"),
    async startAgents() {
      await host.resume();
      await agents.startKnown(platform);
    },
    async close() {
      await agents.close();
      agentApi.close();
      tunnels.close();
      await platform.stop();
      server.close();
      server.closeAllConnections();
      await host.close();
      webhooks.close();
      await platform.heartbeats.flush().catch(() => {});
      await store.close();
      data.release();
    },
  };
}

type PodTokenFields = Omit<Parameters<Parameters<typeof createAgentApi>[0]["tokens"]["issue"]>[0], "tenant" | "cluster">;
const toTokenRequest = ({ node, ...request }: PodTokenFields) => ({
  ...request,
  node: { name: node.name, ...(node.uid !== undefined && { uid: node.uid }) },
});

/**
 * The address that the endpoints of the `kubernetes` Service show: Kubernetes allows no loopback there. Pods get to the server through
 * their agent, whatever stands here.
 */
function machineAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses.find((address) => address?.family === "IPv4" && !address.internal)?.address;
}

/** The tenant and the cluster that every embedded host has. */
async function ensureDefaults({ tenants, clusters }: Platform, settings: Settings): Promise<void> {
  try {
    await tenants.get(localTenant);
  } catch (error) {
    if (!isPlatformError(error, "not-found")) throw error;
    await tenants.create({ id: localTenant, name: localTenant });
    await clusters.create(localTenant, {
      id: localCluster,
      name: localCluster,
      labels: {},
      nodes: settings.nodes,
      runtime: settings.runtime,
    });
  }
}

/** Kept in a file of its own, so that every start writes the same kubeconfig. */
async function adminToken(data: DataDirectory, tokens: ReturnType<typeof createTokenIssuer>): Promise<string> {
  const known = data.readPrivate("admin.token")?.trim();
  if (known !== undefined && (await tokens.verifyToken(known))) return known;
  const cluster = { tenant: localTenant, cluster: localCluster };
  const { token } = await tokens.issueClusterToken({
    cluster,
    username: "kubernetes-admin",
    groups: ["system:masters"],
    expirationSeconds: adminTokenSeconds,
  });
  data.writePrivate("admin.token", `${token}\n`);
  return token;
}

async function writeCredentials(data: DataDirectory, platform: Platform, url: string, token: string): Promise<void> {
  const server = `${url}/clusters/${localCluster}`;
  data.writePrivate("kubeconfig", renderKubeconfig({ name: localCluster, server, caPem: data.caPem, user: { kind: "token", token } }));
  const known = JSON.parse(data.readPrivate("admin.json") ?? "{}") as { apiKey?: string };
  const record = known.apiKey === undefined ? undefined : await platform.keys.authenticate(known.apiKey);
  // A key that an earlier version made lacks the scopes that are new.
  const valid = apiKeyScopes.every((scope) => record?.scopes.includes(scope));
  const apiKey = valid ? known.apiKey : (await platform.keys.create(localTenant, { name: "embedded-host", scopes: apiKeyScopes })).key;
  data.writePrivate("admin.json", `${JSON.stringify({ url, apiKey, ca: data.caPem }, undefined, 2)}\n`);
}
