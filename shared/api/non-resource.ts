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
import { builtinResources } from "../kubernetes/resources.ts";
import type { ApiRequest } from "./request-info.ts";
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

/** Documents that depend on nothing but the served resources: made once, answered from memory. */
export class Documents {
  readonly #made = new Map<string, { readonly body: Buffer; readonly etag: string }>();
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
  answer(path: string, request: ApiRequest): ApiResponse | undefined {
    const accept = request.header("accept") ?? "";
    const clean = path.endsWith("/") && path.length > 1 ? path.slice(0, -1) : path;
    if (clean === "/api" || clean === "/apis") return this.#discovery(clean, accept, request);
    if (clean === "/openapi/v3") return this.#cached(request, clean, "application/json", () => openApiIndex());
    if (clean === "/openapi/v2") return this.#openApiV2(accept, request);
    const parts = clean.split("/");
    if (parts[1] === "openapi" && parts[2] === "v3") return this.#openApiV3(parts, request);
    if (parts[1] === "api" && parts.length === 3) return this.#list("", parts[2] ?? "", request);
    if (parts[1] === "apis" && parts.length === 3) {
      const group = apiGroupDocument(builtinResources(), parts[2] ?? "");
      return group && this.#cached(request, clean, "application/json", () => `${JSON.stringify(group)}\n`);
    }
    if (parts[1] === "apis" && parts.length === 4) return this.#list(parts[2] ?? "", parts[3] ?? "", request);
    return undefined;
  }

  #discovery(path: "/api" | "/apis", accept: string, request: ApiRequest): ApiResponse {
    const resources = builtinResources();
    const scope = path === "/api" ? "core" : "groups";
    for (const version of ["v2", "v2beta1"] as const) {
      if (!accept.includes("as=APIGroupDiscoveryList") || !new RegExp(`v=${version}(?![a-z0-9])`).test(accept)) continue;
      return this.#cached(
        request,
        `${path} ${version}`,
        aggregatedMediaType(version),
        () => JSON.stringify(aggregatedDocument(resources, scope, version)),
        { vary: "Accept" },
      );
    }
    return this.#cached(
      request,
      path,
      "application/json",
      () => JSON.stringify(path === "/api" ? apiVersionsDocument(this.#serverAddress) : apiGroupListDocument(resources)),
      { vary: "Accept" },
    );
  }

  #list(group: string, version: string, request: ApiRequest): ApiResponse | undefined {
    const list = apiResourceListDocument(builtinResources(), group, version);
    return list && this.#cached(request, `list ${group}/${version}`, "application/json", () => `${JSON.stringify(list)}\n`);
  }

  #openApiV2(accept: string, request: ApiRequest): ApiResponse {
    const vary = { vary: "Accept" };
    if (accept.includes(openApiV2Protobuf.accepted)) {
      return this.#cached(request, "/openapi/v2 protobuf", openApiV2Protobuf.answered, () => openApiV2Bytes(), vary);
    }
    return this.#cached(request, "/openapi/v2", "application/json", () => openApiV2(), vary);
  }

  #openApiV3(parts: readonly string[], request: ApiRequest): ApiResponse | undefined {
    const path = parts.slice(3).join("/");
    const made = this.#made.get(`openapi ${path}`) ? "" : openApiV3(path);
    return made === undefined ? undefined : this.#cached(request, `openapi ${path}`, "application/json", () => made);
  }

  #cached(request: ApiRequest, key: string, type: string, make: () => string | Buffer, headers: Record<string, string> = {}): ApiResponse {
    let known = this.#made.get(key);
    if (!known) {
      const made = make();
      const body = typeof made === "string" ? Buffer.from(made) : made;
      known = { body, etag: `"${createHash("sha512").update(body).digest("hex").toUpperCase()}"` };
      this.#made.set(key, known);
    }
    const all = { ...headers, etag: known.etag, "cache-control": "public", "content-type": type };
    if (request.header("if-none-match") === known.etag) return { status: 304, headers: all, body: Buffer.alloc(0) };
    return json(200, known.body, all);
  }
}
