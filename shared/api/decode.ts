import { unknownPatchFields } from "../kubernetes/json-patch.ts";
import { jsonSyntaxProblem } from "../kubernetes/json-syntax.ts";
import { typedProblem } from "../kubernetes/managed-fields/typed-problem.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { decodeProtobuf } from "../kubernetes/protobuf/decode.ts";
import { magic, protobufMediaType } from "../kubernetes/protobuf/messages.ts";
import { internalGroup, isRegisteredKind } from "../kubernetes/registered-kinds.ts";
import { findRepeatedFields } from "../kubernetes/repeated-fields.ts";
import { apiVersionOf, type ResourceDefinition } from "../kubernetes/resources.ts";
import { invalid } from "../kubernetes/schema/field-error.ts";
import { goQuote } from "../kubernetes/schema/go-text.ts";
import { invalidStatus } from "../kubernetes/schema/invalid.ts";
import type { KindSchema } from "../kubernetes/schema/kind-schema.ts";
import { restoreProblem } from "../kubernetes/schema/restore-problem.ts";
import { type StatusCause, StatusError, UnexplainedError } from "../kubernetes/status-error.ts";
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

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

export interface Expected {
  readonly kind: string;
  readonly apiVersion: string;
  readonly schema: KindSchema | undefined;
  /** Of a custom resource: its decoder takes every kind and version, and later finds that they are not those. */
  readonly custom?: boolean;
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
  ...(definition.custom && { custom: true }),
});

/**
 * A parsed body as an object of the expected kind: kind and version right or filled in, types right, unknown fields refused, warned of or dropped.
 * The value is taken over and changed in place. `kind` and `apiVersion` come first. @throws StatusError `BadRequest`
 */
export function decodeObject(
  given: unknown,
  expected: Expected,
  validation: FieldValidation,
  warn: (text: string) => void,
  strictProblems?: StrictProblems,
): KubernetesObject {
  const { kind, apiVersion, schema } = expected;
  const value = given ?? {};
  const refuse = expected.refuse ?? ((why: string): StatusError => unlike(value, expected, why));
  if (!isRecord(value)) throw refuse(envelopeProblem(value) ?? "");
  if (expected.refuse && !expected.restored) {
    const problem = envelopeProblem(value);
    if (problem !== undefined) throw refuse(problem);
  }
  if (expected.custom) checkCustomKind(value, expected, expected.refuse !== undefined);
  else if (!expected.restored) checkKind(value, expected, refuse);
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

/** A body that is not of the kind that it should be, in apiserver's words (`transformDecodeError`). */
function unlike(value: unknown, expected: Expected, why: string): StatusError {
  const { kind, apiVersion } = gvkOf(isRecord(value) ? value : {}, expected);
  return new StatusError(
    "BadRequest",
    `${kind} in version ${JSON.stringify(versionOf(apiVersion))} cannot be handled as a ${expected.kind}: ${why}`,
  );
}

/** What keeps kind and version from being read. */
function envelopeProblem(value: unknown): string | undefined {
  const found = `couldn't get version/kind; json parse error: json: cannot unmarshal`;
  if (value === null) return undefined;
  if (!isRecord(value)) return `${found} ${jsonTypeOf(value)} into Go value of type ${envelopeType}`;
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

const jsonTypeOf = (value: unknown): string => (Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value);

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
  const ofPatch = patch.type === "json" ? unknownPatchFields(patch.body) : [];
  const strict = (unknown: readonly string[]): string[] => [...ofPatch, ...inOrder(unknown)];
  return decodeObject(value, { ...expected, refuse, restored: patch.type === "strategic" }, validation, warn, strict);
}

/** A patched object is read as Go has written it: its fields in the order of their names. */
const inOrder = (unknown: readonly string[]): string[] => [...unknown].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));

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
  const { kind, apiVersion } = gvkOf(value, expected);
  if (kind === expected.kind && apiVersion === expected.apiVersion) return;
  if (!isRegisteredKind(apiVersion, kind)) {
    const why = `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:110"`;
    throw refuse(why);
  }
  const group = internalGroup(expected.apiVersion, expected.kind);
  if (kind === expected.kind && internalGroup(apiVersion, kind) === group) {
    if (expected.refuse) return;
    throw new StatusError(
      "BadRequest",
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected.apiVersion})`,
    );
  }
  const internal = group === "" ? "core" : (group.split(".")[0] ?? "");
  throw refuse(`converting (${versionOf(apiVersion)}.${kind}) to (${internal}.${expected.kind}): unknown conversion`);
}

/** apiextensions-apiserver: a body of another version is not accepted; else its validator says what kind and version must be. */
function checkCustomKind(value: Record<string, unknown>, expected: Expected, patched: boolean): void {
  const { kind = "", apiVersion = "", metadata } = value;
  if (!patched && apiVersion !== expected.apiVersion) {
    const text = `the API version in the data (${String(apiVersion)}) does not match the expected API version (${expected.apiVersion})`;
    throw new StatusError("BadRequest", text);
  }
  const problems: StatusCause[] = [];
  if (kind !== expected.kind) problems.push(invalid("kind", String(kind), `must be ${expected.kind}`));
  if (apiVersion !== expected.apiVersion) problems.push(invalid("apiVersion", String(apiVersion), `must be ${expected.apiVersion}`));
  if (problems.length === 0) return;
  const { name = "" } = isRecord(metadata) ? metadata : {};
  throw invalidStatus(String(kind), String(apiVersion).split("/").slice(0, -1).join("/"), String(name), problems);
}

/** Kind and version of a value, which has what the request expects where it does not say. */
function gvkOf(
  value: Readonly<Record<string, unknown>>,
  expected: Pick<Expected, "kind" | "apiVersion">,
): { kind: string; apiVersion: string } {
  const { kind, apiVersion } = value;
  return {
    kind: typeof kind === "string" && kind !== "" ? kind : expected.kind,
    apiVersion: typeof apiVersion === "string" && apiVersion !== "" ? apiVersion : expected.apiVersion,
  };
}

const versionOf = (apiVersion: string): string => apiVersion.slice(apiVersion.indexOf("/") + 1);
