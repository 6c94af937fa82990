import { z } from "zod";
import { jsonSyntaxProblem } from "../kubernetes/json-syntax.ts";
import { goQuote, jsonTypeOf } from "../kubernetes/schema/go-text.ts";
import { invalidStatus } from "../kubernetes/schema/invalid.ts";
import { isStatus, type StatusCause, type StatusError, UnexplainedError } from "../kubernetes/status-error.ts";
import type { DeleteOptions } from "./object-client.ts";
import { type FieldValidation, parseBody } from "./parse-body.ts";
import { type ApiRequest, isTrue, parseInt64 } from "./request-info.ts";

type OptionsKind = "CreateOptions" | "UpdateOptions" | "PatchOptions" | "DeleteOptions";

const managerLimit = 128;
const invalid = (kind: OptionsKind, field: string, reason: string, message: string): StatusError =>
  invalidStatus(kind, "meta.k8s.io", "", [{ reason, field, message }]);

/** @throws StatusError `Invalid` */
export function parseDryRun(kind: OptionsKind, query: URLSearchParams): boolean {
  const values = query.getAll("dryRun").filter((value) => value !== "");
  if (values.some((value) => value !== "All")) {
    const list = values.map((value) => JSON.stringify(value)).join(", ");
    throw invalid(kind, "dryRun", "FieldValueNotSupported", `Unsupported value: []string{${list}}: supported values: "All"`);
  }
  return values.length > 0;
}

