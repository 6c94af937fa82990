import type { Parameter } from "./openapi-parameters.ts";
import type { Method, Operation, PathItem, SchemaUse } from "./openapi-paths.ts";

/** OpenAPI 3 written in the words of OpenAPI 2, as kube-openapi's `ToV2` conversion does: without defaults and unions. */

export interface DocumentV2 {
  readonly swagger: "2.0";
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, PathItemV2>>;
  readonly definitions: Readonly<Record<string, SchemaV2>>;
  readonly securityDefinitions: Readonly<
    Record<string, { readonly description: string; readonly type: string; readonly name: string; readonly in: string }>
  >;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
}

export interface PathItemV2 extends Readonly<Partial<Record<Method, OperationV2>>> {
  readonly parameters?: readonly ParameterV2[];
}

export interface OperationV2 {
  readonly description: string;
  readonly consumes?: readonly string[];
  readonly produces: readonly string[];
  readonly schemes: readonly string[];
  readonly tags: readonly string[];
  readonly operationId: string;
  readonly parameters?: readonly ParameterV2[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly schema?: SchemaV2 }>>;
  readonly "x-kubernetes-action"?: string;
  readonly "x-kubernetes-group-version-kind"?: object;
}

export type ParameterV2 =
  | { readonly name: string; readonly in: "path" | "query"; readonly type: string; readonly uniqueItems: true; readonly required?: true }
  | { readonly name: "body"; readonly in: "body"; readonly schema: SchemaV2; readonly required?: true };

export interface SchemaV2 {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, SchemaV2>>;
  readonly items?: SchemaV2;
  readonly additionalProperties?: SchemaV2 | boolean;
  readonly [extension: `x-${string}`]: unknown;
}

const reasons: Readonly<Record<number, string>> = { 200: "OK", 201: "Created", 202: "Accepted", 401: "Unauthorized" };
const dropped: ReadonlySet<string> = new Set(["default", "nullable", "anyOf"]);
const nothing: ReadonlySet<string> = new Set();

export function pathItemV2({ parameters, operations }: PathItem): PathItemV2 {
  const entries = Object.entries(operations).map(([method, operation]) => [method, operationV2(operation)]);
  const sorted = [...parameters].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { ...Object.fromEntries(entries), ...(sorted.length > 0 && { parameters: sorted.map(parameterV2) }) };
}

function operationV2(operation: Operation): OperationV2 {
  const { operationId, description, tag, action, kind, parameters, body, answers, answerTypes } = operation;
  const responses = answers.map(({ status, schema }) => [status, { description: reasons[status] ?? "", schema: useV2(schema) }]);
  const payload: ParameterV2[] = body
    ? [{ name: "body", in: "body", ...(body.required && { required: true }), schema: useV2(body.schema) }]
    : [];
  const all = [...payload, ...parameters.map(parameterV2)];
  return {
    description,
    ...consumesV2(operation),
    produces: answerTypes,
    schemes: ["https"],
    tags: [tag],
    operationId,
    ...(all.length > 0 && { parameters: all }),
    responses: { ...Object.fromEntries(responses), 401: { description: reasons[401] ?? "" } },
    ...(action !== "" && { "x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind }),
  };
}

/** The documents of the token issuer are read without a word about what they take. */
function consumesV2({ action, answers, answerTypes, body }: Operation): Pick<OperationV2, "consumes"> {
  if (body || action !== "") return { consumes: body?.types ?? ["*/*"] };
  return answers.some(({ schema }) => schema === "string") ? {} : { consumes: answerTypes };
}

function parameterV2({ schema, ...rest }: Parameter): ParameterV2 {
  return { ...schema, ...rest };
}

function useV2(use: SchemaUse): SchemaV2 {
  return use === "string" ? { type: "string" } : { $ref: `#/definitions/${use.component}` };
}

/** A schema of version 3 in version 2. A union of scalars (a quantity, an int-or-string) becomes a string. */
export function schemaV2(schema: Readonly<Record<string, unknown>>): SchemaV2 {
  return convert(schema, dropped);
}

/** The same where nothing is in the schema that version 2 has no word for: defaults and enums stay. */
export function wholeSchemaV2(schema: Readonly<Record<string, unknown>>): SchemaV2 {
  return convert(schema, nothing);
}

function convert(schema: Readonly<Record<string, unknown>>, without: ReadonlySet<string>): SchemaV2 {
  const { oneOf, allOf, ...rest } = schema;
  const [reference] = Array.isArray(allOf) ? (allOf as unknown[]) : [];
  const whole = typeof reference === "object" && reference !== null ? { ...reference, ...rest } : rest;
  const converted = Object.entries(whole)
    .filter(([key]) => !without.has(key))
    .map(([key, value]) => [key, partV2(key, value, without)]);
  return { ...(Array.isArray(oneOf) && { type: "string" }), ...Object.fromEntries(converted) };
}

function partV2(key: string, value: unknown, without: ReadonlySet<string>): unknown {
  if (key === "$ref" && typeof value === "string") return value.replace("#/components/schemas/", "#/definitions/");
  if (key === "properties" && isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, property]) => [name, isObject(property) ? convert(property, without) : property]),
    );
  }
  return (key === "items" || key === "additionalProperties") && isObject(value) ? convert(value, without) : value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
