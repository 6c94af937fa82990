import {
  aggregatedDocument,
  aggregatedMediaType,
  apiGroupDocument,
  apiGroupListDocument,
  apiResourceListDocument,
  apiVersionsDocument,
} from "../kubernetes/discovery.ts";
import type { Typed } from "../kubernetes/protobuf/encode.ts";
import { builtinResources, type ResourceDefinition } from "../kubernetes/resources.ts";
import { parseAccept } from "./accept-header.ts";
import { CustomDocuments, cachedDocument, type MadeDocument } from "./custom-documents.ts";
import { healthAnswer, healthPaths } from "./health.ts";
import { type Encoding, mediaTypeOf, negotiate, onlyJson, takesJson } from "./negotiation.ts";
import { openApiIndexAnswer, openApiV2Answer, openApiV3Answer } from "./openapi-documents.ts";
import { failure, rendered, respondWith } from "./rendering.ts";
import { type ApiRequest, parseQuery } from "./request-info.ts";
import type { ResourceCatalog } from "./resource-catalog.ts";
import { type ApiResponse, json, noSuchResource } from "./response.ts";

export const version = {
  major: "1",
  minor: "33",
  emulationMajor: "1",
  emulationMinor: "33",
  minCompatibilityMajor: "1",
  minCompatibilityMinor: "32",
  gitVersion: "v1.33.13+coracle",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "2026-01-01T00:00:00Z",
  goVersion: "",
  compiler: "node",
  platform: `linux/${process.arch === "x64" ? "amd64" : process.arch}`,
} as const;

const versionBody = Buffer.from(JSON.stringify(version, null, 2));
const fixedPaths = [
  ...["/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/", "/openapi/v2", "/openapi/v3", "/openapi/v3/"],
  ...["/metrics", "/openid/v1/jwks", "/version", ...healthPaths],
];
/** Routes that know GET alone; what answers the rest does not look at the method. */
const onlyRead = /^\/(?:version|api|api\/v1|apis\/[^/]+\/[^/]+|\.well-known\/openid-configuration|openid\/v1\/jwks)\/?$/;

/**
 * Documents that depend on nothing but the served resources: made once, answered from memory. Clusters with custom resources have their
 * own of those that tell of them; the rest is shared by all.
 */
export class Documents {
  readonly #made = new Map<string, MadeDocument>();
  readonly #custom = new CustomDocuments();
  readonly #serverAddress: string;
  readonly #optional: readonly ResourceDefinition[];

  /** `optional`: what every cluster serves beside what is always built in. */
  constructor(serverAddress: string, optional: readonly ResourceDefinition[] = []) {
    this.#serverAddress = serverAddress;
    this.#optional = optional;
  }

  /** Health and version need no account and no cluster. */
  static health(path: string, url: string, request: Pick<ApiRequest, "method" | "header" | "url">): ApiResponse | undefined {
    if (path !== "/version" && path !== "/version/") return healthAnswer(path, url);
    if (request.method !== "GET") return undefined;
    return takesJson(request.header("accept")) ? json(200, versionBody) : failure(onlyJson(), request);
  }

  static isReadOnly(path: string): boolean {
    return onlyRead.test(path);
  }

