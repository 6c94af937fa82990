import { escapeName } from "../cel/escape-name.ts";
import { typeOfSchema } from "../cel/schema-type.ts";
import type { CelType } from "../cel/type.ts";
import { forbidden, invalid } from "../schema/field-error.ts";
import { goQuote } from "../schema/go-text.ts";
import type { StatusCause } from "../status-error.ts";
import type { JSONSchemaProps, ValidationRule } from "../types.ts";
import { compileRule } from "./compiled-rule.ts";
import { firstProblems, type InnerSchema, innerSchemas, lastProblems, type Place } from "./schema-problems.ts";

/** Of one rule, and of all rules of a schema, in their worst case (apiextensions `StaticEstimatedCostLimit`, `StaticEstimatedCRDCostLimit`). */
const ruleLimit = 10_000_000;
const schemaLimit = 100_000_000;
const maxRequestBytes = 3 * 1024 * 1024;
const most = 2 ** 64 - 1;

/** What is known of the place for its rules: its type, and how often it can be in one object; undefined without a bound. */
interface RuleScope {
  readonly type: CelType | undefined;
  readonly inRules: boolean;
  readonly times: number | undefined;
}

interface Costs {
  total: number;
  readonly dear: { readonly path: string; readonly cost: number }[];
}

/**
 * Every problem of a schema and of what is in it; first of the schemas, then of their rules. `rules` is false where the schema is not good
 * enough to compile them. `unchanged`: it was stored before, so no single rule of it is too dear any more.
 */
export function allSchemaProblems(schema: JSONSchemaProps, path: string, rules: boolean, unchanged: boolean): StatusCause[] {
  const causes: StatusCause[] = [];
  const ofRules: StatusCause[] = [];
  const costs: Costs = { total: 0, dear: [] };
  const visit = (one: JSONSchemaProps, place: Place, scope: RuleScope | undefined): void => {
    const before = causes.length;
    causes.push(...firstProblems(one, place));
    for (const inner of innerSchemas(one, place)) visit(inner.schema, inner.place, scope && innerScope(one, scope, inner));
    causes.push(...lastProblems(one, place));
    if (causes.length > before || !scope || !hasRules(one)) return;
    if (scope.type === undefined) ofRules.push(untyped(place.path));
    else ofRules.push(...ruleProblems(one, scope.type, scope, place, costs, unchanged));
  };
  const inRules = hasRules(schema);
  const scope: RuleScope = { type: inRules ? typeOfSchema(schema, true, "selfType") : undefined, inRules, times: 1 };
  const place: Place = { path, root: true, insideMeta: false, noDefault: undefined, uncorrelated: undefined };
  visit(schema, place, rules ? scope : undefined);
  if (costs.total <= schemaLimit) return [...causes, ...ofRules];
  const contributed = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
  return [
    ...causes,
    ...ofRules,
    ...costs.dear
      .sort((a, b) => b.cost - a.cost)
      .slice(0, 4)
      .map((one) => forbidden(one.path, contributed)),
    forbidden(path, costText("x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema", costs.total, schemaLimit)),
  ];
}

const untyped = (path: string): StatusCause => ({
  reason: "InternalError",
  field: `${path}.x-kubernetes-validations`,
  message:
    "Internal error: internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations",
});

const hasRules = (schema: JSONSchemaProps): boolean => (schema["x-kubernetes-validations"]?.length ?? 0) > 0;

function innerScope(parent: JSONSchemaProps, scope: RuleScope, { schema, step }: InnerSchema): RuleScope | undefined {
  if (step === undefined) return undefined;
  const inRules = scope.inRules || hasRules(schema);
  const bound = maxElements(parent);
  const times = scope.times === undefined || bound === undefined ? undefined : Math.min(most, scope.times * bound);
  if (!inRules) return { type: undefined, inRules, times };
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  const known =
    step.kind === "property"
      ? scope.type?.fields?.get(escapeName(step.name) ?? "")?.type
      : scope.type?.parameters[step.kind === "items" ? 0 : 1];
  return { type: known ?? typeOfSchema(schema, embedded, "selfType"), inRules, times };
}

function maxElements({ type, additionalProperties, maxProperties, maxItems }: JSONSchemaProps): number | undefined {
  if (type === "object" && additionalProperties !== undefined) return maxProperties === undefined ? undefined : Math.max(0, maxProperties);
  if (type === "array") return maxItems === undefined ? undefined : Math.max(0, maxItems);
  return 1;
}

function ruleProblems(
  schema: JSONSchemaProps,
  type: CelType,
  scope: RuleScope,
  place: Place,
  costs: Costs,
  unchanged: boolean,
): StatusCause[] {
  const times = scope.times ?? Math.floor(maxRequestBytes / ((type.minSizeBytes ?? 0) + 1));
  const causes: StatusCause[] = [];
  const observe = (path: string, cost: number): void => {
    costs.total = Math.min(most, costs.total + cost);
    if (cost >= schemaLimit / 100) costs.dear.push({ path, cost });
  };
  (schema["x-kubernetes-validations"] ?? []).forEach((rule, index) => {
    const at = `${place.path}.x-kubernetes-validations[${index}]`;
    const compiled = compileRule(rule, type);
    const cost = Math.min(most, (compiled.program?.estimate.max ?? 0) * times);
    if (!unchanged && cost > ruleLimit) causes.push(forbidden(`${at}.rule`, costText("estimated rule cost", cost, ruleLimit)));
    observe(`${at}.rule`, cost);
    if (compiled.problem !== undefined) causes.push(invalid(`${at}.rule`, { go: goRule(rule) }, compiled.problem));
    const messageCost = compiled.message?.estimate.max;
    if (compiled.messageProblem !== undefined)
      causes.push(invalid(`${at}.messageExpression`, { go: goRule(rule) }, compiled.messageProblem));
    else if (messageCost !== undefined) {
      if (!unchanged && messageCost > ruleLimit)
        causes.push(forbidden(`${at}.messageExpression`, costText("estimated messageExpression cost", messageCost, ruleLimit)));
      observe(`${at}.messageExpression`, messageCost);
    }
    if (compiled.usesOldSelf && place.uncorrelated !== undefined) {
      const text = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelated}`;
      causes.push(invalid(`${at}.rule`, rule.rule, text));
    } else if (!compiled.usesOldSelf && rule.optionalOldSelf !== undefined)
      causes.push(invalid(`${at}.optionalOldSelf`, rule.optionalOldSelf, "may not be set if oldSelf is not used in rule"));
  });
  return causes;
}

function costText(what: string, cost: number, limit: number): string {
  const times = cost / limit;
  const factor = times > 100 ? "more than 100x" : `${times.toFixed(times < 1.5 ? 6 : 1)}x`;
  return `${what} exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}

/** A rule as Go prints the struct. */
function goRule({ rule, message = "", messageExpression = "", reason, fieldPath = "", optionalOldSelf }: ValidationRule): string {
  const fields = [
    `Rule:${goQuote(rule)}`,
    `Message:${goQuote(message)}`,
    `MessageExpression:${goQuote(messageExpression)}`,
    `Reason:(*apiextensions.FieldValueErrorReason)(${reason === undefined ? "nil" : "0xc000000000"})`,
    `FieldPath:${goQuote(fieldPath)}`,
    `OptionalOldSelf:(*bool)(${optionalOldSelf === undefined ? "nil" : "0xc000000000"})`,
  ];
  return `apiextensions.ValidationRule{${fields.join(", ")}}`;
}
