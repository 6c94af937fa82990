import type { Duplex } from "node:stream";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { z } from "zod";
import type { Clock } from "../../clock.ts";
import { StatusError, type StatusReason, statusCodes } from "../../kubernetes/status-error.ts";
import type { Log } from "../../telemetry/log.ts";
import { createNodeRegistry, type WaitingNode } from "./node-registry.ts";
import type { NodeTunnels, TunnelSession } from "./node-tunnels.ts";
import { busyFrom, nextSyncSeconds, type Polling, readState, writeState } from "./polling.ts";
import type { CredentialCheck, JoinRefusal, NodeIdentity, NodePool, PodTokenIssuer, PoolCluster } from "./ports.ts";
import { AgentProblem, problemResponse } from "./problem.ts";
import {
  agentLimits,
  agentPaths,
  type CertificateResponse,
  certificateRequest,
  type JoinResponse,
  joinRequest,
  type Problem,
  problem as problemSchema,
  type SyncRequest,
  type SyncResponse,
  syncBatchRequest,
  syncRequest,
  tunnelProcessHeader,
  tunnelProtocol,
} from "./protocol.ts";
import type { StreamBroker } from "./stream-broker.ts";
import { answerTokenRequests, applySync } from "./sync-node.ts";

export interface AgentApiPorts {
  readonly pool: NodePool;
  readonly tokens: PodTokenIssuer;
  readonly streams: StreamBroker;
  /** For hosts that agents can open tunnels to. */
  readonly tunnels?: TunnelPorts;
  /** For hosts that do not hold calls: how a call learns without looking that nothing is new. */
  readonly changes?: NodeChanges;
  /** For hosts whose own certificate does not name the cluster's API server. @throws StatusError `BadRequest` */
  readonly certify?: (publicKeyPem: string) => Promise<CertificateResponse>;
  readonly clock: Clock;
  readonly log: Log;
  /** A fresh unique text: marks of another server process are told apart by it. */
  readonly newId: () => string;
}

export interface TunnelPorts {
  readonly tunnels: Pick<NodeTunnels, "accept" | "isOf">;
  createSession(connection: Duplex): TunnelSession;
}

export interface NodeChanges {
  /** A word that stays the same while there is nothing new for the node. Reading it costs next to nothing. */
  state(node: NodeIdentity): Promise<string>;
  /** Brings what this process has of the node's clusters up to date, at the least to what `state` stands for. */
  follow(node: NodeIdentity, state: string): Promise<void>;
}

export interface AgentApiOptions extends Polling {
  /** Longest hold of a sync; 0 on functions, where waiting costs. */
  readonly holdSeconds: number;
  /** How old a node condition's heartbeat time may grow (kubelet: 300). */
  readonly statusRefreshSeconds: number;
}

const defaults: AgentApiOptions = { holdSeconds: 30, pollSeconds: 0, idlePollSeconds: 0, statusRefreshSeconds: 300 };

const refusals: Record<JoinRefusal, readonly [status: number, title: string]> = {
  unknown: [401, "The join token is not known"],
  revoked: [403, "The join token was revoked"],
  expired: [410, "The join token has expired"],
  "used-up": [410, "The join token has no uses left"],
  "name-taken": [409, "Another machine of the pool has this name"],
};

export interface AgentApi {
  readonly app: Hono;
  /** A connection that an agent wants to be a tunnel; `accept` switches its protocol. Answers the refusal, if it is one. */
  acceptTunnel(path: string, header: (name: string) => string | undefined, accept: () => Promise<Duplex>): Promise<Response | undefined>;
  close(): void;
}