  /** `undefined`: no such document. */
  answer(path: string, request: ApiRequest, catalog: ResourceCatalog, nowMs: number): ApiResponse | undefined {
    const accept = request.header("accept") ?? "";
    const clean = path.endsWith("/") && path.length > 1 ? path.slice(0, -1) : path;
    const custom = [...this.#optional, ...catalog.custom];
    const all: Answering = { request, custom, made: catalog.custom.length === 0 ? this.#made : this.#custom.of(catalog) };
    if (path === "/" || path === "/index.html") return json(200, Buffer.from(JSON.stringify({ paths: pathsOf(custom) }, null, 2)));
    if (clean === "/api") return this.#discovery(clean, accept, { ...all, custom: [], made: this.#made });
    if (clean === "/apis") return this.#discovery(clean, accept, all);
    if (path === "/openapi/v3") return openApiIndexAnswer(all.made, custom);
    if (clean === "/openapi/v2") return openApiV2Answer(request, all.made, custom);
    const parts = clean.split("/");
    if (parts[1] === "openapi" && parts[2] === "v3") return this.#openApiV3(parts.slice(3), all, nowMs) ?? nothing(404);
    if (parts[1] === "api" && parts.length === 3) return this.#list("", parts[2] ?? "", all);
    if (parts[1] === "apis" && parts.length === 3) {
      const group = apiGroupDocument(servedResources(custom), parts[2] ?? "");
      return group && discovered(request, group, "groups");
    }
    if (parts[1] === "apis" && parts.length === 4) return this.#list(parts[2] ?? "", parts[3] ?? "", all);
    return undefined;
  }

  /** Aggregated where any clause asks for it, whatever else is preferred (apiserver's discovery/aggregated `WrapAggregatedDiscoveryToHandler`). */
  #discovery(path: "/api" | "/apis", accept: string, all: Answering): ApiResponse {
    const resources = servedResources(all.custom);
    const scope = path === "/api" ? "core" : "groups";
    const asked = accept.includes("APIGroupDiscoveryList") ? aggregatedAsked(accept) : undefined;
    if (asked) {
      const type = aggregatedMediaType.replace(mediaTypeOf.json, mediaTypeOf[asked]);
      const make = () => rendered(aggregatedDocument(resources, scope), asked);
      return cached(all, `${path} ${asked}`, type, make, { vary: "Accept" });
    }
    if (path === "/api") return discovered(all.request, apiVersionsDocument(this.#serverAddress));
    return discovered(all.request, apiGroupListDocument(resources), "groups");
  }

  #list(group: string, version: string, all: Answering): ApiResponse | undefined {
    const own = all.custom.some((one) => one.group === group && one.version === version);
    const resources = own ? servedResources(all.custom) : builtinResources();
    const list = apiResourceListDocument(resources, group, version);
    if (list) return discovered(all.request, list);
    // Of a group that is there, what is no version is no resource either.
    if (!resources.some((one) => one.group === group)) return undefined;
    return failure(noSuchResource(), all.request);
  }

  #openApiV3(parts: readonly string[], all: Answering, nowMs: number): ApiResponse | undefined {
    const path = parts.join("/");
    const own = all.custom.some((one) => `apis/${one.group}/${one.version}` === path);
    const made = own ? all.made : this.#made;
    return openApiV3Answer(path, all.request, made, own ? all.custom : [], nowMs);
  }
}

interface Answering {
  readonly request: ApiRequest;
  readonly custom: readonly ResourceDefinition[];
  readonly made: Map<string, MadeDocument>;
}

const lastVerbs: ReadonlySet<string> = new Set(["delete", "deletecollection", "get", "list", "watch"]);

/** Built-in resources come first. Of what is being deleted nothing is made or changed any more. */
function servedResources(custom: readonly ResourceDefinition[]): readonly ResourceDefinition[] {
  if (custom.length === 0) return builtinResources();
  return [...builtinResources(), ...custom.map((one) => (one.custom?.terminating ? { ...one, verbs: lastVerbs } : one))];
}

/** What is served where, for whoever looks at the root. */
function pathsOf(custom: readonly ResourceDefinition[]): string[] {
  const groups = servedResources(custom).filter(({ group }) => group !== "");
  const own = groups.flatMap(({ group, version }) => [`/apis/${group}`, `/apis/${group}/${version}`]);
  return [...new Set([...fixedPaths, ...own])].sort();
}

/** The handlers of OpenAPI say no without a word. */
const nothing = (status: number): ApiResponse => ({ status, headers: {}, body: Buffer.alloc(0) });

/** The form in which aggregated discovery is asked for, by the first clause whose form there is. */
function aggregatedAsked(accept: string): Encoding | undefined {
  for (const { type, subtype, parameters } of parseAccept(accept)) {
    const encoding = (["json", "yaml", "protobuf"] as const).find((each) => mediaTypeOf[each] === `${type}/${subtype}`);
    const asked = parameters.get("as") === "APIGroupDiscoveryList" && parameters.get("g") === "apidiscovery.k8s.io";
    if (asked && parameters.get("v") === "v2" && encoding) return encoding;
  }
  return undefined;
}

/** A document that nobody may keep, in the form that was asked for. @throws StatusError `NotAcceptable` */
function discovered(request: ApiRequest, value: Typed, answers: "document" | "groups" = "document"): ApiResponse {
  return respondWith(200, value, negotiate({ request, info: { query: parseQuery(request.url) } }, answers));
}

function cached(
  { request, made }: Answering,
  key: string,
  type: string,
  make: () => string | Buffer,
  headers: Record<string, string> = {},
): ApiResponse {
  const known = cachedDocument(made, key, make);
  const etag = `"${known.etag}"`;
  const all = { "cache-control": "public", ...headers, etag, "content-type": type };
  if (request.header("if-none-match") === etag) return { status: 304, headers: all, body: Buffer.alloc(0) };
  return json(200, known.body, all);
}
