import type { Duplex } from "node:stream";
import {
  agentLimits,
  type NodeDescription,
  type PodPeer,
  type SyncRequestInput,
  type SyncResponse,
  streamRequest,
  type TunnelRequest,
} from "../shared/api/agent/protocol.ts";
import type { Clock } from "../shared/clock.ts";
import { deepEqual } from "../shared/kubernetes/deep-equal.ts";
import type { Pod } from "../shared/kubernetes/types.ts";
import type { Log } from "../shared/telemetry/log.ts";
import { applyNews, type ClusterState, newClusterState } from "./cluster-state.ts";
import { createAgentEventRecorder } from "./event-recorder.ts";
import { answerLogRequest } from "./logs/answer-log-request.ts";
import { createPeerState } from "./peer-state.ts";
import { admit } from "./pod/admission.ts";
import type { NodeContext, PodNetwork } from "./pod/pod-context.ts";
import { reportOf } from "./pod/status.ts";
import { createPodWorker, type PodWorker } from "./pod/worker.ts";
import type { PodFiles } from "./pod-files.ts";
import type { ContainerRuntime } from "./runtime.ts";
import { createRuntimeObserver } from "./runtime-observer.ts";
import { clusterAddressOf, endpointAddressOf, type ServiceAddress, serviceEnvironment } from "./service-environment.ts";
import { createNodeStreams } from "./streams/node-streams.ts";
import { createTokenCache } from "./token-cache.ts";
import { type AgentTransport, TransportError } from "./transport.ts";

export interface NodeAgentOptions {
  readonly nodeName: string;
  readonly transport: AgentTransport;
  readonly runtime: ContainerRuntime;
  readonly files: PodFiles;
  /** The machine as it is now; asked again every minute. */
  readonly describe: () => Promise<NodeDescription>;
  /** Where pods reach the API server, on a node that does not route services. */
  readonly apiServer: ServiceAddress | undefined;
  readonly network: NodeNetworkPort | undefined;
  /** Hears the range that the pool gives the node's pods, each time it is told. */
  readonly onPodCidr?: (podCidr: string) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** How long a call for news may be held; the server may answer earlier. */
  readonly waitSeconds?: number;
}

/** The node's network, fed with what the agent learns (`agent/network/node-network.ts` behind it). */
export interface NodeNetworkPort extends PodNetwork {
  /** Services, endpoints or clusters have changed. */
  update(clusters: readonly ClusterState[]): void;
  /** Whether `updatePeers` does anything: the node's pods have addresses of their own. */
  readonly routesPeers: boolean;
  /** The pool's other machines, all of them. */
  updatePeers(peers: readonly PodPeer[]): void;
  /** The pod has no address any more. */
  released(cluster: string, podUid: string): void;
}

export interface NodeAgent {
  /** Resolves when the node was removed from its pool and everything it ran has ended. */
  readonly removed: Promise<void>;
  /**
   * Stops driving and syncing, after a last report. `keep` (default): containers keep running, to be found by the next agent; `end`: nothing of any pod is
   * left, neither containers nor files. Those that are about to end are not waited for.
   */
  stop(pods?: "keep" | "end"): Promise<void>;
  readonly workers: ReadonlyMap<string, PodWorker>;
}

const pushDelayMs = 10;
const relistMs = 5_000;
const describeMs = 60_000;
const backOffMs = { first: 500, last: 30_000 };
/** A call whose answer nobody hears any more may be carried out so much later (a function has 60 s), after what was said meanwhile. */
const strayMs = 75_000;

type StatusEntry = NonNullable<SyncRequestInput["statuses"]>[number];
type EndedEntry = NonNullable<SyncRequestInput["ended"]>[number];

