import { createHash, randomBytes, randomUUID } from "node:crypto";
import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { join, resolve } from "node:path";
import { createAgentApi, tunnelId } from "../shared/api/agent/agent-api.ts";
import { createNodeTunnels } from "../shared/api/agent/node-tunnels.ts";
import { createStreamBroker } from "../shared/api/agent/stream-broker.ts";
import { Documents, version } from "../shared/api/non-resource.ts";
import { createClusterSurface } from "../shared/api/surface.ts";
import { createTokenIssuer } from "../shared/auth/token.ts";
import type { Clock } from "../shared/clock.ts";
import { createAddressGuard } from "../shared/host/address-guard.ts";
import { createHostBase } from "../shared/host/base.ts";
import { createClustersById } from "../shared/host/clusters-by-id.ts";
import { createTunnelSession } from "../shared/host/http2-tunnel.ts";
import { HttpsWebhookCaller } from "../shared/host/https-webhook-caller.ts";
import { createLoops } from "../shared/host/loops.ts";
import { createNodeOperations } from "../shared/host/node-operations.ts";
import { createNodePool } from "../shared/host/node-pool.ts";
import { createPodStreams } from "../shared/host/pod-streams.ts";
import { createPodTokens } from "../shared/host/pod-tokens.ts";
import { optionalResources } from "../shared/kubernetes/resources.ts";
import { createPlatform, type Platform } from "../shared/platform/platform.ts";
import { objectPath } from "../shared/store/lmdb/encoding.ts";
import { LmdbStore } from "../shared/store/lmdb/lmdb-store.ts";
import { createAesSealer } from "../shared/store/sealer.ts";
import type { Log } from "../shared/telemetry/log.ts";
import { createHttpTransport } from "../shared/webhooks/http-transport.ts";
import { ClusterHost } from "./cluster-host.ts";
import { openDataDirectory } from "./data-directory.ts";
import { firstStart } from "./first-start.ts";
import { servedAddresses, urlHost } from "./listening.ts";
import { createLocalAgents } from "./local-agents.ts";
import { createLocalProvisioner } from "./provisioner.ts";
import { refused, refusedByApi } from "./refusals.ts";
import { createServing } from "./serving.ts";
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

/** Some requests long, also on a busy machine; pods of controllers do not wait. */
const graceMs = 250;
/** What a kube-scheduler is given where nothing else is said. Each is a write of a status and of an Event. */
const reportPace = { burst: 100, perSecond: 50 };
/** What is under way when the process ends gets so long: somebody waits at the terminal. */
const endingMs = 5000;

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
  let ending = false;
  const tokens = createTokenIssuer({ signingKey: data.signingKeyPem, clock, uid: randomUUID });
  const broker = createStreamBroker({ clock, newId: randomUUID });
  const tunnels = createNodeTunnels({ broker, clock, log });
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
    documents: new Documents("127.0.0.1", optionalResources(settings.features)),
    features: settings.features,
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
        reportPace,
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
    storeOf: () => store,
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
    tokens: createPodTokens(tokens),
    streams: broker,
    tunnels: { tunnels, createSession: (connection) => createTunnelSession(connection, clock) },
    clock,
    log,
    newId: randomUUID,
  });
  const clusterApi = createClusterSurface({
    directory: {
      open: (ref) => host.open(ref),
      ...createClustersById({ find: (id) => platform.clusters.find(id), storeOf: () => store, caKeyPem: () => data.caKeyPem }),
    },
    ...{ tokens, clock, log, requestId: randomUUID, meter: platform.meter },
  });
  const surfaceOf = (url: string) => (new URL(url).pathname.startsWith("/agent/") ? agentApi.app : platform.app);
  const server = createServing(
    {
      key: data.serverKeyPem,
      cert: data.serverCertificatePem,
      clusterApi: (request) => (ending ? Promise.resolve(refusedByApi(request)) : clusterApi(request)),
      fetch: (request) => (ending ? refused() : surfaceOf(request.url).fetch(request)),
      tunnel: { isTunnelPath: (path) => tunnelId(path) !== undefined, accept: agentApi.acceptTunnel },
      onError: (error) => log.error("an answer could not be sent", error),
    },
    clock,
  );
  try {
    url = `https://${urlHost(settings.host)}:${await server.listen(settings.port, settings.host)}`;
    await firstStart({ data, platform, tokens, url, settings });
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
      ending = true;
      host.endWatches();
      const ended = server.end(endingMs);
      agentApi.close();
      tunnels.close();
      await platform.stop();
      await ended;
      await host.close();
      webhooks.close();
      await platform.heartbeats.flush();
      await store.close();
      data.release();
    },
  };
}

/**
 * The address that the endpoints of the `kubernetes` Service show: Kubernetes allows no loopback there. Pods get to the server through
 * their agent, whatever stands here.
 */
function machineAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses.find((address) => address?.family === "IPv4" && !address.internal)?.address;
}