/** The agent API under `/agent/v1`, and `close`, which ends every held call and stops listening to views. */
export function createAgentApi(ports: AgentApiPorts, options: Partial<AgentApiOptions> = {}): AgentApi {
  const { pool, tokens, streams, clock, log } = ports;
  const settings = { ...defaults, ...options };
  const registry = createNodeRegistry({ pool, streams, clock, log, newId: ports.newId, refreshSeconds: settings.statusRefreshSeconds });

  const identify = (check: CredentialCheck): NodeIdentity => {
    if (check.kind === "node") return check.node;
    if (check.kind === "removed") throw new AgentProblem(410, "The node was removed from its pool");
    throw new AgentProblem(401, "The node credential is not known");
  };

  /** Everything of a sync but the waiting. */
  const report = async (node: NodeIdentity, request: SyncRequest) => {
    pool.seen(node, clock.now());
    if (request.usage !== undefined) pool.usage(node, request.usage);
    const state = await registry.refresh(node, request.node);
    const clusters: ReadonlyMap<string, PoolCluster> = state.clusters;
    const retry = await applySync(clusters, node, request, log);
    const answers = await answerTokenRequests(clusters, node, request.tokenRequests, { issuer: tokens, log });
    return { retry, tokens: answers, sendNode: state.described === undefined };
  };

  /** Streams are told once, so only to a call that asks for news and whose agent still listens. */
  const answer = async (
    node: NodeIdentity,
    request: SyncRequest,
    reported: Awaited<ReturnType<typeof report>>,
    { aborted }: AbortSignal,
  ): Promise<SyncResponse> => {
    const { pollSeconds } = settings;
    if (request.marks === undefined || aborted) return { news: [], ...reported, streams: [], nextSyncSeconds: pollSeconds };
    const told = await registry.news(waitingNode(node, request));
    return { ...told, ...reported, streams: await streams.take(node), nextSyncSeconds: pollSeconds };
  };

  /** One call that is not held. */
  const syncByState = async (
    changes: NodeChanges,
    node: NodeIdentity,
    request: SyncRequest,
    signal: AbortSignal,
  ): Promise<SyncResponse> => {
    const state = await changes.state(node);
    const said = readState(request.state, clock.now());
    const next = (busyUntilMs: number): number => nextSyncSeconds(settings, busyUntilMs, clock.now());
    if (said && request.marks !== undefined && said.known === state && saysNothing(request)) {
      pool.seen(node, clock.now());
      const nothing = { news: [], retry: [], tokens: [], streams: [], sendNode: false };
      return { ...nothing, state: writeState(said), nextSyncSeconds: next(said.busyUntilMs) };
    }
    await changes.follow(node, state);
    const answered = await answer(node, request, await report(node, request), signal);
    const isBusy = answered.news.length > 0 || answered.streams.length > 0 || !saysNothing(request) || answered.sendNode;
    const busyUntilMs = isBusy ? busyFrom(clock.now()) : (said?.busyUntilMs ?? 0);
    // Who did not ask for news was not told of it.
    const known = request.marks === undefined ? said?.known : state;
    return { ...answered, ...(known !== undefined && { state: writeState({ known, busyUntilMs }) }), nextSyncSeconds: next(busyUntilMs) };
  };

  const mayWait = (request: SyncRequest, reported: Awaited<ReturnType<typeof report>>): boolean =>
    request.marks !== undefined && reported.tokens.length === 0 && reported.retry.length === 0 && !reported.sendNode;

  const app = new Hono();
  const limited = bodyLimit({
    maxSize: agentLimits.bodyBytes,
    onError: () => problemResponse({ type: "about:blank", title: "The body is too large", status: 413 }),
  });

  app.post("/agent/v1/join", limited, async (c) => {
    const request = await parse(c.req.raw, joinRequest);
    const outcome = await pool.join(request.token, { ...request.node, networks: request.networks });
    if (outcome.kind === "refused") throw new AgentProblem(...refusals[outcome.reason]);
    const { node, credential, podCidr } = outcome;
    // The range is only wished for by now: the Node gets it when the pods have it.
    const { podCidr: _, ...description } = request.node;
    if (ports.changes) await ports.changes.follow(node, await ports.changes.state(node));
    const state = await registry.refresh(node, description);
    const clusters = [...state.clusters.values()].map(({ id, apiPath }) => ({ id, apiPath }));
    const response: JoinResponse = {
      pool: node.pool,
      nodeName: node.nodeName,
      credential,
      clusters,
      ...(podCidr !== undefined && { podCidr }),
    };
    log.info("node joined", { pool: node.pool, node: node.nodeName });
    return c.json(response, 201);
  });

  app.post("/agent/v1/sync", limited, async (c) => {
    const node = identify(await pool.authenticate(bearerOf(c.req.raw)));
    const request = await parse(c.req.raw, syncRequest);
    if (ports.changes) return c.json(await syncByState(ports.changes, node, request, c.req.raw.signal));
    const reported = await report(node, request);
    if (mayWait(request, reported)) {
      const waitSeconds = Math.min(request.waitSeconds, settings.holdSeconds);
      await registry.waitForNews([waitingNode(node, request)], waitSeconds, c.req.raw.signal);
    }
    return c.json(await answer(node, request, reported, c.req.raw.signal));
  });

  app.post("/agent/v1/sync-batch", limited, async (c) => {
    const { calls, waitSeconds } = await parse(c.req.raw, syncBatchRequest);
    const outcomes = await Promise.all(
      calls.map(async ({ credential, sync }) => {
        try {
          const node = identify(await pool.authenticate(credential));
          if (ports.changes) return { kind: "answer", answer: await syncByState(ports.changes, node, sync, c.req.raw.signal) } as const;
          return { kind: "node", node, sync, reported: await report(node, sync) } as const;
        } catch (error) {
          return { kind: "problem", problem: problemOf(error, log, ports.newId) } as const;
        }
      }),
    );
    const good = outcomes.flatMap((outcome) => (outcome.kind === "node" ? [outcome] : []));
    if (good.length === outcomes.length && good.every(({ sync, reported }) => mayWait(sync, reported))) {
      const waiting = good.map(({ node, sync }) => waitingNode(node, sync));
      await registry.waitForNews(waiting, Math.min(waitSeconds, settings.holdSeconds), c.req.raw.signal);
    }
    const answers = await Promise.all(
      outcomes.map(async (outcome) =>
        outcome.kind !== "node"
          ? outcome
          : { kind: "answer", answer: await answer(outcome.node, outcome.sync, outcome.reported, c.req.raw.signal) },
      ),
    );
    return c.json({ answers });
  });

  app.post(agentPaths.certificate, limited, async (c) => {
    identify(await pool.authenticate(bearerOf(c.req.raw)));
    const { publicKeyPem } = await parse(c.req.raw, certificateRequest);
    if (!ports.certify) throw new AgentProblem(404, "Pods reach this server under the cluster's own names");
    return c.json(await ports.certify(publicKeyPem));
  });

  app.post("/agent/v1/streams/:id", async (c) => {
    const node = identify(await pool.authenticate(bearerOf(c.req.raw)));
    const id = c.req.param("id");
    const refused = c.req.header("content-type")?.startsWith("application/problem+json") ?? false;
    const outcome = refused
      ? await streams.refuse(node, id, statusOf(await parse(c.req.raw, problemSchema)))
      : await streams.deliver(node, id, c.req.raw.body ?? emptyBody());
    if (outcome === "absent") throw new AgentProblem(404, "Nobody waits for this stream");
    return c.body(null, 204);
  });

  app.notFound(() => problemResponse({ type: "about:blank", title: "No such path in the agent API", status: 404 }));
  app.onError((error, { req }) => {
    discardBody(req.raw);
    return problemResponse(problemOf(error, log, ports.newId));
  });
  return {
    app,
    async acceptTunnel(path, header, accept) {
      try {
        if (!ports.tunnels) throw new AgentProblem(404, "No such path in the agent API");
        const node = identify(await pool.authenticate(bearer(header("authorization") ?? "")));
        if (header("upgrade")?.toLowerCase() !== tunnelProtocol)
          throw new AgentProblem(400, `The connection must become a ${tunnelProtocol}`);
        const { tunnels } = ports.tunnels;
        if (!tunnels.isOf(header(tunnelProcessHeader))) throw new AgentProblem(421, "The tunnel is for another process of this server");
        const id = tunnelId(path) ?? "";
        tunnels.accept(node, id, ports.tunnels.createSession(await accept()));
        return undefined;
      } catch (error) {
        return problemResponse(problemOf(error, log, ports.newId));
      }
    },
    close: () => registry.close(),
  };
}

