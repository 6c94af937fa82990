import { z } from "zod";
import { type ProblemCode, problems } from "../problem.ts";
import {
  apiKeyResource,
  clusterResource,
  joinTokenResource,
  nodeResource,
  poolResource,
  tenantResource,
  usageResource,
  webhookResource,
} from "../resources.ts";
import { problemDocument } from "./problem-document.ts";
import type { Route } from "./route.ts";

/** Schemas that several others contain, by the name they have in the document. */
const resources = {
  ApiKey: apiKeyResource,
  Cluster: clusterResource,
  JoinToken: joinTokenResource,
  Node: nodeResource,
  Pool: poolResource,
  Tenant: tenantResource,
  Usage: usageResource,
  Webhook: webhookResource,
  Problem: problemDocument,
} as const;

const alwaysPossible: readonly ProblemCode[] = ["malformed", "unauthenticated", "forbidden", "rate-limited", "internal", "unavailable"];
const pathOf = (name: string) => `#/components/schemas/${name}`;
const isNothing = (schema: z.ZodType) => schema instanceof z.ZodUndefined;

/** The OpenAPI 3.1 document of the routes: paths, parameters and schemas all come of what the application itself checks by. */
export function openApiDocument(routes: readonly Route[], info: { readonly version: string; readonly url: string }): object {
  const requests = z.registry<{ id: string }>();
  const responses = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(resources)) responses.add(schema, { id });
  for (const { spec } of routes) {
    const name = `${spec.operationId[0]?.toUpperCase()}${spec.operationId.slice(1)}`;
    if (!isNothing(spec.body) && !requests.has(spec.body)) requests.add(spec.body, { id: `${name}Request` });
    if (!isNothing(spec.response) && !responses.has(spec.response)) responses.add(spec.response, { id: `${name}Response` });
  }
  const schemas = { ...schemasOf(requests, "input"), ...schemasOf(responses, "output") };
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { spec } of routes) {
    const path = paths[spec.path] ?? {};
    paths[spec.path] = path;
    path[spec.method] = operation(spec, requests.get(spec.body)?.id, responses.get(spec.response)?.id);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Coracle platform API", version: info.version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    servers: [{ url: info.url }],
    security: [{ apiKey: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: { apiKey: { type: "http", scheme: "bearer", description: "An API key: `ck_live_…`." } },
    },
  };
}

function schemasOf(registry: Parameters<typeof z.toJSONSchema>[0], io: "input" | "output"): Record<string, unknown> {
  const { schemas } = z.toJSONSchema(registry as z.core.$ZodRegistry<{ id: string }>, { io, uri: pathOf });
  return Object.fromEntries(Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]));
}

function operation(spec: Route["spec"], request: string | undefined, response: string | undefined): object {
  const possible = [
    ...alwaysPossible,
    ...(request ? (["unsupported-media-type", "too-large", "invalid"] as const) : []),
    ...(spec.problems ?? []),
  ];
  if (spec.method === "post") possible.push("idempotency-key-reused", "request-in-progress");
  if (spec.conditional) possible.push("precondition-failed");
  return {
    operationId: spec.operationId,
    summary: spec.summary,
    tags: [spec.path.split("/")[2] ?? ""],
    ...(spec.scope !== "any" && { "x-required-scope": spec.scope }),
    parameters: parametersOf(spec),
    ...(request && {
      requestBody: { required: true, content: { "application/json": { schema: { $ref: pathOf(request) } } } },
    }),
    responses: {
      [spec.status]: {
        description: spec.summary,
        ...(response && { content: { "application/json": { schema: { $ref: pathOf(response) } } } }),
      },
      ...problemResponses(possible),
    },
  };
}

function problemResponses(codes: readonly ProblemCode[]): Record<string, object> {
  const byStatus = Map.groupBy(new Set(codes), (code) => problems[code].status);
  const content = { "application/problem+json": { schema: { $ref: pathOf("Problem") } } };
  return Object.fromEntries(
    [...byStatus].map(([status, all]) => [
      status,
      { description: all.map((code) => `${code}: ${problems[code].title}`).join("; "), content },
    ]),
  );
}

function parametersOf(spec: Route["spec"]): object[] {
  const text = { type: "string" };
  const headers = [
    ...(spec.method === "post" ? [{ name: "Idempotency-Key", in: "header", schema: { ...text, maxLength: 255 } }] : []),
    ...(spec.conditional ? [{ name: "If-Match", in: "header", schema: text }] : []),
  ];
  return [...fieldsOf(spec.params, "path"), ...fieldsOf(spec.query, "query"), ...headers];
}

function fieldsOf(schema: z.ZodType, where: "path" | "query"): object[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: "input" });
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === "path" || required.includes(name),
    schema: property,
  }));
}
