import { jsonSyntaxProblem } from "../kubernetes/json-syntax.ts";
import { typedProblem } from "../kubernetes/managed-fields/typed-problem.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { decodeProtobuf } from "../kubernetes/protobuf/decode.ts";
import { protobufMediaType } from "../kubernetes/protobuf/messages.ts";
import { findRepeatedFields } from "../kubernetes/repeated-fields.ts";
import { apiVersionOf, type ResourceDefinition } from "../kubernetes/resources.ts";
import { goQuote } from "../kubernetes/schema/go-text.ts";
import { invalidStatus } from "../kubernetes/schema/invalid.ts";
import type { KindSchema } from "../kubernetes/schema/kind-schema.ts";
import { restoreProblem } from "../kubernetes/schema/restore-problem.ts";
import { StatusError, UnexplainedError } from "../kubernetes/status-error.ts";
import { goText } from "../kubernetes/strategic-merge-value.ts";
import type { Patch } from "./object-client.ts";
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
        `the object provided is unrecognized (must be of type ${kind}): provided data does not appear to be a protobuf message of a known kind`,
      );
    return { value, strictProblems: undefined };
  }
  const text = body.toString("utf8");
  if (media === "application/json" || media === "") {
    const value = parseJson(text, kind);
    return { value, strictProblems: validation === "Ignore" ? undefined : findRepeatedFields(text, value) };
  }
  if (media === "application/yaml" || media === "application/x-yaml" || media === "text/yaml") return parseYamlBody(text, kind);
  throw new StatusError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
  );
}

export function parseJson(text: string, kind: string): unknown {
  try {
    return shallow(JSON.parse(text), 0, kind);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw new StatusError(
      "BadRequest",
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${jsonSyntaxProblem(text)} (${excerpt(text)})`,
    );
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

/** The first bytes in the form in which Go's runtime quotes an unrecognized object. */
function excerpt(text: string): string {
  const limit = 64;
  return text.length > limit ? `${text.slice(0, limit)} ...` : text;
}

function shallow(value: unknown, depth: number, kind: string): unknown {
  if (depth > maxDepth)
    throw new StatusError("BadRequest", `the object provided is unrecognized (must be of type ${kind}): exceeded max depth`);
  if (typeof value !== "object" || value === null) return value;
  for (const child of Array.isArray(value) ? value : Object.values(value)) if (typeof child === "object") shallow(child, depth + 1, kind);
  return value;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

export interface Expected {
  readonly kind: string;
  readonly apiVersion: string;
  readonly schema: KindSchema | undefined;
  /** An apply configuration: only what it says, nothing that decoding would fill in. */
  readonly sparse?: boolean;
  /** The result of a strategic merge patch, which another reader turns into an object than the one of bodies. */
  readonly restored?: boolean;
  /** The answer to what cannot be read, where it is not that of a body. */
  readonly refuse?: (why: string) => StatusError;
}

export const expectedOf = (definition: ResourceDefinition, schema: KindSchema | undefined): Expected => ({
  kind: definition.kind,
  apiVersion: apiVersionOf(definition),
  schema,
});

/**
 * A parsed body as an object of the expected kind: kind and version right or filled in, types right, unknown fields refused, warned of or dropped.
 * The value is taken over and changed in place. `kind` and `apiVersion` come first. @throws StatusError `BadRequest`
 */
export function decodeObject(
  value: unknown,
  expected: Expected,
  validation: FieldValidation,
  warn: (text: string) => void,
  strictProblems?: StrictProblems,
): KubernetesObject {
  const { kind, apiVersion, schema } = expected;
  const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
  const refuse =
    expected.refuse ??
    ((why: string): StatusError =>
      new StatusError("BadRequest", `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`));
  if (!isRecord(value)) {
    const found = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
    throw refuse(
      `json: cannot unmarshal ${found} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    );
  }
  checkKind(value, expected, refuse);
  const { kind: _kind, apiVersion: _version, metadata, ...rest } = value;
  const object: Record<string, unknown> = { kind, apiVersion, metadata: metadata ?? {}, ...rest };
  if (expected.sparse && schema) checkTyped(schema, object, expected.apiVersion);
  const problem = expected.restored && schema ? restoreProblem(schema.node, object) : schema?.checkTypes(object);
  if (problem !== undefined) throw refuse(problem);
  if (validation !== "Ignore" && !expected.sparse) {
    const unknown = schema?.unknownFields(object) ?? [];
    const problems = strictProblems?.(unknown) ?? unknown;
    if (problems.length > 0 && validation === "Strict") throw refuse(`strict decoding error: ${problems.join(", ")}`);
    for (const problem of problems) warn(problem);
  }
  const untracked = isRecord(metadata) && Array.isArray(metadata.managedFields) && metadata.managedFields.length === 0;
  if (!expected.sparse) schema?.prune(object);
  if (!hasMetadata(object)) throw refuse("metadata is missing");
  // An empty list is not the same as none: it asks for the managers to be forgotten.
  if (untracked) object.metadata.managedFields = [];
  return object;
}

