import { getHeapStatistics } from "node:v8";
import { createAgentFunction } from "../../functions/agent-api.ts";
import { openDependencies } from "../../functions/open-dependencies.ts";
import { createPlatformFunction } from "../../functions/platform-api.ts";
import type { ActedOn } from "../../functions/platform-domain.ts";
import type { FunctionPorts } from "../../functions/ports.ts";
import { createPodStreamsOf, createStreamsOf } from "../../functions/streams.ts";
import type { SharedStore } from "../../functions/tenant-stores.ts";
import { tunnelId } from "../../shared/api/agent/agent-api.ts";
import { createNodeTunnels } from "../../shared/api/agent/node-tunnels.ts";
import { failure } from "../../shared/api/rendering.ts";
import { noSuchResource } from "../../shared/api/response.ts";
import { apiServerDnsNames, apiServerIps, issueServerCertificate } from "../../shared/auth/certificate-authority.ts";
import { sleep } from "../../shared/clock.ts";
import { openClusterRuntime } from "../../shared/host/cluster-runtime.ts";
import { createTunnelSession } from "../../shared/host/http2-tunnel.ts";
import { createStreamsOfAll } from "../../shared/host/record-streams.ts";
import { repeatedly } from "../../shared/host/repeatedly.ts";
import type { HttpOptions } from "../http.ts";
import { servedAddresses, urlHost } from "../listening.ts";
import { refused, refusedByApi } from "../refusals.ts";
import { createServing } from "../serving.ts";
import { createHeldSurface } from "./cluster-surface.ts";
import { createHealth } from "./health.ts";
import { HeldClusters } from "./held-clusters.ts";
import { joiningHeads } from "./joining-heads.ts";
import { startLoops } from "./loops.ts";
import { type OwnWrites, tellWrites } from "./own-writes.ts";
import type { ContainerSettings, Surface } from "./settings.ts";
import { sharingSnapshots } from "./shared-snapshots.ts";

export interface Container {
  /** Where this process is reached by itself. */
  readonly url: string;
  /** Of its certificate. */
  readonly caPem: string;
  /** Not ready from now on; then watches end with a bookmark, and what is under way ends. */
  close(): Promise<void>;
}

/** Nobody hears of writes. */
const unheard: OwnWrites = { before: () => undefined, committed: () => {}, noted: () => {} };
const serverCertificateDays = 820;
/** What is under way when the process ends gets so long. */
const endingMs = 10_000;
const settleEveryMs = 30_000;
const fullHeap = 0.75;

/**
 * Coracle in one of any number of server processes over a table, beside the functions or alone: the three surfaces on one HTTPS port, and where it is
 * asked to, the loops, under the same leases as the functions.
 */
export async function startContainer(settings: ContainerSettings, ports: FunctionPorts): Promise<Container> {
  const { clock, log } = ports;
  let writes = unheard;
  const quiet = new WeakMap<SharedStore, SharedStore>();
  const dependencies = await openDependencies(ports, (store) => {
    const sharing = sharingSnapshots(store, (ref) => held.peek(ref)?.cluster.mirror);
    const told = tellWrites(sharing, () => writes);
    quiet.set(told, sharing);
    return told;
  });
  const { installation, runtimeOptions } = dependencies;
  const { connectionsUrl, clusterApiUrl } = dependencies.environment;
  const broker = createStreamsOfAll(createStreamsOf(dependencies));
  const tunnels = createNodeTunnels({ broker, clock, log, name: ports.uid(), url: connectionsUrl });
  const serves = (surface: Surface): boolean => settings.surfaces.has(surface);
  // Where no agent calls, nor is told to, none could ever come.
  const takesTunnels = serves("agent") || connectionsUrl !== undefined;
  const ownTunnels = takesTunnels ? tunnels : undefined;
  const podStreams = createPodStreamsOf(dependencies, (ref) => held.peek(ref), ownTunnels);
  const held: HeldClusters = new HeldClusters({
    open(ref, onEnd) {
      const options = runtimeOptions(ref, podStreams(ref));
      return openClusterRuntime(ref, { ...options, store: joiningHeads(options.store, ref) }, onEnd);
    },
    memoryIsShort: heapIsFull,
    clock,
  });
  const served: ActedOn = { clusters: { rest: () => {} }, directory: held };
  const loops = settings.loops ? startLoops(dependencies, served, (store) => quiet.get(store) ?? store) : undefined;
  if (loops) writes = loops.writes;

  const platform = createPlatformFunction(dependencies, served, clusterApiUrl ? undefined : installation.caPem);
  const agents = createAgentFunction(dependencies, served, {
    tunnels,
    createSession: (connection) => createTunnelSession(connection, clock),
  });
  const health = createHealth({
    clock,
    readTable: () => dependencies.store.getRecords([{ partition: "platform#installation", sort: "keys" }]),
  });
  const clusterApi = createHeldSurface(dependencies, held, ownTunnels);
  let url = "";
  let ending = false;
  const certificate = await issueServerCertificate({
    ...{ caKeyPem: installation.caKeyPem(), caPem: installation.caPem, notBefore: clock.now(), days: serverCertificateDays },
    dnsNames: apiServerDnsNames,
    ips: [...new Set([...apiServerIps, ...servedAddresses(settings.host)])],
  });
  const options: HttpOptions = {
    ...{ key: certificate.keyPem, cert: certificate.certificatePem },
    async clusterApi(request) {
      const answer = await health.answer(request);
      if (answer) return answer;
      if (ending) return refusedByApi(request);
      return serves("cluster") ? clusterApi(request) : failure(noSuchResource(), request);
    },
    async fetch(request) {
      if (ending) return refused();
      const isAgents = new URL(request.url).pathname.startsWith("/agent/");
      if (!serves(isAgents ? "agent" : "platform")) return new Response("404 Not Found\n", { status: 404 });
      return isAgents ? agents.app.fetch(request) : platform.serve(request, url);
    },
    tunnel: { isTunnelPath: (path) => takesTunnels && tunnelId(path) !== undefined, accept: agents.acceptTunnel },
    onError: (error) => log.error("an answer could not be sent", error),
  };
  const server = createServing(options, clock);
  url = `https://${urlHost(settings.host)}:${await server.listen(settings.port, settings.host)}`;
  const stopSettling = repeatedly(dependencies, settleEveryMs, () => dependencies.settle());

  return {
    url,
    caPem: installation.caPem,
    async close() {
      health.end();
      await sleep(clock, settings.drainSeconds * 1000);
      ending = true;
      held.endWatches();
      await Promise.all([server.end(endingMs), loops && Promise.race([loops.stop(), sleep(clock, endingMs)])]);
      stopSettling();
      tunnels.close();
      await loops?.close();
      await held.close();
      await Promise.all([platform.settle(), agents.settle()]);
      await dependencies.finish();
      await dependencies.store.close();
    },
  };
}

function heapIsFull(): boolean {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used > fullHeap * limit;
}
