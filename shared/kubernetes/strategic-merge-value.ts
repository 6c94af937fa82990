import { goText } from "./schema/go-text.ts";
import { isJsonObject, type JsonObject } from "./schema/schema-node.ts";
import { StatusError, UnexplainedError } from "./status-error.ts";

/** What a patch puts where nothing was: without nulls and directives. Undefined when a directive stands in its place. */
export function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return plainElements(value);
  if (!isJsonObject(value)) return value;
  return "$patch" in value ? undefined : plainObject(value);
}

export function plainObject(value: JsonObject): JsonObject {
  const plain: JsonObject = {};
  for (const name of Object.keys(value)) {
    if (name === "__proto__") throw new StatusError("BadRequest", 'invalid patch: "__proto__" cannot be set');
    if (name.startsWith("$setElementOrder/") || name.startsWith("$deleteFromPrimitiveList/") || name === "$retainKeys") continue;
    const property = value[name] === null ? undefined : plainValue(value[name]);
    if (property !== undefined) plain[name] = property;
  }
  return plain;
}

export function plainElements(list: readonly unknown[]): unknown[] {
  return list.map(plainValue).filter((element) => element !== undefined);
}

export function unknownPatchType(directive: unknown, element: unknown): StatusError {
  return new UnexplainedError(`unknown patch type: ${goText(directive)} in map: ${goText(element)}`);
}
