import { jsonSyntaxProblem } from "../kubernetes/json-syntax.ts";
import { decodeProtobuf } from "../kubernetes/protobuf/decode.ts";
import { magic, protobufMediaType } from "../kubernetes/protobuf/messages.ts";
import { findRepeatedFields } from "../kubernetes/repeated-fields.ts";
import { jsonTypeOf } from "../kubernetes/schema/go-text.ts";
import { isJsonObject } from "../kubernetes/schema/schema-node.ts";
import { StatusError } from "../kubernetes/status-error.ts";
import { parseYamlText } from "./yaml-text.ts";

export type FieldValidation = "Ignore" | "Warn" | "Strict";

export const bodyLimit = 3 * 1024 * 1024;
/** Deeper JSON than this is refused, as Go's decoder and etcd's clients do long before. */
const maxDepth = 200;

const accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

export interface ParsedBody {
  readonly value: unknown;
  /** What a strict decoder has against the text, beside the unknown fields that a schema finds in the value. */
  readonly strictProblems: StrictProblems | undefined;
}

/** Joins unknown fields and what else is wrong with the text, in the order in which Kubernetes' decoder reports them. */
export type StrictProblems = (unknown: readonly string[]) => string[];

/** The body as a JSON value. @throws StatusError `UnsupportedMediaType`, `BadRequest` */
export function parseBody(body: Buffer, contentType: string | undefined, kind: string): unknown {
  return parseStrictly(body, contentType, kind, "Ignore").value;
}

/** The same, with what a lenient parser passes over unless it is to be ignored. @throws StatusError `UnsupportedMediaType`, `BadRequest` */
export function parseStrictly(body: Buffer, contentType: string | undefined, kind: string, validation: FieldValidation): ParsedBody {
  const media = (contentType ?? "application/json").split(";")[0]?.trim().toLowerCase() ?? "";
  if (media === protobufMediaType) {
    const value = decodeProtobuf(body);
    if (value === undefined)
      throw new StatusError(
        "BadRequest",
        `the object provided is unrecognized (must be of type ${kind}): ${protobufProblem(body)} (${excerpt(body.toString("utf8"))})`,
      );
    return { value, strictProblems: undefined };
  }
  const text = body.toString("utf8");
  if (media === "application/json" || media === "") {
    const value = checkEnvelope(parseJson(text, kind), text, kind);
    return { value, strictProblems: validation === "Ignore" ? undefined : findRepeatedFields(text, value) };
  }
  if (media === "application/yaml") {
    const parsed = parseYamlBody(text, kind);
    checkEnvelope(parsed.value, text, kind);
    return parsed;
  }
  throw new StatusError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
  );
}

/** In the words of Kubernetes' reader; of what lies inside it says more. */
const protobufProblem = (body: Buffer): string =>
  body.subarray(0, magic.length).equals(magic)
    ? "provided data does not appear to be a protobuf message of a known kind"
    : `provided data does not appear to be a protobuf message, expected prefix [${[...magic].join(" ")}]`;

export function parseJson(text: string, kind: string): unknown {
  try {
    return shallow(JSON.parse(text), 0, kind);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw unrecognized(kind, `couldn't get version/kind; json parse error: ${jsonSyntaxProblem(text)}`, text);
  }
}

export function parseYamlBody(text: string, kind: string): ParsedBody {
  try {
    const repeated: string[] = [];
    const value = shallow(
      parseYamlText(text, (problem) => repeated.push(`  ${problem}`)),
      0,
      kind,
    );
    const problem = ["yaml: unmarshal errors:", ...repeated].join("\n");
    return { value, strictProblems: repeated.length === 0 ? undefined : (unknown) => [problem, ...unknown] };
  } catch (error) {
    if (error instanceof StatusError) throw error;
    const message = error instanceof Error ? (error.message.split("\n")[0] ?? "") : "";
    throw new StatusError("BadRequest", `error converting YAML to JSON: yaml: ${message}`);
  }
}

const unrecognized = (kind: string, why: string, text: string): StatusError =>
  new StatusError("BadRequest", `the object provided is unrecognized (must be of type ${kind}): ${why} (${excerpt(text)})`);

function checkEnvelope(value: unknown, text: string, kind: string): unknown {
  const problem = envelopeProblem(value);
  if (problem !== undefined) throw unrecognized(kind, problem, text);
  return value;
}

/** The first bytes as Go's runtime shows an unrecognized body (`summarizeData`): in hex unless it begins like an object. */
function excerpt(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length === 0) return "<empty>";
  const first = bytes.subarray(0, 30).toString(text.startsWith("{") ? "utf8" : "hex");
  return bytes.length > 30 ? `${first} ...` : first;
}

function shallow(value: unknown, depth: number, kind: string): unknown {
  if (depth > maxDepth)
    throw new StatusError("BadRequest", `the object provided is unrecognized (must be of type ${kind}): exceeded max depth`);
  if (typeof value !== "object" || value === null) return value;
  for (const child of Array.isArray(value) ? value : Object.values(value)) if (typeof child === "object") shallow(child, depth + 1, kind);
  return value;
}

/** What keeps kind and version from being read. */
export function envelopeProblem(value: unknown): string | undefined {
  const found = `couldn't get version/kind; json parse error: json: cannot unmarshal`;
  if (value === null) return undefined;
  if (!isJsonObject(value)) return `${found} ${jsonTypeOf(value)} into Go value of type ${envelopeType}`;
  for (const field of ["apiVersion", "kind"]) {
    const part = value[field];
    if (part !== undefined && part !== null && typeof part !== "string")
      return `${found} ${jsonTypeOf(part)} into Go struct field .${field} of type string`;
  }
  const { apiVersion } = value;
  if (typeof apiVersion === "string" && apiVersion.split("/").length > 2) return `unexpected GroupVersion string: ${apiVersion}`;
  return undefined;
}

const envelopeType = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