/** The stream request that a tunnel answers; undefined: it is another path. */
export const tunnelId = (path: string): string | undefined => /^\/agent\/v1\/tunnels\/([A-Za-z0-9._-]+)$/.exec(path)?.[1];

/** A call that carries nothing up but that the node is there. */
const saysNothing = ({ node, statuses, ended, events, tokenRequests }: SyncRequest): boolean =>
  node === undefined && statuses.length === 0 && ended.length === 0 && events.length === 0 && tokenRequests.length === 0;

/** What is left unread would hold up the next request of the connection. Streams, which have no end in sight, are cut off instead. */
function discardBody({ body, bodyUsed, headers }: Request): void {
  const bytes = Number(headers.get("content-length") ?? Number.POSITIVE_INFINITY);
  if (body === null || bodyUsed || body.locked || bytes > agentLimits.bodyBytes) return;
  body.pipeTo(new WritableStream()).catch(() => {});
}

const waitingNode = (node: NodeIdentity, { marks = {}, routes = false, peersMark }: SyncRequest): WaitingNode => ({
  ...{ node, marks, routes, peersMark },
});

const bearerOf = ({ headers }: Request): string => bearer(headers.get("authorization") ?? "");

function bearer(authorization: string): string {
  const match = /^Bearer (\S+)$/i.exec(authorization);
  if (match?.[1] === undefined) throw new AgentProblem(401, "A node credential is needed");
  return match[1];
}

async function parse<T extends z.ZodType>(request: Request, schema: T): Promise<z.output<T>> {
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    throw new AgentProblem(400, "The body is not JSON");
  }
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const detail = result.error.issues.slice(0, 5).map(({ path, message }) => `/${path.join("/")}: ${message}`);
  throw new AgentProblem(400, "The body is not as the protocol says", detail.join("; "));
}

function problemOf(error: unknown, log: Log, newId: () => string): Problem {
  if (error instanceof AgentProblem) return error.problem;
  if (error instanceof StatusError) return { type: "about:blank", title: error.reason, status: error.code, detail: error.message };
  const id = newId();
  log.error("agent call failed", error, { id });
  return { type: "about:blank", title: "Internal error", status: 500, detail: `see the server's log, id ${id}` };
}

/** The `Status` that a node's refusal becomes for the caller of the cluster API. */
function statusOf({ status, title, detail }: Problem): StatusError {
  const reasons: StatusReason[] = ["BadRequest", "NotFound", "Forbidden", "Timeout", "ServiceUnavailable"];
  const reason = reasons.find((candidate) => statusCodes[candidate] === status) ?? "InternalError";
  return new StatusError(reason, detail ?? title);
}

function emptyBody(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}
