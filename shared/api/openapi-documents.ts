import { openApiIndex, openApiV2, openApiV2Bytes, openApiV3, openApiV3Bytes } from "../kubernetes/openapi.ts";
import type { ResourceDefinition } from "../kubernetes/resources.ts";
import { parseAccept } from "./accept-header.ts";
import { cachedDocument, type MadeDocument } from "./custom-documents.ts";
import { type ApiRequest, parseQuery } from "./request-info.ts";
import { type ApiResponse, json } from "./response.ts";

type Form = "json" | "protobuf";
type Made = Map<string, MadeDocument>;

/** The first form of the Accept header that there is, as kube-openapi's handlers choose; protocol buffers go by two names. */
function formAsked(request: ApiRequest, version: "v2" | "v3"): Form | undefined {
  const names: [string, Form][] = [
    ["json", "json"],
    [`com.github.proto-openapi.spec.${version}.v1.0+protobuf`, "protobuf"],
    [`com.github.proto-openapi.spec.${version}@v1.0+protobuf`, "protobuf"],
  ];
  for (const { type, subtype } of parseAccept(request.header("accept") || "*/*")) {
    if (type !== "application" && type !== "*") continue;
    const found = names.find(([name]) => subtype === "*" || subtype === name);
    if (found) return found[1];
  }
  return undefined;
}

const typeOf = (form: Form, version: "v2" | "v3"): string =>
  form === "json" ? "application/json" : `application/com.github.proto-openapi.spec.${version}.v1.0+protobuf`;

const vary = { vary: "Accept" };
const notAcceptable: ApiResponse = { status: 406, headers: vary, body: Buffer.alloc(0) };

/** As kube-aggregator answers it: as a text that nobody may keep. */
export function openApiIndexAnswer(made: Made, custom: readonly ResourceDefinition[]): ApiResponse {
  const { body } = cachedDocument(made, "/openapi/v3", () => openApiIndex(custom));
  return json(200, body, { "content-type": "text/plain; charset=utf-8" });
}

export function openApiV2Answer(request: ApiRequest, made: Made, custom: readonly ResourceDefinition[]): ApiResponse {
  const form = formAsked(request, "v2");
  if (!form) return notAcceptable;
  const make = form === "json" ? openApiV2 : openApiV2Bytes;
  const document = cachedDocument(made, `/openapi/v2 ${form}`, () => make(custom));
  return answer(request, document, { ...vary, "content-type": typeOf(form, "v2") });
}

const year = 365 * 24 * 3600 * 1000;

/** The document of a group version; `undefined`: there is none. Asked for by its hash it may be kept for ever, and by another hash is found elsewhere. */
export function openApiV3Answer(
  path: string,
  request: ApiRequest,
  made: Made,
  custom: readonly ResourceDefinition[],
  nowMs: number,
): ApiResponse | undefined {
  const key = `openapi ${path}`;
  const content = made.has(key) ? "" : openApiV3(path, custom);
  if (content === undefined) return undefined;
  const plain = cachedDocument(made, key, () => content);
  const form = formAsked(request, "v3");
  if (!form) return notAcceptable;
  const { etag } = plain;
  const hash = parseQuery(request.url).get("hash") ?? "";
  if (hash !== "" && hash !== etag) {
    const location = `${request.root ?? ""}/openapi/v3/${path}?hash=${etag}`;
    return { status: 301, headers: { ...vary, location, "content-type": typeOf(form, "v3"), etag: `"${etag}"` }, body: Buffer.alloc(0) };
  }
  const kept = hash !== "" && { "cache-control": "public, immutable", expires: new Date(nowMs + year).toUTCString().replace("GMT", "UTC") };
  const document = form === "json" ? plain : cachedDocument(made, `${key} protobuf`, () => openApiV3Bytes(plain.body.toString()), etag);
  return answer(request, document, { ...vary, ...kept, "content-type": typeOf(form, "v3") });
}

function answer(request: ApiRequest, { body, etag }: MadeDocument, headers: Record<string, string>): ApiResponse {
  const all = { ...headers, etag: `"${etag}"` };
  if (request.header("if-none-match") === all.etag) return { status: 304, headers: all, body: Buffer.alloc(0) };
  return json(200, body, all);
}
