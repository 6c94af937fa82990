import type { Duplex } from "node:stream";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { AgentApiOptions, AgentApiPorts } from "./agent-api-ports.ts";
import { createNodeRegistry } from "./node-registry.ts";
import type { JoinRefusal, NodeIdentity } from "./ports.ts";
import { AgentProblem, problemOf, problemResponse, statusOf } from "./problem.ts";
import {
  agentLimits,
  agentPaths,
  certificateRequest,
  type JoinResponse,
  joinRequest,
  problem as problemSchema,
  syncBatchRequest,
  syncRequest,
  tunnelProcessHeader,
  tunnelProtocol,
} from "./protocol.ts";
import { bearer, bearerOf, discardBody, parse } from "./requests.ts";
import { createSyncCalls } from "./sync-calls.ts";

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
  const { pool, streams, clock, log } = ports;
  const settings = { ...defaults, ...options };
  const registry = createNodeRegistry({ pool, streams, clock, log, newId: ports.newId, refreshSeconds: settings.statusRefreshSeconds });

  const identify = async (credential: string): Promise<NodeIdentity> => {
    const check = await pool.authenticate(credential);
    if (check.kind === "node") return check.node;
    if (check.kind === "removed") throw new AgentProblem(410, "The node was removed from its pool");
    throw new AgentProblem(401, "The node credential is not known");
  };
  const calls = createSyncCalls({ ports, registry, settings, identify });

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
    const node = await identify(bearerOf(c.req.raw));
    return c.json(await calls.one(node, await parse(c.req.raw, syncRequest), c.req.raw.signal));
  });

  app.post("/agent/v1/sync-batch", limited, async (c) =>
    c.json(await calls.many(await parse(c.req.raw, syncBatchRequest), c.req.raw.signal)),
  );

  app.post(agentPaths.certificate, limited, async (c) => {
    await identify(bearerOf(c.req.raw));
    const { publicKeyPem } = await parse(c.req.raw, certificateRequest);
    if (!ports.certify) throw new AgentProblem(404, "Pods reach this server under the cluster's own names");
    return c.json(await ports.certify(publicKeyPem));
  });

  app.post("/agent/v1/streams/:id", async (c) => {
    const node = await identify(bearerOf(c.req.raw));
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
        const node = await identify(bearer(header("authorization") ?? ""));
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

function emptyBody(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}
