import { protobufMediaType } from "../kubernetes/protobuf/messages.ts";
import { StatusError } from "../kubernetes/status-error.ts";
import { type AcceptClause, parseAccept } from "./accept-header.ts";

/** In which form the client wants objects. */
export type Form =
  | { readonly kind: "object" }
  | { readonly kind: "table"; readonly version: string; readonly include: "Metadata" | "Object" | "None" }
  | { readonly kind: "metadata"; readonly version: string; readonly list: boolean };

export type Encoding = "json" | "yaml" | "protobuf";

export interface Negotiated {
  readonly form: Form;
  readonly encoding: Encoding;
  /** JSON over many lines, for people. */
  readonly pretty: boolean;
}

/** What decides about the form of an answer. */
export interface Asking {
  readonly request: { header(name: string): string | undefined };
  readonly info: { readonly query: URLSearchParams };
  readonly definition?: { readonly custom?: unknown };
}

/** What a route can answer with: a stream of events, questions (access reviews, bindings) never as a table, documents of discovery as they are; those of groups have no route of their own. */
export type Answers = "object" | "collection" | "stream" | "review" | "document" | "groups";

export const mediaTypeOf: Readonly<Record<Encoding, string>> = {
  json: "application/json",
  yaml: "application/yaml",
  protobuf: protobufMediaType,
};
const encodings: readonly Encoding[] = ["json", "yaml", "protobuf"];
const plain: Negotiated = { form: { kind: "object" }, encoding: "json", pretty: false };
const prettyPlain: Negotiated = { ...plain, pretty: true };

const mediaTypes = encodings.map((encoding) => mediaTypeOf[encoding]).join(", ");
const streamTypes = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

const notAcceptable = (accepted: string): StatusError =>
  new StatusError("NotAcceptable", `only the following media types are accepted: ${accepted}`);

/**
 * The form of the answer: the first that is served among those of the Accept header, as k8s.io/apiserver's endpoints/handlers/negotiation chooses.
 * @throws StatusError `NotAcceptable`, `BadRequest`
 */
export function negotiate({ request, info: { query }, definition }: Asking, answers: Answers = "object"): Negotiated {
  const accept = request.header("accept");
  const pretty = isPretty(query, request.header("user-agent"));
  if (accept === undefined || accept === "" || accept === "*/*" || accept === "application/json") return pretty ? prettyPlain : plain;
  const custom = definition?.custom !== undefined;
  if (!custom && answers !== "groups" && !isRouted(accept)) {
    const available = answers === "collection" || answers === "stream" ? `${mediaTypes}, ${streamTypes}` : mediaTypes;
    throw new StatusError("NotAcceptable", `406: Not Acceptable\n\nAvailable representations: ${available}`, {});
  }
  for (const clause of parseAccept(accept))
    for (const encoding of encodings) {
      if (!covers(clause, encoding)) continue;
      const form = formOf(clause, encoding, answers, custom, query);
      if (!form) continue;
      if (answers === "stream" && encoding === "yaml") throw notAcceptable(streamTypes);
      return { form, encoding, pretty: pretty || clause.parameters.get("pretty") === "1" };
    }
  throw notAcceptable(mediaTypes);
}

const routed = new Set<string>([...Object.values(mediaTypeOf), "*/*"]);

/** Routes of the built-in kinds are found by media types as they stand there, without their parameters (go-restful's `matchesAccept`). */
const isRouted = (accept: string): boolean =>
  accept.split(",").some((part) => routed.has(part.split(";")[0]?.replace(/^ +| +$/g, "") ?? ""));

/** Whether a route that knows JSON alone is found. */
export function takesJson(accept: string | undefined): boolean {
  if (accept === undefined || accept === "") return true;
  return accept.split(",").some((part) => ["*/*", mediaTypeOf.json].includes(part.split(";")[0]?.replace(/^ +| +$/g, "") ?? ""));
}

export const onlyJson = (): StatusError =>
  new StatusError("NotAcceptable", `406: Not Acceptable\n\nAvailable representations: ${mediaTypeOf.json}`, {});

/** The form of an error: that of objects, never converted. `undefined`: none of those asked for is served. */
export function negotiateError(request: Asking["request"], query: URLSearchParams): Omit<Negotiated, "form"> | undefined {
  const pretty = isPretty(query, request.header("user-agent"));
  const accept = request.header("accept");
  if (accept === undefined || accept === "") return { encoding: "json", pretty };
  for (const clause of parseAccept(accept)) {
    const { parameters } = clause;
    const isConverted = ["as", "g", "v", "sv"].some((name) => parameters.has(name));
    const encoding = isConverted ? undefined : encodings.find((each) => covers(clause, each) && streams(parameters, each));
    if (encoding) return { encoding, pretty: pretty || parameters.get("pretty") === "1" };
  }
  return undefined;
}

/** Whether JSON is to be written over many lines: asked for, or for one of the programs that show it to people. */
function isPretty(query: URLSearchParams, userAgent = ""): boolean {
  const asked = query.get("pretty") ?? "";
  if (asked !== "") return ["1", "t", "T", "true", "TRUE", "True"].includes(asked);
  return userAgent.startsWith("curl") || userAgent.startsWith("Wget") || userAgent.startsWith("Mozilla/5.0");
}

function covers({ type, subtype }: AcceptClause, encoding: Encoding): boolean {
  if (type === "*") return subtype === "*";
  return type === "application" && (subtype === "*" || `${type}/${subtype}` === mediaTypeOf[encoding]);
}

const streams = (parameters: ReadonlyMap<string, string>, encoding: Encoding): boolean => {
  const stream = parameters.get("stream");
  return stream === undefined || (stream === "watch" && encoding !== "yaml");
};

/** `undefined`: the clause asks for what this encoding cannot give. */
function formOf(
  { parameters }: AcceptClause,
  encoding: Encoding,
  answers: Answers,
  custom: boolean,
  query: URLSearchParams,
): Form | undefined {
  if (!streams(parameters, encoding) || (parameters.get("sv") ?? "v1") !== "v1") return undefined;
  const as = parameters.get("as");
  if (as === undefined && !parameters.has("g") && !parameters.has("v")) return custom && encoding === "protobuf" ? undefined : plain.form;
  if (answers === "document" || answers === "groups") return undefined;
  const version = parameters.get("v") ?? "";
  if (parameters.get("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) return undefined;
  if (as === "Table" && answers !== "review" && encoding !== "protobuf")
    return { kind: "table", version, include: parseInclude(query.get("includeObject")) };
  if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList")
    return { kind: "metadata", version, list: as === "PartialObjectMetadataList" };
  return undefined;
}

function parseInclude(value: string | null): "Metadata" | "Object" | "None" {
  if (value === null || value === "" || value === "Metadata") return "Metadata";
  if (value === "Object" || value === "None") return value;
  const message = `includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`;
  throw new StatusError("BadRequest", `Unable to convert to Table as requested: ${message}`);
}
