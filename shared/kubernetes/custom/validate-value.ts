import { compilePattern } from "../cel/library/regexes.ts";
import { Failure } from "../cel/value.ts";
import { deepEqual } from "../deep-equal.ts";
import { invalid, notSupported, required, tooLong, tooMany } from "../schema/field-error.ts";
import { isJsonObject } from "../schema/schema-node.ts";
import type { StatusCause } from "../status-error.ts";
import type { JSONSchemaProps } from "../types.ts";
import type { Correlation } from "./correlation.ts";
import { hasFormat } from "./formats.ts";
import { goValue, nowhere, typeInvalid } from "./go-value.ts";

/** What a schema says of a value, and how many of its checks were made, by which alternatives are ranked. */
interface Verdict {
  readonly causes: StatusCause[];
  matches: number;
}

/**
 * A value against a schema, in the words of kube-openapi's validator as apiextensions reports them (`apiserver/validation/validation.go`).
 * With a correlation, what did not change is not held against it (KEP-4008).
 */
export function validateValue(schema: JSONSchemaProps, value: unknown, path: string, correlation?: Correlation): StatusCause[] {
  return judge(schema, value, path, correlation).causes;
}

function judge(schema: JSONSchemaProps, value: unknown, path: string, correlation?: Correlation): Verdict {
  const verdict = judgeWhole(schema, value, path, correlation);
  return verdict.causes.length > 0 && correlation?.unchanged === true ? { causes: [], matches: verdict.matches } : verdict;
}

function judgeWhole(schema: JSONSchemaProps, value: unknown, path: string, correlation?: Correlation): Verdict {
  const verdict: Verdict = { causes: [], matches: 0 };
  const types = typesOf(schema);
  if (value === null || value === undefined) {
    if (types.length > 0 && schema.nullable !== true) add(verdict, [wrongType(path, types.join(","), "null")]);
    add(verdict, enumProblem(schema, value, path));
    return verdict;
  }
  add(verdict, typeProblem(schema, types, value, path));
  combine(verdict, judgeAlternatives(schema, value, path, correlation));
  if (typeof value === "string") {
    add(verdict, textProblem(schema, value, path));
    const format = schema.format ?? "";
    if (format !== "" && hasFormat(format, value) === false)
      add(verdict, [typeInvalid(at(path), value, `${inBody(path)} must be of type ${format}: ${JSON.stringify(value)}`)]);
  }
  if (typeof value === "number") add(verdict, numberProblems(schema, value, path));
  if (Array.isArray(value)) combine(verdict, judgeList(schema, value, path, correlation));
  add(verdict, enumProblem(schema, value, path));
  if (isJsonObject(value)) combine(verdict, judgeObject(schema, value, path, correlation));
  verdict.matches += 3;
  return verdict;
}

const at = (path: string): string => (path === "" ? nowhere : path.replace(/^\./, ""));
const inBody = (path: string): string => `${path} in body`;

/** Each text once. */
function add(verdict: Verdict, causes: readonly StatusCause[]): void {
  for (const cause of causes)
    if (!verdict.causes.some(({ field, message }) => field === cause.field && message === cause.message)) verdict.causes.push(cause);
  if (causes.length === 0) verdict.matches++;
}

function combine(verdict: Verdict, other: Verdict): void {
  add(verdict, other.causes);
  verdict.matches += other.matches;
}

function typesOf(schema: JSONSchemaProps): string[] {
  if (schema["x-kubernetes-int-or-string"] === true) return ["integer", "string"];
  return schema.type === undefined || schema.type === "" ? [] : [schema.type];
}

const wrongType = (path: string, wanted: string, found: string): StatusCause =>
  typeInvalid(at(path), found, `${inBody(path)} must be of type ${wanted}: ${JSON.stringify(found)}`);

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return value === null ? "null" : typeof value;
}

