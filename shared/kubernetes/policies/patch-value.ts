import { NoJson, toJson } from "../cel/to-json.ts";
import { ArrayList, type CelValue, EntryMap, ListValue, StructValue } from "../cel/value.ts";
import type { JsonObject } from "../schema/schema-node.ts";

/** Why what an expression evaluated to is no patch, in Kubernetes' words. */
export class PatchProblem extends Error {}

/** The configuration that an expression describes. @throws PatchProblem */
export function configurationOf(value: CelValue): JsonObject {
  if (!(value instanceof StructValue)) throw new PatchProblem("unsupported return type from ApplyConfiguration expression");
  checkTypeNames(value);
  return plain(value, "invalid return type") as JsonObject;
}

/** The operations that an expression lists. @throws PatchProblem */
export function operationsOf(value: CelValue): JsonObject[] {
  if (!(value instanceof ListValue)) throw new PatchProblem("type mismatch: JSONPatchType.expression should evaluate to array");
  return [...value].map((item) => {
    if (!(item instanceof StructValue))
      throw new PatchProblem("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch");
    const [op, path, from, given] = ["op", "path", "from", "value"].map((name) => item.field(name));
    if (given instanceof StructValue) checkTypeNames(given);
    return {
      op: op ?? "",
      path: path ?? "",
      ...(from !== undefined && from !== "" && { from }),
      ...(given !== undefined && {
        value: plain(given, "JSONPath valueExpression evaluated to a type that could not marshal to JSON"),
      }),
    };
  });
}

function plain(value: CelValue, problem: string): unknown {
  try {
    return toJson(value);
  } catch (error) {
    if (error instanceof NoJson) throw new PatchProblem(`${problem}: ${error.message}`);
    throw error;
  }
}

/** `Object.spec{…}` belongs where the field `spec` of an `Object` is (apiserver `CheckTypeNamesMatchFieldPathNames`). @throws PatchProblem */
function checkTypeNames(root: StructValue): void {
  const problems: string[] = [];
  const visit = (value: CelValue, path: string): void => {
    if (value instanceof StructValue) {
      const { name } = value.type;
      if (name !== path)
        problems.push(
          `unexpected type name ${JSON.stringify(name)}, expected "${path}", which matches field name path from root Object type`,
        );
      for (const [field, inner] of value.fields) visit(inner, `${path}.${field}`);
    } else if (value instanceof ArrayList) for (const item of value) visit(item, path);
    else if (value instanceof EntryMap) for (const key of value.keys()) visit(value.get(key) ?? null, path);
  };
  visit(root, root.type.name);
  if (problems.length > 0) throw new PatchProblem(`type mismatch: ${problems.join("\n")}`);
}
