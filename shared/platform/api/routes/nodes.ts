import { z } from "zod";
import { identifier } from "../../fields.ts";
import type { NodeRecord } from "../../records.ts";
import { createdJoinToken, joinTokenCreate, joinTokenResource, nodeResource } from "../../resources.ts";
import { showJoinToken, showNode } from "../../show.ts";
import { showPage } from "../list.ts";
import { defineRoute, nothing, pageOf, pageQuery, type Route } from "../route.ts";
import type { PlatformServices } from "../services.ts";

const inPool = z.strictObject({ pool: identifier });
const nodeParams = inPool.extend({ node: z.string().regex(/^[a-z0-9][-a-z0-9.]{0,252}$/) });
const tokenParams = inPool.extend({ token: identifier });

export function nodeRoutes({ nodes, pools, joinTokens, heartbeats, nodeGraceMs, cursors, clock, wakeDrainer }: PlatformServices): Route[] {
  async function showOne(node: NodeRecord) {
    const seen = await heartbeats.ofPool(node.tenant, node.pool);
    return showNode(node, seen.get(node.name), clock.now(), nodeGraceMs);
  }
  const nodeAction = (path: string, operationId: string, summary: string, act: NodeRegistryAction) =>
    defineRoute({
      ...nothing,
      method: "post",
      path: `/v1/pools/{pool}/nodes/{node}/${path}`,
      operationId,
      summary,
      scope: "nodes:write",
      params: nodeParams,
      status: 202,
      response: nodeResource,
      problems: ["not-found"],
      async handle({ caller, params }) {
        const { value, version } = await act(caller.tenant, params.pool, params.node);
        wakeDrainer();
        return { body: await showOne(value), version };
      },
    });

  return [
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/pools/{pool}/nodes",
      operationId: "listNodes",
      summary: "Lists the machines of a pool by name",
      scope: "nodes:read",
      params: inPool,
      query: pageQuery,
      status: 200,
      response: pageOf(nodeResource),
      problems: ["not-found"],
      async handle({ caller: { tenant }, params: { pool }, query }) {
        await pools.get(tenant, pool);
        const seen = await heartbeats.ofPool(tenant, pool);
        const show = (records: readonly NodeRecord[]) =>
          records.map((node) => showNode(node, seen.get(node.name), clock.now(), nodeGraceMs));
        return { body: await showPage(cursors, `nodes ${tenant} ${pool}`, query, (part) => nodes.list(tenant, pool, part), show) };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/pools/{pool}/nodes/{node}",
      operationId: "getNode",
      summary: "Shows a machine",
      scope: "nodes:read",
      params: nodeParams,
      status: 200,
      response: nodeResource,
      problems: ["not-found"],
      async handle({ caller, params }) {
        const { value, version } = await nodes.get(caller.tenant, params.pool, params.node);
        return { body: await showOne(value), version };
      },
    }),
    nodeAction("drain", "drainNode", "Evicts the pods of a machine and gives it no new ones", nodes.drain),
    nodeAction("uncordon", "uncordonNode", "Takes a drained machine back into service", nodes.uncordon),
    defineRoute({
      ...nothing,
      method: "delete",
      path: "/v1/pools/{pool}/nodes/{node}",
      operationId: "deleteNode",
      summary: "Takes a machine out of its pool; its agent ends what it runs",
      scope: "nodes:write",
      params: nodeParams,
      status: 204,
      response: z.undefined(),
      problems: ["not-found"],
      async handle({ caller, params }) {
        await nodes.remove(caller.tenant, params.pool, params.node);
        wakeDrainer();
        return { body: undefined };
      },
    }),
    defineRoute({
      ...nothing,
      method: "post",
      path: "/v1/pools/{pool}/join-tokens",
      operationId: "createJoinToken",
      summary: "Makes a token by which machines join the pool",
      scope: "nodes:write",
      params: inPool,
      body: joinTokenCreate,
      status: 201,
      response: createdJoinToken,
      problems: ["not-found"],
      async handle({ caller, params, body }) {
        const { record, token } = await joinTokens.create(caller.tenant, params.pool, body);
        return { body: { ...showJoinToken(record.value, clock.now()), token } };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/pools/{pool}/join-tokens",
      operationId: "listJoinTokens",
      summary: "Lists the pool's join tokens, without the tokens themselves",
      scope: "nodes:read",
      params: inPool,
      query: pageQuery,
      status: 200,
      response: pageOf(joinTokenResource),
      problems: ["not-found"],
      async handle({ caller: { tenant }, params: { pool }, query }) {
        const list = `join-tokens ${tenant} ${pool}`;
        const read = (part: { from: string | undefined; limit: number }) => joinTokens.list(tenant, pool, part);
        return {
          body: await showPage(cursors, list, query, read, (records) => records.map((record) => showJoinToken(record, clock.now()))),
        };
      },
    }),
    defineRoute({
      ...nothing,
      method: "delete",
      path: "/v1/pools/{pool}/join-tokens/{token}",
      operationId: "revokeJoinToken",
      summary: "Revokes a join token; machines that joined by it stay",
      scope: "nodes:write",
      params: tokenParams,
      status: 204,
      response: z.undefined(),
      problems: ["not-found"],
      async handle({ caller, params }) {
        await joinTokens.revoke(caller.tenant, params.pool, params.token);
        return { body: undefined };
      },
    }),
  ];
}

type NodeRegistryAction = PlatformServices["nodes"]["drain"];
