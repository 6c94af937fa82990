import { isJsonObject, type JsonObject } from "./schema/schema-node.ts";
import { StatusError } from "./status-error.ts";

/**
 * A merge patch applied to a document (RFC 7396 §2). Neither argument is changed; the answer shares with both what it takes from them.
 * @throws StatusError `BadRequest` for a property named `__proto__`, which no object of the API has.
 */
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const merged: JsonObject = isJsonObject(document) ? { ...document } : {};
  for (const name of Object.keys(patch)) {
    if (name === "__proto__") throw new StatusError("BadRequest", 'invalid patch: "__proto__" cannot be set');
    const value = patch[name];
    if (value === null || value === undefined) delete merged[name];
    else merged[name] = applyMergePatch(Object.hasOwn(merged, name) ? merged[name] : undefined, value);
  }
  return merged;
}