function typeProblem(schema: JSONSchemaProps, types: readonly string[], value: unknown, path: string): StatusCause[] {
  const format = formatOf(schema);
  if (types.length === 0 && format === "") return [];
  const found = jsonType(value);
  const numeric = types.includes("number") || types.includes("integer");
  if (format !== "" && !numeric && (found === "string" || found === "array")) return [];
  if (types.includes(found) || (found === "integer" && types.includes("number"))) return [];
  const named = format !== "" && found !== "string" && found !== "array";
  const kind = found === "integer" ? "int64" : found === "number" ? "float64" : "";
  return [named ? wrongType(path, format, kind) : wrongType(path, types.join(","), found)];
}

/** Formats that nobody checks do not count. */
const formatOf = ({ format = "" }: JSONSchemaProps): string => (format !== "" && hasFormat(format, "") !== undefined ? format : "");

function enumProblem(schema: JSONSchemaProps, value: unknown, path: string): StatusCause[] {
  const { enum: values } = schema;
  if (values === undefined || values.length === 0 || values.some((allowed) => deepEqual(allowed, value))) return [];
  const shown = values.map((allowed) => (typeof allowed === "string" ? allowed : JSON.stringify(allowed)));
  return [notSupported(at(path), goValue(value), shown)];
}

function textProblem({ maxLength, minLength, pattern = "" }: JSONSchemaProps, value: string, path: string): StatusCause[] {
  const length = [...value].length;
  if (maxLength !== undefined && length > maxLength) return [tooLong(at(path), maxLength)];
  if (minLength !== undefined && length < minLength)
    return [invalid(at(path), value, `${inBody(path)} should be at least ${minLength} chars long`)];
  if (pattern === "") return [];
  const compiled = compilePattern(pattern);
  if (compiled instanceof Failure)
    return [invalid(at(path), value, `${inBody(path)} should match '${pattern}, but pattern is invalid: ${compiled.message}'`)];
  return compiled.matcher(value).find() ? [] : [invalid(at(path), value, `${inBody(path)} should match '${pattern}'`)];
}

function numberProblems(schema: JSONSchemaProps, value: number, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { multipleOf, minimum, maximum } = schema;
  const shown = (bound: number): number => (Number.isInteger(value) ? Math.trunc(bound) : bound);
  const say = (text: string): StatusCause => invalid(at(path), value, `${inBody(path)} ${text}`);
  // Go compares whole numbers as such: a factor below one becomes zero, and is refused.
  if (multipleOf !== undefined && shown(multipleOf) <= 0)
    causes.push(invalid(at(path), shown(multipleOf), `factor MultipleOf declared for ${path} must be positive: ${shown(multipleOf)}`));
  else if (multipleOf !== undefined && !isMultiple(value, multipleOf)) causes.push(say(`should be a multiple of ${multipleOf}`));
  if (minimum !== undefined) {
    const exclusive = schema.exclusiveMinimum === true;
    const bound = shown(minimum);
    if (exclusive ? value <= bound : value < bound) causes.push(say(`should be greater than ${exclusive ? "" : "or equal to "}${bound}`));
  }
  if (maximum !== undefined) {
    const exclusive = schema.exclusiveMaximum === true;
    const bound = shown(maximum);
    if (exclusive ? value >= bound : value > bound) causes.push(say(`should be less than ${exclusive ? "" : "or equal to "}${bound}`));
  }
  return causes;
}

function isMultiple(value: number, factor: number): boolean {
  if (Number.isInteger(value) && Number.isInteger(factor)) return value % factor === 0;
  const quotient = factor < 1 ? (1 / factor) * value : value / factor;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9 * Math.max(1, Math.abs(quotient));
}

function judgeList(schema: JSONSchemaProps, list: readonly unknown[], path: string, correlation: Correlation | undefined): Verdict {
  const verdict: Verdict = { causes: [], matches: 0 };
  const { items, minItems, maxItems } = schema;
  if (items !== undefined && !Array.isArray(items))
    for (const [index, item] of list.entries()) combine(verdict, judge(items, item, `${path}[${index}]`, correlation?.index(index)));
  if (minItems !== undefined && list.length < minItems)
    add(verdict, [invalid(at(path), list.length, `${inBody(path)} should have at least ${minItems} items`)]);
  if (maxItems !== undefined && list.length > maxItems) add(verdict, [tooMany(at(path), list.length, maxItems)]);
  return verdict;
}

