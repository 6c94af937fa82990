import { mergeObjects } from "../managed-fields/merge-objects.ts";
import { typedProblem } from "../managed-fields/typed-problem.ts";
import type { KindSchema } from "../schema/kind-schema.ts";
import { isJsonObject, type JsonObject, type SchemaNode } from "../schema/schema-node.ts";
import { PatchProblem } from "./patch-value.ts";

/**
 * An object with a configuration merged into it, which takes nothing away and so may set no atomic list, map or struct (apiserver `mutating/patch/smd.go`,
 * KEP-3962). Neither is changed. @throws PatchProblem
 */
export function mergeConfiguration({ node, fields }: KindSchema, object: JsonObject, configuration: JsonObject): JsonObject {
  const fail = (what: string): PatchProblem => new PatchProblem(`error applying patch: ${what}`);
  const problem = typedProblem(node, configuration);
  if (problem !== undefined) throw fail(`failed to convert patch object to typed object: ${problem}`);
  const atomics = atomicsOf(node, configuration, "");
  if (atomics.length > 0) throw fail(`invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(", ")}`);
  const unreadable = typedProblem(node, object);
  if (unreadable !== undefined) throw fail(`failed to convert original object to typed object: ${unreadable}`);
  return mergeObjects(fields, object, configuration);
}

function atomicsOf(node: SchemaNode, value: unknown, path: string): string[] {
  if (Array.isArray(value) && node.shape === "list") {
    const { element, listType } = node;
    const own = listType === "map" || listType === "set" ? [] : [path];
    return [...own, ...(element ? value.flatMap((item, index) => atomicsOf(element, item, `${path}[${index}]`)) : [])];
  }
  if (!isJsonObject(value) || (node.shape !== "object" && node.shape !== "map")) return [];
  const inner = Object.keys(value).flatMap((name) => {
    const field = node.fields().get(name)?.node;
    return field ? atomicsOf(field, value[name], `${path}.${name}`) : [];
  });
  return [...(node.atomicMap ? [path] : []), ...inner];
}
