import { createHash } from "node:crypto";
import { z } from "zod";
import { type CustomComponents, customComponents, customSchemaV2 } from "./custom/openapi.ts";
import { once, readFacts } from "./facts.ts";
import { discoveryItems, groupVersionItem } from "./openapi-discovery.ts";
import type { Parameter } from "./openapi-parameters.ts";
import { type ComponentOf, type Operation, type PathItem, resourcePaths, type SchemaUse } from "./openapi-paths.ts";
import { type DocumentV2, pathItemV2, schemaV2 } from "./openapi-v2.ts";
import { encodeDocumentV2 } from "./openapi-v2-protobuf.ts";
import { encodeDocumentV3 } from "./openapi-v3-protobuf.ts";
import { apiVersionOf, builtinResources, features, optionalResources, type ResourceDefinition } from "./resources.ts";
import { plainColumns } from "./table.ts";

/**
 * The OpenAPI documents of the built-in resources. They follow from data alone, so the same program gives the same bytes; nothing is
 * built before it is asked for and nothing is kept: the caller caches, with the SHA-512 of a document as its ETag.
 */

const schemaFacts = z.object({ schemas: z.record(z.string(), z.record(z.string(), z.unknown())) });
const kindsOf = z.array(z.object({ group: z.string(), version: z.string(), kind: z.string() }));

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

interface Components {
  readonly schemas: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly byKind: ReadonlyMap<string, string>;
}

const components = once((): Components => {
  const { schemas } = schemaFacts.parse(readFacts("schemas"));
  const byKind = new Map<string, string>();
  for (const [name, schema] of Object.entries(schemas)) {
    for (const { group, version, kind } of kindsOf.safeParse(schema["x-kubernetes-group-version-kind"]).data ?? []) {
      byKind.set(`${group}/${version}/${kind}`, name);
    }
  }
  const metadata = schemas[objectMeta];
  if (metadata) schemas[objectMeta] = describedMetadata(metadata);
  return { schemas: new Map(Object.entries(schemas)), byKind };
});

/** The fields of metadata that every table shows are described where `kubectl explain` looks for them, in the words of those columns. */
function describedMetadata({ properties, ...rest }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const described = { ...(properties as Readonly<Record<string, object>>) };
  const [name, age] = plainColumns();
  if (name) described.name = { description: name.description, ...described.name };
  if (age) described.creationTimestamp = { description: age.description, ...described.creationTimestamp };
  return { ...rest, properties: described };
}

/** Components by name, and those that describe kinds: the built-in ones with those of custom resources. */
interface Library {
  readonly schemaOf: (name: string) => Readonly<Record<string, unknown>> | undefined;
  readonly componentOf: ComponentOf;
  readonly custom: CustomComponents;
}

function libraryOf(custom: readonly ResourceDefinition[]): Library {
  const own = customComponents(custom);
  return {
    custom: own,
    schemaOf: (name) => own.schemas.get(name) ?? components().schemas.get(name),
    componentOf(group, version, kind) {
      const key = `${group}/${version}/${kind}`;
      return own.byKind.get(key) ?? components().byKind.get(key);
    },
  };
}

const info = { title: "Kubernetes", version: "1.33" };

/** `GET /openapi/v3`: where each group version's document is, with a hash that changes when the document does. */
export function openApiIndex(custom: readonly ResourceDefinition[] = []): string {
  const paths = [...groupVersionPaths([...builtinResources(), ...custom]), ...discoveryItems().keys()].sort().map((path) => {
    const own = custom.filter((resource) => groupVersionPath(resource) === path);
    const hash = own.length > 0 ? hashOf(openApiV3(path, custom) ?? "") : builtinHash(path);
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
  });
  return JSON.stringify({ paths: Object.fromEntries(paths) });
}

const hashOf = (document: string): string => createHash("sha512").update(document).digest("hex").toUpperCase();

const builtinHashes = once(
  () =>
    new Map([...groupVersionPaths(builtinResources()), ...discoveryItems().keys()].map((path) => [path, hashOf(openApiV3(path) ?? "")])),
);
const builtinHash = (path: string): string => builtinHashes().get(path) ?? "";

/** `GET /openapi/v3/{path}`, for `api/v1`, `apis/{group}/{version}` and what leads there; `undefined` for anything else. */
export function openApiV3(path: string, custom: readonly ResourceDefinition[] = []): string | undefined {
  const resources = [...builtinResources(), ...custom].filter((resource) => groupVersionPath(resource) === path);
  const leading = discoveryItems().get(path);
  if (resources.length === 0 && !leading) return undefined;
  const library = libraryOf(custom);
  const items = leading ? [leading] : groupVersionItems(resources, library);
  const paths = items.map((item) => [item.path, pathItemV3(item)]);
  const schemas = reachable(items, library).map((name) => [name, library.schemaOf(name)]);
  return JSON.stringify({
    openapi: "3.0.0",
    info,
    paths: Object.fromEntries(paths),
    components: {
      ...(schemas.length > 0 && { schemas: Object.fromEntries(schemas) }),
      securitySchemes: {
        BearerToken: { type: "apiKey", description: "Bearer Token authentication", name: "authorization", in: "header" },
      },
    },
  });
}