/** Runs the pods of one node for every cluster of its pool, and keeps the server informed. It never stops a pod because the server is away. */
export function createNodeAgent(options: NodeAgentOptions): NodeAgent {
  const { nodeName, transport, runtime, files, clock, random, log, network } = options;
  const observer = createRuntimeObserver(runtime);
  const clusters = new Map<string, ClusterState>();
  const workers = new Map<string, PodWorker>();
  const statuses = new Map<string, StatusEntry>();
  const ended = new Map<string, EndedEntry>();
  const events = createAgentEventRecorder({ clock, onEvent: () => push() });
  const peers = createPeerState();
  const tokens = createTokenCache({ clock, onRequest: () => push() });
  const removal = Promise.withResolvers<void>();
  const routes = runtime.kind !== "hollow";
  let description: NodeDescription | undefined;
  let sendNode = true;
  /** The server's word of what it told, in its last answer. */
  let state: string | undefined;
  /** The server has told it something. */
  let heard = false;
  let stopped = false;
  let leaving = false;
  let pushing = false;
  let pushSoon: (() => void) | undefined;
  let pushFailures = 0;
  /** The last report had no answer at all. */
  let pushLost = false;
  /** Until when a call of this machine may be carried out that nobody waits for, and the pods of which something was said meanwhile. */
  let straysUntilMs = 0;
  const saidMeanwhile = new Set<string>();
  let cancelStrays: (() => void) | undefined;
  const timers = new Set<() => void>([() => cancelStrays?.()]);
  const endWaiting = new AbortController();

  const cancellable = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      const finish = (): void => {
        cancel();
        endWaiting.signal.removeEventListener("abort", finish);
        resolve();
      };
      const cancel = clock.after(delayMs, finish);
      endWaiting.signal.addEventListener("abort", finish);
    });
  const backOff = (failures: number): number => Math.min(backOffMs.first * 2 ** failures, backOffMs.last) * (0.5 + random() / 2);

  const node: NodeContext = {
    nodeName,
    runtime,
    observer,
    files,
    events,
    clock,
    random,
    log,
    get hostIps() {
      return (description?.addresses ?? []).filter(({ type }) => type === "InternalIP").map(({ address }) => address);
    },
    allocatable: () => description?.allocatable ?? {},
    others: (podUid) => grantedPods().filter(({ metadata }) => metadata.uid !== podUid),
    network,
    configuration: {
      configMap: (cluster, namespace, name) => clusters.get(cluster)?.configMaps.get(`${namespace}/${name}`),
      secret: (cluster, namespace, name) => clusters.get(cluster)?.secrets.get(`${namespace}/${name}`),
      serviceEnvironment: (cluster, pod) => environmentOf(clusters.get(cluster), pod),
      token: (cluster, pod, audience, expirationSeconds) =>
        tokens.get({
          cluster,
          namespace: pod.metadata.namespace ?? "",
          podUid: pod.metadata.uid ?? "",
          serviceAccount: pod.spec?.serviceAccountName ?? "default",
          audience,
          expirationSeconds: Math.max(600, expirationSeconds),
        }),
      tokenRefreshAtMs: (podUid) => tokens.refreshAtMs(podUid),
    },
    report(cluster, pod, status) {
      const uid = pod.metadata.uid ?? "";
      statuses.set(uid, { ...nameOf(cluster, pod), status });
      if (clock.now() < straysUntilMs) saidMeanwhile.add(uid);
      push();
    },
    gone(cluster, pod, removed) {
      const uid = pod.metadata.uid ?? "";
      workers.delete(uid);
      tokens.forget(uid);
      network?.released(cluster, uid);
      clusters.get(cluster)?.pods.delete(uid);
      if (!removed) {
        ended.set(uid, nameOf(cluster, pod));
        push();
      }
      if (leaving && workers.size === 0) removal.resolve();
    },
  };

  const environmentOf = (state: ClusterState | undefined, pod: Pod): ReadonlyMap<string, string> => {
    if (state === undefined) return new Map();
    const addressOf = runtime.kind === "process" ? endpointAddressOf([...state.endpointSlices.values()]) : clusterAddressOf;
    return serviceEnvironment({
      namespace: pod.metadata.namespace ?? "",
      services: [...state.services.values()],
      addressOf,
      links: pod.spec?.enableServiceLinks !== false,
      apiServer: runtime.kind === "process" ? options.apiServer : undefined,
    });
  };

  /** A stray call may put an old word in the place of a new one: what is said until it can come no more is said again then. */
  const expectStrays = (): void => {
    straysUntilMs = clock.now() + strayMs;
    cancelStrays?.();
    cancelStrays = clock.after(strayMs, () => {
      for (const uid of saidMeanwhile) workers.get(uid)?.sayAgain();
      saidMeanwhile.clear();
    });
  };

  const grantedPods = (): Pod[] => [...workers.values()].filter(({ finished }) => !finished).map(({ granted }) => granted);

  const take = (cluster: string, pod: Pod, running: ReadonlySet<string>): void => {
    const uid = pod.metadata.uid ?? "";
    const known = workers.get(uid);
    if (known !== undefined) {
      known.update(pod);
      return;
    }
    const before = reportOf(pod);
    const ended = before?.phase === "Succeeded" || before?.phase === "Failed";
    if (ended && pod.metadata.deletionTimestamp === undefined && !running.has(uid)) return;
    const isNew = before === undefined && !running.has(uid);
    const refusal = isNew && description !== undefined ? admit(pod, grantedPods(), description.allocatable) : undefined;
    if (refusal !== undefined) events.pod(cluster, pod, "Warning", refusal.reason, refusal.message);
    const rejected = refusal && { reason: refusal.reason, message: `Pod was rejected: ${refusal.message}` };
    workers.set(uid, createPodWorker({ cluster, pod, rejected, node }));
  };

  const apply = async (answer: SyncResponse): Promise<void> => {
    accept(answer);
    // An agent before this one may have said something of these pods just now.
    if (!heard && answer.news.some(({ pods }) => pods.length > 0)) expectStrays();
    heard = true;
    if (answer.peers !== undefined) {
      network?.updatePeers(peers.take(answer.peers));
      if (answer.peers.podCidr !== undefined) options.onPodCidr?.(answer.peers.podCidr);
    }
    const fresh = answer.news.some(({ full }) => full);
    const running = fresh || answer.news.some(({ pods }) => pods.length > 0) ? await observer.look() : new Map();
    const runningUids = new Set(running.keys());
    let routingChanged = false;
    for (const news of answer.news) {
      const state = clusters.get(news.id) ?? newClusterState(news.id);
      if (!clusters.has(news.id)) routingChanged = true;
      clusters.set(news.id, state);
      const delta = applyNews(state, news);
      routingChanged ||= delta.routingChanged;
      for (const uid of delta.removed) workers.get(uid)?.remove();
      const inOrder = delta.changed.toSorted((a, b) => createdAt(a).localeCompare(createdAt(b)));
      for (const pod of inOrder) take(news.id, pod, runningUids);
      for (const uid of delta.reconfigured) workers.get(uid)?.configurationChanged();
      if (news.full) await endOrphans(news.id, state);
    }
    if (answer.clusterIds !== undefined) {
      const current = new Set(answer.clusterIds);
      for (const id of clusters.keys()) {
        if (current.has(id)) continue;
        clusters.delete(id);
        routingChanged = true;
        for (const worker of workers.values()) if (worker.cluster === id) worker.remove();
      }
      for (const [uid, pods] of running) {
        const [pod] = pods;
        if (pod !== undefined && !current.has(pod.cluster) && !workers.has(uid)) await endOrphan(uid, pods);
      }
    }
    if (routingChanged) network?.update([...clusters.values()]);
  };

  /** What runs for a cluster although the cluster knows nothing of it: pods that were deleted while the agent was away. */
  const endOrphans = async (cluster: string, state: ClusterState): Promise<void> => {
    for (const [uid, pods] of await observer.look()) {
      if (pods[0]?.cluster === cluster && !state.pods.has(uid) && !workers.has(uid)) await endOrphan(uid, pods);
    }
  };
  const endPod = async (uid: string, pods: readonly { sandbox: { id: string } }[]): Promise<void> => {
    for (const { sandbox } of pods) {
      await runtime.stopSandbox(sandbox.id);
      await runtime.removeSandbox(sandbox.id);
    }
    await files.tearDown(uid, undefined);
  };
  const endOrphan = async (uid: string, pods: readonly { sandbox: { id: string } }[]): Promise<void> => {
    log.info("ending a pod that is gone from its cluster", { pod: uid });
    try {
      await endPod(uid, pods);
    } catch (error) {
      log.error("orphaned pod not ended", error, { pod: uid });
    }
  };

  /** The part of an answer that any call may bring. */
  const accept = (answer: SyncResponse): void => {
    if (answer.sendNode) sendNode = true;
    tokens.answer(answer.tokens);
    for (const pending of answer.streams) void answerStream(pending);
  };

  const openTunnel = async (id: string, asked: TunnelRequest): Promise<void> => {
    let connection: Duplex;
    try {
      connection = await transport.openTunnel(id, asked);
    } catch (error) {
      const detail = `node ${nodeName} cannot open a tunnel: ${error instanceof Error ? error.message : String(error)}`;
      await transport.refuseStream(id, { type: "about:blank", title: "No tunnel", status: 503, detail });
      return;
    }
    await streams.serve(connection);
  };

  const answerStream = async (pending: SyncResponse["streams"][number]): Promise<void> => {
    try {
      const request = streamRequest.safeParse(pending);
      if (!request.success) {
        await transport.refuseStream(pending.id, { type: "about:blank", title: "Not implemented by this node", status: 501 });
        return;
      }
      if (request.data.kind === "tunnel") return await openTunnel(pending.id, request.data);
      const answer = answerLogRequest(request.data, await streams.logContext(request.data.podUid));
      if (answer.kind === "problem") await transport.refuseStream(pending.id, answer.problem);
      else await transport.answerStream(pending.id, answer.body);
    } catch (error) {
      log.debug("stream ended early", { stream: pending.id, cause: String(error) });
    }
  };

  const streams = createNodeStreams({ runtime, observer, workers, files, hostIps: () => node.hostIps, clock, log });

  const waiting = (): boolean => statuses.size > 0 || ended.size > 0 || events.size > 0 || tokens.size > 0;

  const push = (delayMs = pushDelayMs): void => {
    if (pushing || pushSoon !== undefined || stopped || leaving) return;
    pushSoon = clock.after(delayMs, () => {
      pushSoon = undefined;
      void flush();
    });
  };

  /** Sends what waits. What the server could not take is sent again, unless something newer took its place. */
  const flush = async (): Promise<void> => {
    if (!waiting() || stopped) return;
    pushing = true;
    const batch = {
      statuses: takeFrom(statuses, agentLimits.statuses),
      ended: takeFrom(ended, agentLimits.statuses),
      events: events.take(agentLimits.events),
      tokenRequests: tokens.take(200),
      ...(state !== undefined && { state }),
    };
    // A pod's end is told after its last status: one that waits behind the limit holds it back.
    const restore = (uids: ReadonlySet<string> | undefined): void => {
      for (const entry of batch.statuses) if ((uids?.has(entry.uid) ?? true) && !statuses.has(entry.uid)) statuses.set(entry.uid, entry);
      for (const entry of batch.ended) if (uids?.has(entry.uid) ?? true) ended.set(entry.uid, entry);
    };
    let delayMs = pushDelayMs;
    try {
      const answer = await transport.sync(batch);
      pushFailures = 0;
      pushLost = false;
      state = answer.state ?? state;
      accept(answer);
      if (answer.retry.length > 0) {
        restore(new Set(answer.retry));
        delayMs = 1000;
      }
    } catch (error) {
      restore(undefined);
      events.restore(batch.events);
      tokens.restore(batch.tokenRequests);
      delayMs = backOff(pushFailures++);
      pushLost = error instanceof TransportError && error.status === undefined;
      if (pushLost) {
        expectStrays();
        for (const { uid } of batch.statuses) saidMeanwhile.add(uid);
      }
      log.debug("report not sent", { cause: String(error), retryMs: Math.round(delayMs) });
    }
    pushing = false;
    if (waiting()) push(delayMs);
  };

  /** The server has answered: what waits only because the way to it was cut need not wait any longer. */
  const resume = (): void => {
    if (!pushLost || pushSoon === undefined) return;
    pushSoon();
    pushSoon = undefined;
    pushFailures = 0;
    pushLost = false;
    push();
  };

  const redescribe = async (): Promise<void> => {
    const next = await options.describe();
    if (deepEqual(next, description)) return;
    description = next;
    sendNode = true;
  };

  const poll = async (): Promise<void> => {
    let failures = 0;
    while (!stopped && !leaving) {
      let delayMs: number;
      const withNode = sendNode && description !== undefined;
      try {
        const marks = Object.fromEntries([...clusters.values()].map(({ id, mark }) => [id, mark]));
        const request: SyncRequestInput = {
          ...{ marks, routes, waitSeconds: options.waitSeconds ?? 30 },
          ...(network?.routesPeers === true && { peersMark: peers.mark }),
          ...(state !== undefined && { state }),
        };
        if (withNode) sendNode = false;
        const answer = await transport.sync(withNode && description !== undefined ? { ...request, node: description } : request);
        if (stopped) return;
        if (failures > 0) log.info("the server answers again", { node: nodeName });
        failures = 0;
        resume();
        await apply(answer);
        state = answer.state;
        delayMs = answer.nextSyncSeconds * 1000 * (1 + random() * 0.1);
      } catch (error) {
        if (stopped) return;
        if (withNode) sendNode = true;
        if (error instanceof TransportError && error.status === 410) return leave();
        delayMs = backOff(failures++);
        if (failures === 1) log.warn("sync failed", { node: nodeName, cause: String(error) });
      }
      if (delayMs > 0) await cancellable(delayMs);
    }
  };

  const leave = (): void => {
    log.info("the node was removed from its pool: its pods end", { node: nodeName });
    leaving = true;
    for (const worker of workers.values()) worker.remove();
    if (workers.size === 0) removal.resolve();
  };

  const every = (periodMs: number, run: () => void): void => {
    let cancel = (): void => {};
    const schedule = (): void => {
      cancel = clock.after(periodMs, () => {
        run();
        if (!stopped) schedule();
      });
    };
    schedule();
    timers.add(() => cancel());
  };

  const unwatch = runtime.watch((uid) => workers.get(uid)?.wake());
  const begin = async (): Promise<void> => {
    await redescribe();
    if (runtime.kind !== "hollow") {
      every(relistMs, () => {
        for (const worker of workers.values()) worker.wake();
      });
      every(describeMs, () => void redescribe().catch((error: unknown) => log.error("node not described", error)));
    }
    await poll();
  };
  void begin().catch((error: unknown) => log.error("agent ended", error, { node: nodeName }));

  return {
    removed: removal.promise,
    workers,
    async stop(pods = "keep") {
      if (stopped) return;
      await flush();
      stopped = true;
      streams.close();
      endWaiting.abort();
      unwatch();
      pushSoon?.();
      for (const cancel of timers) cancel();
      for (const worker of workers.values()) worker.abandon();
      if (pods === "keep") return;
      const left = await observer.look();
      for (const uid of new Set([...left.keys(), ...workers.keys()])) await endPod(uid, left.get(uid) ?? []);
    },
  };
}

const createdAt = ({ metadata }: Pod): string => metadata.creationTimestamp ?? "";

function nameOf(cluster: string, { metadata }: Pod): EndedEntry {
  return { cluster, namespace: metadata.namespace ?? "", name: metadata.name ?? "", uid: metadata.uid ?? "" };
}

function takeFrom<T>(waiting: Map<string, T>, limit: number): T[] {
  const entries = [...waiting].slice(0, limit);
  for (const [key] of entries) waiting.delete(key);
  return entries.map(([, value]) => value);
}