function judgeObject(
  schema: JSONSchemaProps,
  object: Record<string, unknown>,
  path: string,
  correlation: Correlation | undefined,
): Verdict {
  const verdict: Verdict = { causes: [], matches: 0 };
  const { properties = {}, additionalProperties, minProperties, maxProperties } = schema;
  const keys = Object.keys(object);
  if (minProperties !== undefined && keys.length < minProperties)
    add(verdict, [invalid(at(path), keys.length, `${inBody(path)} should have at least ${minProperties} properties`)]);
  if (maxProperties !== undefined && keys.length > maxProperties) add(verdict, [tooMany(at(path), keys.length, maxProperties)]);
  const childOf = (key: string): Correlation | undefined => (path === "" && isTypeMeta(key) ? undefined : correlation?.key(key));
  for (const key of keys.sort()) {
    if (Object.hasOwn(properties, key)) continue;
    if (additionalProperties === false) add(verdict, [invalid(at(path), key, `${path}.${key} in body is a forbidden property`)]);
    else if (typeof additionalProperties === "object")
      combine(verdict, judge(additionalProperties, object[key], `${path}.${key}`, childOf(key)));
  }
  for (const [key, property] of Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (Object.hasOwn(object, key)) combine(verdict, judge(property, object[key], path === "" ? key : `${path}.${key}`, childOf(key)));
  }
  for (const key of schema.required ?? []) if (!Object.hasOwn(object, key)) add(verdict, [required(at(`${path}.${key}`))]);
  return verdict;
}

const isTypeMeta = (key: string): boolean => key === "apiVersion" || key === "kind";

function judgeAlternatives(schema: JSONSchemaProps, value: unknown, path: string, correlation: Correlation | undefined): Verdict {
  const verdict: Verdict = { causes: [], matches: 1 };
  const quoted = JSON.stringify(path);
  const whole = (text: string): StatusCause => invalid(nowhere, "", `${quoted} ${text}`);
  const each = (alternatives: readonly JSONSchemaProps[]): Verdict[] => alternatives.map((one) => judge(one, value, path, correlation));
  const { anyOf = [], oneOf = [], allOf = [], not } = schema;
  if (anyOf.length > 0) {
    const verdicts = each(anyOf);
    const good = verdicts.find(isGood);
    if (!good) add(verdict, [whole("must validate at least one schema (anyOf)")]);
    combine(verdict, good ?? best(verdicts));
  }
  if (oneOf.length > 0) {
    const verdicts = each(oneOf);
    const good = verdicts.filter(isGood);
    if (good.length !== 1) {
      const found = good.length === 0 ? "Found none valid" : `Found ${good.length} valid alternatives`;
      add(verdict, [whole(`must validate one and only one schema (oneOf). ${found}`)]);
    }
    if (good.length === 0) combine(verdict, best(verdicts));
  }
  if (allOf.length > 0) {
    const verdicts = each(allOf);
    for (const one of verdicts) combine(verdict, one);
    const good = verdicts.filter(isGood).length;
    if (good < verdicts.length) add(verdict, [whole(`must validate all the schemas (allOf)${good === 0 ? ". None validated" : ""}`)]);
  }
  if (not !== undefined && isGood(judge(not, value, path, correlation))) add(verdict, [whole("must not validate the schema (not)")]);
  return verdict;
}

const isGood = ({ causes }: Verdict): boolean => causes.length === 0;

/** The one that most of its checks passed. */
const best = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.reduce((chosen, one) => (one.matches > chosen.matches ? one : chosen), verdicts[0] ?? { causes: [], matches: 0 });
