import { isFailure } from "../cel/compare.ts";
import { fromJson } from "../cel/json-value.ts";
import { Meter, objectBudget, perCallLimit } from "../cel/meter.ts";
import { typeOfSchema, withObjectMeta } from "../cel/schema-type.ts";
import type { CelType } from "../cel/type.ts";
import { type CelValue, none, OptionalValue } from "../cel/value.ts";
import { child, duplicate, forbidden, invalid, required } from "../schema/field-error.ts";
import { isJsonObject } from "../schema/schema-node.ts";
import type { StatusCause } from "../status-error.ts";
import type { JSONSchemaProps, ValidationRule } from "../types.ts";
import { type CompiledRule, compileRule } from "./compiled-rule.ts";
import { type Correlation, matchingItem } from "./correlation.ts";
import { readFieldPath } from "./field-path.ts";
import { nowhere } from "./go-value.ts";

/** Longer messages than this are not shown. */
const maxMessageBytes = 5 * 1024;

/** The rules of a schema and of what is in it, compiled; undefined where there are none. */
interface RuleNode {
  readonly schema: JSONSchemaProps;
  readonly type: CelType | undefined;
  readonly rules: readonly CompiledRule[];
  readonly properties: ReadonlyMap<string, RuleNode>;
  readonly additional: RuleNode | undefined;
  readonly items: RuleNode | undefined;
  readonly allOf: readonly RuleNode[];
}

export interface RuleOptions {
  readonly old?: unknown;
  readonly correlation?: Correlation;
  /** Asked now and then: true ends the evaluation, as if its cost had run out. */
  readonly expired: () => boolean;
  /** What is held against something that did not change is a warning. */
  readonly warn?: (text: string) => void;
  readonly path?: string;
}

export type RuleValidator = (value: unknown, options: RuleOptions) => StatusCause[];

/** `root`: the schema is that of a whole object. Undefined when there is no rule in it. (apiextensions `schema/cel/validation.go`) */
export function createRuleValidator(schema: JSONSchemaProps, root: boolean): RuleValidator | undefined {
  if (!hasRules(schema)) return undefined;
  const node = compileNode(schema, schema, root, typeOfSchema(schema, root, "selfType"));
  return (value, options) => {
    const run = new Run(options);
    run.visit(node, value, options.old, options.path ?? "", { current: options.correlation, nearest: undefined });
    return run.causes;
  };
}

export function hasRules(schema: JSONSchemaProps): boolean {
  const { items, properties = {}, additionalProperties, allOf = [] } = schema;
  if ((schema["x-kubernetes-validations"]?.length ?? 0) > 0) return true;
  const inner = [...Object.values(properties), ...allOf];
  if (items !== undefined && !Array.isArray(items)) inner.push(items);
  if (typeof additionalProperties === "object") inner.push(additionalProperties);
  return inner.some(hasRules);
}

/** `schema` holds the rules, `place` the types: within `allOf` they are not the same. */
function compileNode(schema: JSONSchemaProps, place: JSONSchemaProps, root: boolean, type: CelType | undefined): RuleNode {
  const properties = new Map<string, RuleNode>();
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const at = place.properties?.[name];
    if (at === undefined || !hasRules(property)) continue;
    properties.set(name, compileNode(property, at, isEmbedded(at), typeOfSchema(at, isEmbedded(at), `selfType.${name}`)));
  }
  const inner = (part: unknown, at: unknown): RuleNode | undefined => {
    if (!isJsonObject(part) || !isJsonObject(at) || !hasRules(part)) return undefined;
    return compileNode(part, at, isEmbedded(at), typeOfSchema(at, isEmbedded(at), "selfType.@idx"));
  };
  const rules = type === undefined ? [] : (schema["x-kubernetes-validations"] ?? []).map((rule) => compileRule(rule, type));
  return {
    schema: root ? withObjectMeta(place) : place,
    type,
    rules,
    properties,
    additional: inner(schema.additionalProperties, place.additionalProperties),
    items: inner(schema.items, place.items),
    allOf: (schema.allOf ?? []).filter(hasRules).map((part) => compileNode(part, place, root, type)),
  };
}

const isEmbedded = (schema: JSONSchemaProps): boolean => schema["x-kubernetes-embedded-resource"] === true;

/** Where the walk is in what the object was before, and the last place that could be matched. */
interface Ratchet {
  readonly current: Correlation | undefined;
  readonly nearest: Correlation | undefined;
}

class Run {
  readonly causes: StatusCause[] = [];
  readonly #options: RuleOptions;
  #budget = objectBudget;

  constructor(options: RuleOptions) {
    this.#options = options;
  }