/** `GET /openapi/v2`: everything in one document of the older form, as JSON. */
export function openApiV2(custom: readonly ResourceDefinition[] = []): string {
  return JSON.stringify(documentV2(custom));
}

/** The same document as protocol buffers. */
export const openApiV3Bytes = (document: string): Buffer => encodeDocumentV3(JSON.parse(document));

/**
 * The same document as protocol buffers. client-go's discovery reads no other form of version 2, and kubectl up to 1.28 needs it for
 * `apply`, `create` and `explain`: it falls back to nothing when it gets JSON or 406.
 */
export function openApiV2Bytes(custom: readonly ResourceDefinition[] = []): Buffer {
  return encodeDocumentV2(documentV2(custom));
}

function documentV2(custom: readonly ResourceDefinition[]): DocumentV2 {
  const library = libraryOf(custom);
  const groups = Map.groupBy([...builtinResources(), ...custom], groupVersionPath);
  const described = [...groups.values()].flatMap((resources) => groupVersionItems(resources, library));
  const items = [...described, ...discoveryItems().values()].sort(byPath);
  const paths = items.map((item) => [item.path, pathItemV2(item)]);
  const hidden = hiddenComponents(custom);
  const definitions = [
    ...[...components().schemas]
      .filter(([name]) => !hidden.some((prefix) => name.startsWith(prefix)))
      .map(([name, schema]) => [name, schemaV2(schema)]),
    ...[...library.custom.schemas].map(([name, schema]) => [name, customSchemaV2(schema)]),
  ];
  return {
    swagger: "2.0",
    info,
    paths: Object.fromEntries(paths),
    definitions: Object.fromEntries(definitions),
    securityDefinitions: {
      BearerToken: { description: "Bearer Token authentication", type: "apiKey", name: "authorization", in: "header" },
    },
    security: [{ BearerToken: [] }],
  };
}

/** How the components begin that are published only where the optional kinds that use them are served. */
function hiddenComponents(served: readonly ResourceDefinition[]): string[] {
  const missing = optionalResources(features).filter(({ collection }) => !served.some((one) => one.collection === collection));
  return missing.map(({ group, version }) => `io.k8s.api.${group.split(".")[0] ?? ""}.${version}.`);
}

function groupVersionPath(resource: ResourceDefinition): string {
  return `${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource)}`;
}

function groupVersionPaths(resources: readonly ResourceDefinition[]): string[] {
  return [...new Set(resources.map(groupVersionPath))].sort();
}

function groupVersionItems(resources: readonly ResourceDefinition[], { componentOf }: Library): PathItem[] {
  const [first] = resources;
  const items = resources.flatMap((resource) => resourcePaths(resource, componentOf));
  return first ? [groupVersionItem(first), ...items].sort(byPath) : items;
}

function byPath(a: PathItem, b: PathItem): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

const reasons: Readonly<Record<number, string>> = { 200: "OK", 201: "Created", 202: "Accepted", 401: "Unauthorized" };

function pathItemV3({ parameters, operations }: PathItem): object {
  const entries = Object.entries(operations).map(([method, operation]) => [method, operationV3(operation)]);
  return { ...(parameters.length > 0 && { parameters: sorted(parameters) }), ...Object.fromEntries(entries) };
}

function operationV3(operation: Operation): object {
  const { operationId, description, tag, action, kind, parameters, body, answers, answerTypes } = operation;
  const content = (types: readonly string[], use: SchemaUse) => Object.fromEntries(types.map((type) => [type, { schema: schemaV3(use) }]));
  const responses = answers.map(({ status, schema }) => [
    status,
    { description: reasons[status] ?? "", content: content(answerTypes, schema) },
  ]);
  return {
    tags: [tag],
    description,
    operationId,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { content: content(body.types, body.schema), ...(body.required && { required: true }) } }),
    responses: { ...Object.fromEntries(responses), 401: { description: reasons[401] } },
    ...(action !== "" && { "x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind }),
  };
}

function schemaV3(use: SchemaUse): object {
  return use === "string" ? { type: "string" } : { $ref: `#/components/schemas/${use.component}` };
}

function sorted(parameters: readonly Parameter[]): Parameter[] {
  return [...parameters].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every component that the paths use, directly or through another, by name. */
function reachable(items: readonly PathItem[], { schemaOf }: Library): string[] {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const other of references(schemaOf(name))) visit(other);
  };
  for (const { operations } of items) {
    for (const { body, answers } of Object.values(operations)) {
      for (const use of [...(body ? [body.schema] : []), ...answers.map(({ schema }) => schema)])
        if (use !== "string") visit(use.component);
    }
  }
  return [...found].sort();
}

const referencePrefix = "#/components/schemas/";

function references(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(references);
  if (typeof schema !== "object" || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) =>
    key === "$ref" && typeof value === "string" ? [value.slice(referencePrefix.length)] : references(value),
  );
}
