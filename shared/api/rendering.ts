import { stringify } from "yaml";
import type { Typed } from "../kubernetes/protobuf/encode.ts";
import { protobufDocument } from "../kubernetes/protobuf/envelope.ts";
import type { StatusError } from "../kubernetes/status-error.ts";
import { type Encoding, mediaTypeOf, type Negotiated, negotiateError } from "./negotiation.ts";
import { type ApiRequest, parseQuery } from "./request-info.ts";
import { type ApiResponse, json, statusBody } from "./response.ts";

type Rendering = Omit<Negotiated, "form">;
const asYaml = (value: unknown): Buffer =>
  Buffer.from(stringify(value, { sortMapEntries: true, indentSeq: false, lineWidth: 0, version: "1.1" }));
const indented = (value: unknown): string => JSON.stringify(value, null, 2);

/** An answer of whole buffers that an encoder made: protocol buffers as they are, YAML and JSON for people from the JSON on the way out. */
export function respond(
  status: number,
  chunks: readonly Buffer[],
  { encoding, pretty }: Rendering,
  headers?: Readonly<Record<string, string>>,
): ApiResponse {
  if (encoding === "json" && !pretty) return json(status, chunks, headers);
  const all = { ...headers, "content-type": mediaTypeOf[encoding] };
  if (encoding === "protobuf") return json(status, chunks, all);
  const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  return json(status, encoding === "yaml" ? asYaml(value) : Buffer.from(indented(value)), all);
}

/** A document in a form, where its kind has one. */
export function rendered(value: Typed, encoding: Encoding): Buffer {
  const inProtobuf = encoding === "protobuf" ? protobufDocument(value) : undefined;
  return inProtobuf ?? (encoding === "yaml" ? asYaml(value) : Buffer.from(JSON.stringify(value)));
}

/** An answer that is made for this request alone. */
export function respondWith<T extends Typed>(
  status: number,
  value: T,
  negotiated: Rendering,
  headers?: Readonly<Record<string, string>>,
): ApiResponse {
  const inProtobuf = negotiated.encoding === "protobuf" ? protobufDocument(value) : undefined;
  if (inProtobuf) return respond(status, [inProtobuf], negotiated, headers);
  const { encoding, pretty } = negotiated;
  return respond(
    status,
    [Buffer.from(`${JSON.stringify(value)}\n`)],
    { encoding: encoding === "protobuf" ? "json" : encoding, pretty },
    headers,
  );
}

/** The error as it leaves the cluster API, in a form that the client takes, else in JSON as kube-apiserver writes it then. */
export function failure(error: StatusError, request: Pick<ApiRequest, "url" | "header">): ApiResponse {
  const retry = error.details?.retryAfterSeconds;
  const headers = retry === undefined ? undefined : { "retry-after": String(retry) };
  const negotiated = negotiateError(request, parseQuery(request.url));
  if (!negotiated) return json(error.code, Buffer.from(indented(statusBody(error))), headers);
  return respondWith(error.code, statusBody(error), negotiated, headers);
}