/** @throws UnexplainedError for what apply cannot read */
export function checkTyped({ node }: KindSchema, object: Readonly<Record<string, unknown>>, apiVersion: string): void {
  const problem = typedProblem(node, object);
  if (problem === undefined) return;
  const { name = "", namespace = "" } = isRecord(object.metadata) ? object.metadata : {};
  const gvk = `${apiVersion.includes("/") ? "" : "/"}${apiVersion}, Kind=${String(object.kind)}`;
  throw new UnexplainedError(`failed to create typed patch object (${String(namespace)}/${String(name)}; ${gvk}): ${problem}`);
}

/**
 * The result of a patch as an object. What is wrong with it is said of the patch: with the whole result for JSON and merge patches, with the
 * patch itself for strategic ones. @throws StatusError `Invalid`
 */
export function decodePatched(
  value: unknown,
  patch: Patch,
  expected: Expected,
  validation: FieldValidation,
  warn: (text: string) => void,
): KubernetesObject {
  const refuse = (why: string): StatusError => {
    const shown = patch.type === "strategic" ? goText(patch.body) : JSON.stringify(sorted(value));
    return invalidStatus("", "", "", [
      { reason: "FieldValueInvalid", field: "patch", message: `Invalid value: ${goQuote(shown)}: ${why}` },
    ]);
  };
  return decodeObject(value, { ...expected, refuse, restored: patch.type === "strategic" }, validation, warn);
}

/** In the order in which a Go map is written; metadata in that of its Go struct, what else is below the first level in its own. */
const sorted = (value: unknown): unknown =>
  isRecord(value)
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, field]) => [name, name === "metadata" && isRecord(field) ? metadataInOrder(field) : field]),
      )
    : value;

const metadataOrder = ["name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"];

function metadataInOrder(metadata: Record<string, unknown>): Record<string, unknown> {
  const first = metadataOrder.filter((name) => metadata[name] !== undefined).map((name) => [name, metadata[name]]);
  return { ...Object.fromEntries(first), ...metadata };
}

function hasMetadata(value: Record<string, unknown>): value is Record<string, unknown> & KubernetesObject {
  return isRecord(value.metadata);
}

function checkKind(value: Record<string, unknown>, expected: Expected, refuse: (why: string) => StatusError): void {
  const kind = typeof value.kind === "string" && value.kind !== "" ? value.kind : expected.kind;
  const apiVersion = typeof value.apiVersion === "string" && value.apiVersion !== "" ? value.apiVersion : expected.apiVersion;
  if (kind === expected.kind && apiVersion === expected.apiVersion) return;
  if (apiVersion !== expected.apiVersion)
    throw refuse(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:110"`,
    );
  const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
  const internal = apiVersion.includes("/") ? (apiVersion.split("/")[0]?.split(".")[0] ?? "") : "core";
  throw new StatusError(
    "BadRequest",
    `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${expected.kind}: converting (${version}.${kind}) to (${internal}.${expected.kind}): unknown conversion`,
  );
}
