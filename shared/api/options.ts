import { z } from "zod";
import { invalidStatus } from "../kubernetes/schema/invalid.ts";
import { StatusError } from "../kubernetes/status-error.ts";
import { type FieldValidation, parseBody } from "./decode.ts";
import type { DeleteOptions } from "./object-client.ts";
import type { ApiRequest } from "./request-info.ts";

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

/** The manager named in the query, else the user agent up to its first slash. @throws StatusError `Invalid` */
export function parseFieldManager(kind: OptionsKind, query: URLSearchParams, userAgent: string | undefined): string {
  const named = query.get("fieldManager") ?? "";
  if (named.length > managerLimit)
    throw invalid(kind, "fieldManager", "FieldValueTooLong", `Too long: may not be more than ${managerLimit} bytes`);
  if (named !== "") return named;
  return (userAgent ?? "").split("/")[0]?.slice(0, managerLimit) ?? "";
}

const policies = ["Orphan", "Background", "Foreground"] as const;
const deleteBody = z.object({
  gracePeriodSeconds: z.int().nullish(),
  propagationPolicy: z.string().nullish(),
  orphanDependents: z.boolean().nullish(),
  dryRun: z.array(z.string()).nullish(),
  preconditions: z.object({ uid: z.string().nullish(), resourceVersion: z.string().nullish() }).nullish(),
});

export interface ParsedDelete {
  readonly options: DeleteOptions;
  readonly dryRun: boolean;
}

/** `DeleteOptions` from the body, else from the query. @throws StatusError `BadRequest`, `Invalid` */
export async function parseDelete(request: ApiRequest, query: URLSearchParams, limit: number): Promise<ParsedDelete> {
  const body = await request.body(limit);
  const given = body.length > 0 ? parseBody(body, request.header("content-type"), "DeleteOptions") : fromQuery(query);
  const parsed = deleteBody.safeParse(given ?? {});
  if (!parsed.success)
    throw new StatusError(
      "BadRequest",
      `DeleteOptions in version "v1" cannot be handled as a DeleteOptions: ${parsed.error.issues[0]?.message ?? ""}`,
    );
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, dryRun, preconditions } = parsed.data;
  if (gracePeriodSeconds != null && gracePeriodSeconds < 0 && gracePeriodSeconds !== -1) {
    throw invalid(
      "DeleteOptions",
      "gracePeriodSeconds",
      "FieldValueInvalid",
      `Invalid value: ${gracePeriodSeconds}: must be greater than or equal to 0`,
    );
  }
  const policy = policies.find((known) => known === propagationPolicy);
  if (propagationPolicy != null && propagationPolicy !== "" && !policy) {
    const message = `Unsupported value: ${JSON.stringify(propagationPolicy)}: supported values: "Background", "Foreground", "Orphan", "nil"`;
    throw invalid("DeleteOptions", "propagationPolicy", "FieldValueInvalid", message);
  }
  if (dryRun?.some((value) => value !== "All")) {
    const list = dryRun.map((value) => JSON.stringify(value)).join(", ");
    throw invalid("DeleteOptions", "dryRun", "FieldValueNotSupported", `Unsupported value: []string{${list}}: supported values: "All"`);
  }
  const orphan = orphanDependents == null ? undefined : orphanDependents ? "Orphan" : "Background";
  const propagation = policy ?? orphan;
  return {
    dryRun: parseDryRun("DeleteOptions", query) || (dryRun?.length ?? 0) > 0,
    options: {
      ...(preconditions?.uid != null && { uid: preconditions.uid }),
      ...(preconditions?.resourceVersion != null && { resourceVersion: preconditions.resourceVersion }),
      ...(gracePeriodSeconds != null && { gracePeriodSeconds }),
      ...(propagation && { propagationPolicy: propagation }),
    },
  };
}

function fromQuery(query: URLSearchParams): object {
  const grace = query.get("gracePeriodSeconds");
  const orphan = query.get("orphanDependents");
  if (grace !== null && !/^-?\d+$/.test(grace))
    throw new StatusError("BadRequest", `strconv.ParseInt: parsing ${JSON.stringify(grace)}: invalid syntax`);
  return {
    ...(grace !== null && { gracePeriodSeconds: Number(grace) }),
    ...(query.get("propagationPolicy") !== null && { propagationPolicy: query.get("propagationPolicy") }),
    ...(orphan !== null && { orphanDependents: orphan === "true" || orphan === "1" }),
  };
}