/** Default: Warn, as kube-apiserver since 1.25. @throws StatusError `Invalid` */
export function parseFieldValidation(kind: OptionsKind, query: URLSearchParams): FieldValidation {
  const value = query.get("fieldValidation") ?? "";
  if (value === "") return "Warn";
  if (value === "Ignore" || value === "Warn" || value === "Strict") return value;
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: "", "Ignore", "Strict", "Warn"`;
  throw invalid(kind, "fieldValidation", "FieldValueNotSupported", message);
}

/** What Go does not print: everything but letters, marks, numbers, punctuation, symbols and the ASCII space. */
const notPrinted = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;
const notPrintedOnes = new RegExp(notPrinted, "gu");

function* unprinted(manager: string): Iterable<StatusCause> {
  let at = 0;
  for (const character of manager) {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    if (notPrinted.test(character))
      yield {
        reason: "FieldValueInvalid",
        field: "fieldManager",
        message: `Invalid value: ${goQuote(manager)}: invalid character U+${code} (at position ${at})`,
      };
    at += Buffer.byteLength(character);
  }
}

/** Only an apply may be forced. @throws StatusError `Invalid` */
export function refuseForce(query: URLSearchParams): void {
  if ((query.get("force") ?? "") !== "")
    throw invalid("PatchOptions", "force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch");
}

/** The manager named in the query, else the user agent up to its first slash, as far as it is printed (`prefixFromUserAgent`). @throws StatusError `Invalid` */
export function parseFieldManager(kind: OptionsKind, query: URLSearchParams, userAgent: string | undefined): string {
  const named = query.get("fieldManager") ?? "";
  const problems: StatusCause[] = [];
  if (Buffer.byteLength(named) > managerLimit)
    problems.push({
      reason: "FieldValueTooLong",
      field: "fieldManager",
      message: `Too long: may not be more than ${managerLimit} bytes`,
    });
  if (notPrinted.test(named)) problems.push(...unprinted(named));
  if (problems.length > 0) throw invalidStatus(kind, "meta.k8s.io", "", problems);
  if (named !== "") return named;
  const agent = (userAgent ?? "").split("/")[0]?.replaceAll(notPrintedOnes, "") ?? "";
  return agent === "" ? "unknown" : agent.slice(0, managerLimit);
}

const policies = ["Orphan", "Background", "Foreground"] as const;
const deleteBody = z.object({
  gracePeriodSeconds: z.int().nullish(),
  propagationPolicy: z.string().nullish(),
  orphanDependents: z.boolean().nullish(),
  dryRun: z.array(z.string()).nullish(),
  preconditions: z.object({ uid: z.string().nullish(), resourceVersion: z.string().nullish() }).nullish(),
});

const deleteTypes: Readonly<Record<string, string>> = {
  gracePeriodSeconds: "int64",
  propagationPolicy: "v1.DeletionPropagation",
  orphanDependents: "bool",
  dryRun: "[]string",
  preconditions: "v1.Preconditions",
  "preconditions.uid": "types.UID",
};

/** What Go's decoder says of a field of another type than its own. */
function unreadable(given: unknown, path: readonly PropertyKey[]): StatusError {
  let value = given;
  for (const step of path) value = typeof value === "object" && value !== null ? Reflect.get(value, step) : undefined;
  const fields = path.filter((step) => typeof step === "string");
  const owner = fields.length > 1 ? "Preconditions" : "DeleteOptions";
  const type = (fields.length === path.length ? deleteTypes[fields.join(".")] : undefined) ?? "string";
  return new UnexplainedError(
    `json: cannot unmarshal ${jsonTypeOf(value)} into Go struct field ${owner}.${fields.join(".")} of type ${type}`,
  );
}

export interface ParsedDelete {
  readonly options: DeleteOptions;
  readonly dryRun: boolean;
  /** The options as they were given, but for `dryRun`. */
  readonly given: Readonly<Record<string, unknown>>;
}

/** `DeleteOptions` from the body, else from the query. @throws StatusError `BadRequest`, `Invalid` */
export async function parseDelete(request: ApiRequest, query: URLSearchParams, limit: number): Promise<ParsedDelete> {
  const body = await request.body(limit);
  const given = body.length > 0 ? parseDeleteBody(body, request.header("content-type")) : fromQuery(query);
  const parsed = deleteBody.safeParse(given ?? {});
  if (!parsed.success) throw unreadable(given, parsed.error.issues[0]?.path ?? []);
  const { dryRun, ...asked } = parsed.data;
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions } = asked;
  if (orphanDependents != null && propagationPolicy != null) {
    const message = `Invalid value: ${JSON.stringify(propagationPolicy)}: orphanDependents and deletionPropagation cannot be both set`;
    throw invalid("DeleteOptions", "propagationPolicy", "FieldValueInvalid", message);
  }
  const policy = policies.find((known) => known === propagationPolicy);
  if (propagationPolicy != null && !policy) {
    const message = `Unsupported value: ${JSON.stringify(propagationPolicy)}: supported values: "Foreground", "Background", "Orphan", "nil"`;
    throw invalid("DeleteOptions", "propagationPolicy", "FieldValueNotSupported", message);
  }
  if (dryRun?.some((value) => value !== "All")) {
    const list = dryRun.map((value) => JSON.stringify(value)).join(", ");
    throw invalid("DeleteOptions", "dryRun", "FieldValueNotSupported", `Unsupported value: []string{${list}}: supported values: "All"`);
  }
  const orphan = orphanDependents == null ? undefined : orphanDependents ? "Orphan" : "Background";
  const propagation = policy ?? orphan;
  return {
    given: Object.fromEntries(Object.entries(asked).filter(([, value]) => value != null)),
    dryRun: parseDryRun("DeleteOptions", query) || (dryRun?.length ?? 0) > 0,
    options: {
      ...(preconditions?.uid != null && { uid: preconditions.uid }),
      ...(preconditions?.resourceVersion != null && { resourceVersion: preconditions.resourceVersion }),
      // Less than nothing is the shortest time there is.
      ...(gracePeriodSeconds != null && { gracePeriodSeconds: gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds }),
      ...(propagation && { propagationPolicy: propagation }),
    },
  };
}

/** The body of a deletion; what cannot be read is an error without a reason. */
function parseDeleteBody(body: Buffer, contentType: string | undefined): unknown {
  let value: unknown;
  try {
    value = parseBody(body, contentType, "DeleteOptions");
  } catch (error) {
    if (isStatus(error) && error.message.includes("couldn't get version/kind"))
      throw new UnexplainedError(`couldn't get version/kind; json parse error: ${jsonSyntaxProblem(body.toString("utf8"))}`);
    throw error;
  }
  const { kind, apiVersion } = (value ?? {}) as { kind?: unknown; apiVersion?: unknown };
  if (typeof kind === "string" && kind !== "" && kind !== "DeleteOptions")
    throw new UnexplainedError(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion ?? "meta.k8s.io/v1")} in scheme "pkg/runtime/scheme.go:110"`,
    );
  return value;
}

function fromQuery(query: URLSearchParams): object {
  const grace = query.get("gracePeriodSeconds");
  const orphan = query.get("orphanDependents");
  return {
    ...(grace !== null && { gracePeriodSeconds: parseInt64(grace) }),
    ...(query.get("propagationPolicy") !== null && { propagationPolicy: query.get("propagationPolicy") }),
    ...(orphan !== null && { orphanDependents: isTrue(orphan) }),
  };
}
