import { type Context, Hono } from "hono";
import { allows } from "../../auth/api-key.ts";
import { PlatformError, problems } from "../problem.ts";
import type { ExpectedVersion } from "../version.ts";
import { type KeptAnswer, runOnce } from "./idempotency.ts";
import { openApiDocument } from "./openapi.ts";
import { toDocument, toPlatformError } from "./problem-document.ts";
import { createRateLimiter, type RateLimit } from "./rate-limit.ts";
import { readBody } from "./request-body.ts";
import type { Caller, Route } from "./route.ts";
import { clusterRoutes } from "./routes/clusters.ts";
import { keyRoutes } from "./routes/keys.ts";
import { nodeRoutes } from "./routes/nodes.ts";
import { poolRoutes } from "./routes/pools.ts";
import { usageRoutes } from "./routes/usage.ts";
import { webhookRoutes } from "./routes/webhooks.ts";
import type { PlatformApiOptions } from "./services.ts";

type Env = { Variables: { requestId: string } };

const defaultRateLimit: RateLimit = { burst: 200, perSecond: 100 };
const requestIdPattern = /^[A-Za-z0-9_.-]{1,64}$/;
const idempotencyKeyPattern = /^[\x21-\x7e]{1,255}$/;

/** The platform API under `/v1`, with its description at `/openapi.json`. One catch, at the edge: `onError`. */
export function createPlatformApi({ services, storeOf, log, uid, rateLimit, version }: PlatformApiOptions): Hono<Env> {
  const { clock, keys, tenants } = services;
  const app = new Hono<Env>();
  const limiter = createRateLimiter(clock, rateLimit ?? defaultRateLimit);
  const routes = [clusterRoutes, poolRoutes, nodeRoutes, keyRoutes, usageRoutes, webhookRoutes].flatMap((routesOf) => routesOf(services));
  let description: { readonly url: string; readonly text: string } | undefined;

  async function authenticate(context: Context<Env>): Promise<{ readonly caller: Caller; readonly secret: string }> {
    const [, secret = ""] = /^Bearer +(\S+)$/i.exec(context.req.header("authorization") ?? "") ?? [];
    const key = await keys.authenticate(secret);
    if (!key)
      throw new PlatformError("unauthenticated", "Send `Authorization: Bearer <API key>` with a key that is known and has not expired.");
    const waitSeconds = limiter.take(key.tenant);
    if (waitSeconds > 0) throw new PlatformError("rate-limited", "The tenant sends too many requests.", { retryAfterSeconds: waitSeconds });
    const named = context.req.header("coracle-tenant");
    if (named === undefined || named === key.tenant) return { caller: { tenant: key.tenant, key }, secret };
    if (!key.scopes.includes("operator")) throw new PlatformError("forbidden", "Only an operator's key acts for another tenant.");
    return { caller: { tenant: (await tenants.get(named)).value.id, key }, secret };
  }

  async function serve(route: Route, context: Context<Env>): Promise<Response> {
    const { spec } = route;
    const { caller, secret } = await authenticate(context);
    if (spec.scope !== "any" && !allows(caller.key.scopes, spec.scope)) {
      throw new PlatformError("forbidden", `The API key needs the scope "${spec.scope}".`);
    }
    const { text, value: body } = await readBody(context.req.raw, spec.body);
    const raw = {
      params: context.req.param(),
      query: context.req.query(),
      body,
      expected: spec.conditional ? expectedVersion(context.req.header("if-match")) : undefined,
    };
    const run = async (): Promise<KeptAnswer> => {
      const answer = await route.run(caller, raw);
      return {
        status: spec.status,
        headers: {
          ...(answer.version !== undefined && { etag: `"${answer.version}"` }),
          ...(answer.location !== undefined && { location: answer.location }),
        },
        body: answer.body === undefined ? "" : JSON.stringify(answer.body),
      };
    };
    const idempotencyKey = context.req.header("idempotency-key");
    if (spec.method !== "post" || idempotencyKey === undefined) return toResponse(context, await run());
    if (!idempotencyKeyPattern.test(idempotencyKey))
      throw new PlatformError("malformed", "The Idempotency-Key must be 1 to 255 printable characters.");
    const content = `${spec.method} ${context.req.path}\n${text}`;
    const request = { tenant: caller.tenant, keyId: caller.key.id, secret, idempotencyKey, content };
    const { replayed, ...answer } = await runOnce({ store: storeOf(caller.tenant), clock }, request, run);
    return toResponse(context, replayed ? { ...answer, headers: { ...answer.headers, "idempotency-replayed": "true" } } : answer);
  }

  app.use(async (context, next) => {
    const given = context.req.header("x-request-id") ?? "";
    const requestId = requestIdPattern.test(given) ? given : uid();
    context.set("requestId", requestId);
    await next();
    context.res.headers.set("x-request-id", requestId);
    context.res.headers.set("cache-control", "no-store");
  });

  app.get("/v1/healthz", (context) => context.json({ status: "ok" }));
  app.get("/openapi.json", (context) => {
    const { url } = services.server();
    if (description?.url !== url) description = { url, text: JSON.stringify(openApiDocument(routes, { version, url })) };
    return context.body(description.text, 200, { "content-type": "application/json" });
  });
  for (const route of routes) app.on(route.spec.method.toUpperCase(), honoPath(route), (context) => serve(route, context));
  for (const [path, all] of Map.groupBy(routes, honoPath)) {
    const allowed = all.map(({ spec }) => spec.method.toUpperCase()).join(", ");
    app.all(path, (context) => {
      context.header("allow", allowed);
      throw new PlatformError("method-not-allowed", `The path has ${allowed}.`);
    });
  }

  app.notFound((context) => failure(context, new PlatformError("not-found", "There is nothing at this path.")));
  app.onError((error, context) => {
    const known = toPlatformError(error);
    if (known.code === "internal") log.error("request failed", error, { requestId: context.get("requestId"), path: context.req.path });
    return failure(context, known);
  });
  return app;
}

const honoPath = ({ spec }: Route): string => spec.path.replace(/\{(\w+)\}/g, ":$1");

/** RFC 9110 §13.1.1, strong comparison: a weak or unknown tag never matches. */
function expectedVersion(header: string | undefined): ExpectedVersion {
  if (header === undefined || header.trim() === "*") return undefined;
  const [, version] = /^"(\d{1,15})"$/.exec(header.trim()) ?? [];
  if (version === undefined) throw new PlatformError("precondition-failed", "If-Match must be an ETag that this API gave, or *.");
  return Number(version);
}

function toResponse(context: Context<Env>, { status, headers, body }: KeptAnswer): Response {
  for (const [name, value] of Object.entries(headers)) context.header(name, value);
  const known = context.req.method === "GET" && headers.etag !== undefined && context.req.header("if-none-match") === headers.etag;
  if (known) return context.body(null, 304);
  if (status === 204) return context.body(null, 204);
  return context.body(body, status === 201 ? 201 : status === 202 ? 202 : 200, { "content-type": "application/json" });
}

function failure(context: Context<Env>, error: PlatformError): Response {
  const document = toDocument(error, context.req.path, context.get("requestId"));
  if (error.code === "unauthenticated") context.header("www-authenticate", 'Bearer realm="coracle"');
  if (error.retryAfterSeconds !== undefined) context.header("retry-after", String(error.retryAfterSeconds));
  return context.body(JSON.stringify(document), problems[error.code].status, { "content-type": "application/problem+json" });
}
