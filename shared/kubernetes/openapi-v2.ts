import type { Operation, SchemaUse } from "./openapi-paths.ts";

/** OpenAPI 3 written in the words of OpenAPI 2, as kube-openapi's `ToV2` conversion does: without defaults, enums and unions. */

const reasons: Readonly<Record<number, string>> = { 200: "OK", 201: "Created", 202: "Accepted", 401: "Unauthorized" };
const dropped: ReadonlySet<string> = new Set(["default", "enum", "nullable", "anyOf"]);

export function operationV2(operation: Operation): object {
  const { operationId, description, tag, action, kind, parameters, body, answers, answerTypes } = operation;
  const responses = answers.map(({ status, schema }) => [status, { description: reasons[status] ?? "", schema: useV2(schema) }]);
  const queries = parameters.map(({ schema, ...rest }) => ({ ...schema, ...rest }));
  const payload = body && { name: "body", in: "body", ...(body.required && { required: true }), schema: useV2(body.schema) };
  return {
    description,
    consumes: body?.types ?? (action === "" ? answerTypes : ["*/*"]),
    produces: answerTypes,
    schemes: ["https"],
    tags: [tag],
    operationId,
    ...((payload !== undefined || queries.length > 0) && { parameters: [...(payload ? [payload] : []), ...queries] }),
    responses: { ...Object.fromEntries(responses), 401: { description: reasons[401] } },
    ...(action !== "" && { "x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind }),
  };
}

function useV2(use: SchemaUse): object {
  return use === "string" ? { type: "string" } : { $ref: `#/definitions/${use.component}` };
}

/** A schema of version 3 in version 2. A union of scalars (a quantity, an int-or-string) becomes a string. */
export function schemaV2(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { oneOf, allOf, ...rest } = schema;
  const [reference] = Array.isArray(allOf) ? (allOf as unknown[]) : [];
  const base = typeof reference === "object" && reference !== null ? { ...reference, ...rest } : rest;
  const converted = Object.entries(base)
    .filter(([key]) => !dropped.has(key))
    .map(([key, value]) => [key, partV2(key, value)]);
  return { ...(Array.isArray(oneOf) && { type: "string" }), ...Object.fromEntries(converted) };
}

function partV2(key: string, value: unknown): unknown {
  if (key === "$ref" && typeof value === "string") return value.replace("#/components/schemas/", "#/definitions/");
  if (key === "properties" && isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, property]) => [name, isObject(property) ? schemaV2(property) : property]));
  }
  return (key === "items" || key === "additionalProperties") && isObject(value) ? schemaV2(value) : value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
