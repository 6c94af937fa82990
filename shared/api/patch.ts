import { cloneJson } from "../kubernetes/clone.ts";
import { applyJsonPatch } from "../kubernetes/json-patch.ts";
import { jsonSyntaxProblem } from "../kubernetes/json-syntax.ts";
import { applyMergePatch } from "../kubernetes/merge-patch.ts";
import { jsonTypeOf } from "../kubernetes/schema/go-text.ts";
import type { KindSchema } from "../kubernetes/schema/kind-schema.ts";
import { isJsonObject } from "../kubernetes/schema/schema-node.ts";
import { isStatus, StatusError } from "../kubernetes/status-error.ts";
import { applyStrategicMergePatch } from "../kubernetes/strategic-merge-patch.ts";
import type { Patch } from "./object-client.ts";
import { parseJson } from "./parse-body.ts";

const mediaTypes = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
} as const;

/** A PATCH body by its media type. `strategic` says whether the kind supports it (custom resources do not). */
export function parsePatch(body: Buffer, contentType: string | undefined, kind: string, strategic: boolean): Patch {
  const media = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  const type = media in mediaTypes ? mediaTypes[media as keyof typeof mediaTypes] : undefined;
  if (type === undefined || (type === "strategic" && !strategic)) throw unsupported(strategic, body);
  const value = type === "json" ? parseJsonPatch(body) : parsePatchObject(body, kind, type === "merge" ? "error decoding patch: " : "");
  return type === "json" ? { type, body: value as unknown[] } : { type, body: value as Record<string, unknown> };
}

/** Built-in kinds have no route for another media type; custom resources a handler, which says what it takes. */
function unsupported(strategic: boolean, body: Buffer): StatusError {
  // go-restful misses the type only where there is something of it; without a route it then finds no answer to accept either.
  if (strategic && body.length === 0) return new StatusError("NotAcceptable", "406: Not Acceptable\n\nAvailable representations: ", {});
  if (strategic) return new StatusError("UnsupportedMediaType", "415: Unsupported Media Type\n\nAvailable representations: ", {});
  const known = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
  return new StatusError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${known.join(", ")}`,
  );
}

function parseJsonPatch(body: Buffer): unknown {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    throw new StatusError("BadRequest", `error decoding patch: ${jsonSyntaxProblem(body.toString("utf8"))}`);
  }
  if (!Array.isArray(value))
    throw new StatusError("BadRequest", "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp");
  return value;
}

function parsePatchObject(body: Buffer, kind: string, where: string): unknown {
  const text = body.toString("utf8");
  let value: unknown;
  try {
    value = parseJson(text, kind);
  } catch (error) {
    if (isStatus(error) && !error.message.includes("json parse error")) throw error;
    throw new StatusError("BadRequest", `${where}${jsonSyntaxProblem(text)}`);
  }
  if (isJsonObject(value)) return value;
  if (value === null) return {};
  throw new StatusError("BadRequest", `${where}json: cannot unmarshal ${jsonTypeOf(value)} into Go value of type map[string]interface {}`);
}

/**
 * The patched document. It shares with `live` what the patch does not touch, and nothing with the patch, which may be applied again.
 * @throws StatusError `BadRequest`, `Invalid`
 */
export function applyPatch(live: object, patch: Patch, schema: KindSchema | undefined): unknown {
  switch (patch.type) {
    case "json":
      return applyJsonPatch(live, cloneJson(patch.body));
    case "merge":
      return applyMergePatch(live, cloneJson(patch.body));
    case "strategic":
      if (!schema) throw new StatusError("UnsupportedMediaType", "415: Unsupported Media Type", {});
      return applyStrategicMergePatch(live, cloneJson(patch.body), schema.patch);
    default:
      return patch satisfies never;
  }
}
