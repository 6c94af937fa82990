import { z } from "zod";
import { allows } from "../../../auth/api-key.ts";
import { identifier } from "../../fields.ts";
import { PlatformError } from "../../problem.ts";
import { apiKeyCreate, apiKeyResource, createdApiKey, tenantCreate, tenantResource, whoamiResource } from "../../resources.ts";
import { showApiKey, showTenant } from "../../show.ts";
import { showPage } from "../list.ts";
import { type Caller, defineRoute, nothing, pageOf, pageQuery, type Route } from "../route.ts";
import type { PlatformServices } from "../services.ts";

const keyParams = z.strictObject({ key: identifier });
const tenantParams = z.strictObject({ tenant: identifier });

export function keyRoutes({ keys, tenants, cursors, clock }: PlatformServices): Route[] {
  async function create(caller: Caller, tenant: string, body: z.output<typeof apiKeyCreate>) {
    const operator = caller.key.scopes.includes("operator");
    const beyond = operator ? [] : body.scopes.filter((scope) => !allows(caller.key.scopes, scope));
    if (beyond.length > 0) throw new PlatformError("forbidden", `The key would be allowed more than yours: ${beyond.join(", ")}.`);
    const expiresAtMs = body.expiresAt === undefined ? undefined : Date.parse(body.expiresAt);
    if (expiresAtMs !== undefined && expiresAtMs <= clock.now()) {
      const errors = [{ pointer: "#/expiresAt", detail: "must lie in the future" }];
      throw new PlatformError("invalid", "#/expiresAt: must lie in the future", { errors });
    }
    const { record, key } = await keys.create(tenant, { name: body.name, scopes: body.scopes, expiresAtMs });
    return { body: { ...showApiKey(record.value), key }, version: record.version, location: `/v1/keys/${record.value.id}` };
  }

  return [
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/whoami",
      operationId: "whoami",
      summary: "Shows whose key the request bears and what it may do",
      scope: "any",
      status: 200,
      response: whoamiResource,
      handle: async ({ caller }) => {
        const { id, name, prefix, scopes, expiresAt } = showApiKey(caller.key);
        return { body: { tenant: caller.tenant, key: { id, name, prefix, scopes, expiresAt } } };
      },
    }),
    defineRoute({
      ...nothing,
      method: "post",
      path: "/v1/keys",
      operationId: "createApiKey",
      summary: "Creates an API key that may do no more than the caller's",
      scope: "keys:write",
      body: apiKeyCreate,
      status: 201,
      response: createdApiKey,
      handle: ({ caller, body }) => create(caller, caller.tenant, body),
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/keys",
      operationId: "listApiKeys",
      summary: "Lists API keys, without the keys themselves",
      scope: "keys:read",
      query: pageQuery,
      status: 200,
      response: pageOf(apiKeyResource),
      async handle({ caller: { tenant }, query }) {
        const read = (part: { from: string | undefined; limit: number }) => keys.list(tenant, part);
        return { body: await showPage(cursors, `keys ${tenant}`, query, read, (records) => records.map(showApiKey)) };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/keys/{key}",
      operationId: "getApiKey",
      summary: "Shows an API key, without the key itself",
      scope: "keys:read",
      params: keyParams,
      status: 200,
      response: apiKeyResource,
      problems: ["not-found"],
      async handle({ caller, params }) {
        const { value, version } = await keys.get(caller.tenant, params.key);
        return { body: showApiKey(value), version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "delete",
      path: "/v1/keys/{key}",
      operationId: "revokeApiKey",
      summary: "Revokes an API key at once",
      scope: "keys:write",
      params: keyParams,
      status: 204,
      response: z.undefined(),
      problems: ["not-found"],
      async handle({ caller, params }) {
        await keys.revoke(caller.tenant, params.key);
        return { body: undefined };
      },
    }),
    defineRoute({
      ...nothing,
      method: "post",
      path: "/v1/tenants",
      operationId: "createTenant",
      summary: "Creates a tenant",
      scope: "operator",
      body: tenantCreate,
      status: 201,
      response: tenantResource,
      problems: ["name-taken"],
      async handle({ body }) {
        const { value, version } = await tenants.create(body);
        return { body: showTenant(value), version, location: `/v1/tenants/${value.id}` };
      },
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/tenants",
      operationId: "listTenants",
      summary: "Lists tenants",
      scope: "operator",
      query: pageQuery,
      status: 200,
      response: pageOf(tenantResource),
      handle: async ({ query }) => ({
        body: await showPage(cursors, "tenants", query, tenants.list, (records) => records.map(showTenant)),
      }),
    }),
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/tenants/{tenant}",
      operationId: "getTenant",
      summary: "Shows a tenant",
      scope: "operator",
      params: tenantParams,
      status: 200,
      response: tenantResource,
      problems: ["not-found"],
      async handle({ params }) {
        const { value, version } = await tenants.get(params.tenant);
        return { body: showTenant(value), version };
      },
    }),
    defineRoute({
      ...nothing,
      method: "post",
      path: "/v1/tenants/{tenant}/keys",
      operationId: "createTenantApiKey",
      summary: "Creates an API key of any tenant",
      scope: "operator",
      params: tenantParams,
      body: apiKeyCreate,
      status: 201,
      response: createdApiKey,
      problems: ["not-found"],
      async handle({ caller, params, body }) {
        const { value } = await tenants.get(params.tenant);
        return create(caller, value.id, body);
      },
    }),
  ];
}
