import { typedProblem } from "../kubernetes/managed-fields/typed-problem.ts";
import type { KubernetesObject } from "../kubernetes/object.ts";
import { internalGroup, isRegisteredKind } from "../kubernetes/registered-kinds.ts";
import { apiVersionOf, type ResourceDefinition } from "../kubernetes/resources.ts";
import { invalid } from "../kubernetes/schema/field-error.ts";
import { invalidStatus } from "../kubernetes/schema/invalid.ts";
import type { KindSchema } from "../kubernetes/schema/kind-schema.ts";
import { restoreProblem } from "../kubernetes/schema/restore-problem.ts";
import { isJsonObject } from "../kubernetes/schema/schema-node.ts";
import { type StatusCause, StatusError, UnexplainedError } from "../kubernetes/status-error.ts";
import { envelopeProblem, type FieldValidation, type StrictProblems } from "./parse-body.ts";

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
  if (!isJsonObject(value)) throw refuse(envelopeProblem(value) ?? "");
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
  const untracked = isJsonObject(metadata) && Array.isArray(metadata.managedFields) && metadata.managedFields.length === 0;
  if (!expected.sparse) schema?.prune(object);
  if (!hasMetadata(object)) throw refuse("metadata is missing");
  // An empty list is not the same as none: it asks for the managers to be forgotten.
  if (untracked) object.metadata.managedFields = [];
  return object;
}

/** A body that is not of the kind that it should be, in apiserver's words (`transformDecodeError`). */
function unlike(value: unknown, expected: Expected, why: string): StatusError {
  const { kind, apiVersion } = gvkOf(isJsonObject(value) ? value : {}, expected);
  return new StatusError(
    "BadRequest",
    `${kind} in version ${JSON.stringify(versionOf(apiVersion))} cannot be handled as a ${expected.kind}: ${why}`,
  );
}

/** @throws UnexplainedError for what apply cannot read */
export function checkTyped({ node }: KindSchema, object: Readonly<Record<string, unknown>>, apiVersion: string): void {
  const problem = typedProblem(node, object);
  if (problem === undefined) return;
  const { name = "", namespace = "" } = isJsonObject(object.metadata) ? object.metadata : {};
  const gvk = `${apiVersion.includes("/") ? "" : "/"}${apiVersion}, Kind=${String(object.kind)}`;
  throw new UnexplainedError(`failed to create typed patch object (${String(namespace)}/${String(name)}; ${gvk}): ${problem}`);
}

function hasMetadata(value: Record<string, unknown>): value is Record<string, unknown> & KubernetesObject {
  return isJsonObject(value.metadata);
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
  const { name = "" } = isJsonObject(metadata) ? metadata : {};
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