  visit(node: RuleNode, value: unknown, old: unknown, path: string, ratchet: Ratchet): void {
    if (value === null || value === undefined || this.#budget < 0) return;
    this.#evaluate(node, value, old ?? undefined, path, ratchet);
    for (const part of node.allOf) this.visit(part, value, old, path, { current: undefined, nearest: ratchet.nearest });
    if (Array.isArray(value)) {
      const { items } = node;
      if (items === undefined) return;
      value.forEach((item, index) => {
        const inner = { current: ratchet.current?.index(index), nearest: ratchet.current ?? ratchet.nearest };
        this.visit(items, item, matchingItem(node.schema, old, item), `${path}[${index}]`, inner);
      });
    } else if (isJsonObject(value)) this.#visitFields(node, value, isJsonObject(old) ? old : undefined, path, ratchet);
  }

  #visitFields(
    node: RuleNode,
    value: Record<string, unknown>,
    old: Record<string, unknown> | undefined,
    path: string,
    ratchet: Ratchet,
  ): void {
    for (const key of Object.keys(value).sort()) {
      const property = node.properties.get(key);
      const next = property ?? (Object.hasOwn(node.schema.properties ?? {}, key) ? undefined : node.additional);
      if (next === undefined) continue;
      const isTypeMeta = ratchet.nearest === undefined && (key === "apiVersion" || key === "kind");
      const inner = isTypeMeta
        ? { current: undefined, nearest: undefined }
        : { current: ratchet.current?.key(key), nearest: ratchet.current ?? ratchet.nearest };
      this.visit(next, value[key], old?.[key], property ? child(path, key) : `${path}[${key}]`, inner);
    }
  }

  #evaluate(node: RuleNode, value: unknown, old: unknown, path: string, ratchet: Ratchet): void {
    const { type } = node;
    if (type === undefined || node.rules.length === 0) return;
    const field = path === "" ? nowhere : path;
    const bad = node.schema.type ?? "";
    const self = fromJson(value, type);
    for (const compiled of node.rules) {
      const { rule, program, problem, usesOldSelf } = compiled;
      if (this.#budget <= 0) {
        this.causes.push(
          invalid(field, bad, "validation failed due to running out of cost budget, no further validation rules will be run"),
        );
        this.#budget = -1;
        return;
      }
      if (problem !== undefined) this.causes.push(invalid(field, bad, `rule compile error: ${problem}`));
      if (program === undefined || (usesOldSelf && old === undefined && rule.optionalOldSelf !== true)) continue;
      const before = old === undefined ? undefined : fromJson(old, type);
      const oldSelf: CelValue | undefined =
        rule.optionalOldSelf === true ? (before === undefined ? none : new OptionalValue(before)) : before;
      const bindings = (name: string): CelValue | undefined => (name === "self" ? self : oldSelf);
      const meter = new Meter(perCallLimit, this.#options.expired);
      const result = program.evaluate(bindings, meter);
      if (meter.cost <= perCallLimit && meter.cost > this.#budget) {
        this.causes.push(
          invalid(field, bad, "validation failed due to running out of cost budget, no further validation rules will be run"),
        );
        this.#budget = -1;
        return;
      }
      this.#budget -= meter.cost;
      if (isFailure(result)) {
        this.causes.push(invalid(field, bad, failureText(result.message, rule)));
        if (!result.message.startsWith("operation cancelled")) continue;
        this.#budget = -1;
        return;
      }
      if (result === true) continue;
      const cause = this.#broken(node, compiled, bindings, path, bad);
      if (!usesOldSelf && (ratchet.current ?? ratchet.nearest)?.unchanged === true)
        this.#options.warn?.(`${cause.field}: ${cause.message}`);
      else this.causes.push(cause);
    }
  }

  #broken(
    node: RuleNode,
    { rule, message }: CompiledRule,
    bindings: (name: string) => CelValue | undefined,
    path: string,
    bad: string,
  ): StatusCause {
    const place = rule.fieldPath === undefined || rule.fieldPath === "" ? undefined : readFieldPath(rule.fieldPath, node.schema);
    const field = place !== undefined && "path" in place ? child(path, place.path) : path === "" ? nowhere : path;
    let text = ruleMessage(rule);
    if (message !== undefined) {
      const meter = new Meter(Math.min(perCallLimit, this.#budget), this.#options.expired);
      const made = message.evaluate(bindings, meter);
      this.#budget -= meter.cost;
      const trimmed = typeof made === "string" ? made.trim() : "";
      if (trimmed !== "" && Buffer.byteLength(trimmed) <= maxMessageBytes && !trimmed.includes("\n")) text = trimmed;
    }
    switch (rule.reason) {
      case "FieldValueForbidden":
        return forbidden(field, text);
      case "FieldValueRequired":
        return required(field, text);
      case "FieldValueDuplicate":
        return duplicate(field, bad);
      default:
        return invalid(field, bad, text);
    }
  }
}

const ruleText = ({ message = "", rule }: ValidationRule): string => (message !== "" ? message : rule).trim();
const ruleMessage = (rule: ValidationRule): string => ((rule.message ?? "") === "" ? `failed rule: ${ruleText(rule)}` : ruleText(rule));

function failureText(message: string, rule: ValidationRule): string {
  if (message.startsWith("no such overload"))
    return `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${ruleText(rule)}`;
  if (message.startsWith("operation cancelled"))
    return `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${ruleText(rule)}`;
  return `${message} evaluating rule: ${ruleText(rule)}`;
}
