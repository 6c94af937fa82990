import { createHash } from "node:crypto";
import {
  aggregatedDocument,
  aggregatedMediaType,
  apiGroupDocument,
  apiGroupListDocument,
  apiResourceListDocument,
  apiVersionsDocument,
} from "../kubernetes/discovery.ts";
import { openApiIndex, openApiV2, openApiV2Bytes, openApiV2Protobuf, openApiV3 } from "../kubernetes/openapi.ts";
import { builtinResources, type ResourceDefinition } from "../kubernetes/resources.ts";
import { CustomDocuments, type MadeDocument } from "./custom-documents.ts";
import type { ApiRequest } from "./request-info.ts";
import type { ResourceCatalog } from "./resource-catalog.ts";
import { type ApiResponse, document, json, text } from "./response.ts";

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

const healthPaths = new Set(["/healthz", "/livez", "/readyz", "/healthz/ping", "/livez/ping", "/readyz/ping"]);

/**
 * Documents that depend on nothing but the served resources: made once, answered from memory. Clusters with custom resources have their
 * own of those that tell of them; the rest is shared by all.
 */
export class Documents {
  readonly #made = new Map<string, MadeDocument>();
  readonly #custom = new CustomDocuments();
  readonly #serverAddress: string;
  constructor(serverAddress: string) {
    this.#serverAddress = serverAddress;
  }

  /** Health needs no account and no cluster. */
  static health(path: string): ApiResponse | undefined {
    if (healthPaths.has(path)) return text(200, "ok");
    return path === "/version" || path === "/version/" ? document(200, version) : undefined;
  }

  /** `undefined`: no such document. */
  answer(path: string, request: ApiRequest, catalog: ResourceCatalog): ApiResponse | undefined {
    const accept = request.header("accept") ?? "";
    const clean = path.endsWith("/") && path.length > 1 ? path.slice(0, -1) : path;
    const { custom } = catalog;
    const all: Answering = { request, custom, made: custom.length === 0 ? this.#made : this.#custom.of(catalog) };
    if (clean === "/api") return this.#discovery(clean, accept, { ...all, custom: [], made: this.#made });
    if (clean === "/apis") return this.#discovery(clean, accept, all);
    if (clean === "/openapi/v3") return cached(all, clean, "application/json", () => openApiIndex(custom));
    if (clean === "/openapi/v2") return openApiV2Answer(accept, all);
    const parts = clean.split("/");
    if (parts[1] === "openapi" && parts[2] === "v3") return this.#openApiV3(parts.slice(3), all);
    if (parts[1] === "api" && parts.length === 3) return this.#list("", parts[2] ?? "", all);
    if (parts[1] === "apis" && parts.length === 3) {
      const group = apiGroupDocument(servedResources(custom), parts[2] ?? "");
      return group && cached(all, clean, "application/json", () => `${JSON.stringify(group)}\n`);
    }
    if (parts[1] === "apis" && parts.length === 4) return this.#list(parts[2] ?? "", parts[3] ?? "", all);
    return undefined;
  }

  #discovery(path: "/api" | "/apis", accept: string, all: Answering): ApiResponse {
    const resources = servedResources(all.custom);
    const scope = path === "/api" ? "core" : "groups";
    const vary = { vary: "Accept" };
    for (const version of ["v2", "v2beta1"] as const) {
      if (!accept.includes("as=APIGroupDiscoveryList") || !new RegExp(`v=${version}(?![a-z0-9])`).test(accept)) continue;
      const make = () => JSON.stringify(aggregatedDocument(resources, scope, version));
      return cached(all, `${path} ${version}`, aggregatedMediaType(version), make, vary);
    }
    const make = () => JSON.stringify(path === "/api" ? apiVersionsDocument(this.#serverAddress) : apiGroupListDocument(resources));
    return cached(all, path, "application/json", make, vary);
  }

  #list(group: string, version: string, all: Answering): ApiResponse | undefined {
    const own = all.custom.some((one) => one.group === group && one.version === version);
    const list = apiResourceListDocument(own ? servedResources(all.custom) : builtinResources(), group, version);
    const answering = own ? all : { ...all, made: this.#made };
    return list && cached(answering, `list ${group}/${version}`, "application/json", () => `${JSON.stringify(list)}\n`);
  }

  #openApiV3(parts: readonly string[], all: Answering): ApiResponse | undefined {
    const path = parts.join("/");
    const own = all.custom.some((one) => `apis/${one.group}/${one.version}` === path);
    const made = own ? all.made : this.#made;
    const document = made.has(`openapi ${path}`) ? "" : openApiV3(path, own ? all.custom : []);
    return document === undefined ? undefined : cached({ ...all, made }, `openapi ${path}`, "application/json", () => document);
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

function openApiV2Answer(accept: string, all: Answering): ApiResponse {
  const vary = { vary: "Accept" };
  if (accept.includes(openApiV2Protobuf.accepted))
    return cached(all, "/openapi/v2 protobuf", openApiV2Protobuf.answered, () => openApiV2Bytes(all.custom), vary);
  return cached(all, "/openapi/v2", "application/json", () => openApiV2(all.custom), vary);
}

function cached(
  { request, made }: Answering,
  key: string,
  type: string,
  make: () => string | Buffer,
  headers: Record<string, string> = {},
): ApiResponse {
  let known = made.get(key);
  if (!known) {
    const content = make();
    const body = typeof content === "string" ? Buffer.from(content) : content;
    known = { body, etag: `"${createHash("sha512").update(body).digest("hex").toUpperCase()}"` };
    made.set(key, known);
  }
  const all = { ...headers, etag: known.etag, "cache-control": "public", "content-type": type };
  if (request.header("if-none-match") === known.etag) return { status: 304, headers: all, body: Buffer.alloc(0) };
  return json(200, known.body, all);
}
