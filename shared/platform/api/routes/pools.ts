import { z } from "zod";
import { identifier } from "../../fields.ts";
import { poolCreate, poolResource, poolUpdate } from "../../resources.ts";
import { showPool } from "../../show.ts";
import { showPage } from "../list.ts";
import { defineRoute, nothing, pageOf, pageQuery, type Route } from "../route.ts";
import type { PlatformServices } from "../services.ts";

const params = z.strictObject({ pool: identifier });

export function poolRoutes({ pools, cursors }: PlatformServices): Route[] {
  return [
    defineRoute({
      ...nothing,
      method: "post",
      path: "/v1/pools",
      operationId: "createPool",
      summary: "Creates a pool that machines join and clusters draw on",
      scope: "nodes:write",
      body: poolCreate,
      status: 201,
      response: poolResource,
      problems: ["name-taken"],
      async handle({ caller, body: { name, size = 0, runtime = "auto", labels = {}, taints = [] } }) {
        const { value, version } = await pools.create(caller.tenant, { name, size, runtime, labels, taints });
        return { body: showPool(value), version, location: `/v1/pools/${value.id}` };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/pools",
      operationId: "listPools",
      summary: "Lists pools in the order of their making",
      scope: "nodes:read",
      query: pageQuery.extend({ name: z.string().max(63).exactOptional().meta({ description: "Only the pool of this name." }) }),
      status: 200,
      response: pageOf(poolResource),
      async handle({ caller, query: { name, ...page } }) {
        if (name !== undefined) {
          const found = await pools.findByName(caller.tenant, name);
          return { body: { items: found ? [showPool(found.value)] : [], nextCursor: null } };
        }
        const list = `pools ${caller.tenant}`;
        const read = (part: { from: string | undefined; limit: number }) => pools.list(caller.tenant, part);
        return { body: await showPage(cursors, list, page, read, (records) => records.map(showPool)) };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/pools/{pool}",
      operationId: "getPool",
      summary: "Shows a pool",
      scope: "nodes:read",
      params,
      status: 200,
      response: poolResource,
      problems: ["not-found"],
      async handle({ caller, params }) {
        const { value, version } = await pools.get(caller.tenant, params.pool);
        return { body: showPool(value), version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "patch",
      path: "/v1/pools/{pool}",
      operationId: "updatePool",
      summary: "Changes a pool's name, size, runtime, labels or taints",
      scope: "nodes:write",
      params,
      body: poolUpdate,
      status: 200,
      response: poolResource,
      problems: ["not-found", "name-taken", "conflict"],
      conditional: true,
      async handle({ caller, params, body, expected }) {
        const { value, version } = await pools.update(caller.tenant, params.pool, body, expected);
        return { body: showPool(value), version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "delete",
      path: "/v1/pools/{pool}",
      operationId: "deletePool",
      summary: "Deletes a pool that no cluster draws on and no machine is in",
      scope: "nodes:write",
      params,
      status: 204,
      response: z.undefined(),
      problems: ["not-found", "in-use"],
      conditional: true,
      async handle({ caller, params, expected }) {
        await pools.remove(caller.tenant, params.pool, expected);
        return { body: undefined };
      },
    }),
  ];
}
