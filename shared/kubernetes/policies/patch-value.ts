import { durationToText, timestampToText } from "../cel/library/time-text.ts";
import { NoJson, toJson } from "../cel/to-json.ts";
import { ArrayList, type CelValue, Duration, EntryMap, ListValue, StructValue, Timestamp, Uint } from "../cel/value.ts";
import { GoValue } from "../managed-fields/typed-problem.ts";
import type { JsonObject } from "../schema/schema-node.ts";

/** Why what an expression evaluated to is no patch, in Kubernetes' words. */
export class PatchProblem extends Error {}

/** The configuration that an expression describes. @throws PatchProblem */
export function configurationOf(value: CelValue): JsonObject {
  if (!(value instanceof StructValue)) throw new PatchProblem("unsupported return type from ApplyConfiguration expression");
  checkTypeNames(value);
  try {
    return nativeFields(value);
  } catch (error) {
    if (error instanceof NoJson) throw new PatchProblem("invalid return type: *dynamic.ObjectVal");
    throw error;
  }
}

const nativeFields = ({ fields }: StructValue): JsonObject =>
  Object.fromEntries([...fields].map(([name, field]) => [name, nativeOf(field, true)]));

/** As apiserver's `dynamic.ObjectVal` gives its fields away: what is written out in an expression keeps Go types that no field of an object has. */
function nativeOf(value: CelValue, isField: boolean): unknown {
  if (value instanceof StructValue) return nativeFields(value);
  if (value instanceof ArrayList) return [...value].map((item) => nativeOf(item, false));
  if (value instanceof EntryMap) {
    const json = toJson(value) as JsonObject;
    if (!isField) return new GoValue("map[ref.Val]ref.Val", `map[${Object.keys(json).join(" ")}]`, "map[ref.Val]ref.Val{}");
    return Object.fromEntries(value.keys().map((key) => [key, nativeOf(value.get(key) ?? null, false)]));
  }
  if (value === null) return new GoValue("structpb.NullValue", "NULL_VALUE", "0");
  if (value instanceof Uint) return new GoValue("uint64", String(value.value), `0x${value.value.toString(16)}`);
  if (value instanceof Uint8Array) {
    const bytes = [...value];
    return new GoValue("[]uint8", `[${bytes.join(" ")}]`, `[]uint8{${bytes.map((byte) => `0x${byte.toString(16)}`).join(", ")}}`);
  }
  if (value instanceof Duration) return new GoValue("time.Duration", durationToText(value), String(value.nanos));
  return value instanceof Timestamp ? timeOf(value) : toJson(value);
}

const months = ["January", "February", "March", "April", "May", "June"].concat([
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
]);

function timeOf(value: Timestamp): GoValue {
  const text = timestampToText(value);
  const [, year, month, day, hour, minute, second] = (/^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/.exec(text) ?? []).map(Number);
  const nanos = Number(value.nanos % 1_000_000_000n);
  const date = [year, `time.${months[(month ?? 1) - 1]}`, day, hour, minute, second, nanos, "time.UTC"].join(", ");
  return new GoValue("time.Time", text.replace("T", " ").replace("Z", " +0000 UTC"), `time.Date(${date})`);
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
