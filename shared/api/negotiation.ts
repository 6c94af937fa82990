import { StatusError } from "../kubernetes/status-error.ts";

/** In which form the client wants objects. */
export type Form =
  | { readonly kind: "object" }
  | { readonly kind: "table"; readonly version: string; readonly include: "Metadata" | "Object" | "None" }
  | { readonly kind: "metadata"; readonly version: string };

export interface Negotiated {
  readonly form: Form;
  readonly yaml: boolean;
}

interface Accepted {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const known = new Set(["application/json", "application/yaml", "application/*", "*/*"]);
const plain: Negotiated = { form: { kind: "object" }, yaml: false };

function parseAccept(header: string): Accepted[] {
  return header.split(",").map((part) => {
    const [type = "", ...parameters] = part.trim().split(";");
    const pairs = parameters.map((parameter) => parameter.trim().split("=")).map(([name = "", value = ""]) => [name, value] as const);
    return { type: type.toLowerCase(), parameters: new Map(pairs) };
  });
}

const mediaTypes = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
const streamTypes = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";

/** What a route can answer with: collections also as a stream, and questions (access reviews, bindings) never as a table. */
export type Answers = "object" | "collection" | "review";

/** The first form in the Accept header that is served (apiserver's endpoints/handlers/negotiation). @throws StatusError `NotAcceptable`, `BadRequest` */
export function negotiate(accept: string | undefined, query: URLSearchParams, answers: Answers = "object"): Negotiated {
  if (accept === undefined || accept === "" || accept === "*/*" || accept === "application/json") return plain;
  let converts = false;
  for (const { type, parameters } of parseAccept(accept)) {
    if (!known.has(type)) continue;
    converts = true;
    const yaml = type === "application/yaml";
    const as = parameters.get("as");
    if (as === undefined) return yaml ? { form: { kind: "object" }, yaml } : plain;
    const [group, version = ""] = [parameters.get("g"), parameters.get("v")];
    if (group !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) continue;
    if (as === "Table" && answers !== "review")
      return { form: { kind: "table", version, include: parseInclude(query.get("includeObject")) }, yaml };
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return { form: { kind: "metadata", version }, yaml };
  }
  if (converts) throw new StatusError("NotAcceptable", `only the following media types are accepted: ${mediaTypes}`);
  const available = answers === "collection" ? `${mediaTypes}, ${streamTypes}` : mediaTypes;
  throw new StatusError("NotAcceptable", `406: Not Acceptable\n\nAvailable representations: ${available}`, {});
}

function parseInclude(value: string | null): "Metadata" | "Object" | "None" {
  if (value === null || value === "" || value === "Metadata") return "Metadata";
  if (value === "Object" || value === "None") return value;
  const message = `includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`;
  throw new StatusError("BadRequest", `Unable to convert to Table as requested: ${message}`);
}
