import { type LabelToken, LabelTokens } from "./label-selector-tokens.ts";
import { labelValueProblems, qualifiedNameProblems } from "./names.ts";
import { goQuote } from "./schema/go-text.ts";
import { type StatusCause, StatusError } from "./status-error.ts";
import type { LabelSelector, LabelSelectorRequirement } from "./types.ts";

/** The operators of apimachinery's `selection` package; `!` is "does not exist". */
export type LabelOperator = "=" | "==" | "!=" | "in" | "notin" | "exists" | "!" | "gt" | "lt";

/** One condition on the labels of an object. `values` is sorted and without repetition. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

type Labels = Readonly<Record<string, string>>;

const selectorOperators: Readonly<Record<string, LabelOperator>> = { In: "in", NotIn: "notin", Exists: "exists", DoesNotExist: "!" };
const writtenOperators: Readonly<Record<LabelOperator, string>> = {
  "=": "=",
  "==": "==",
  "!=": "!=",
  in: " in ",
  notin: " notin ",
  exists: "",
  "!": "",
  gt: ">",
  lt: "<",
};
const binaryOperators = new Map<LabelToken["kind"], LabelOperator>([
  ["in", "in"],
  ["notin", "notin"],
  ["=", "="],
  ["==", "=="],
  ["!=", "!="],
  [">", "gt"],
  ["<", "lt"],
]);
const wholeNumber = /^[+-]?[0-9]+$/;
const int64 = 2n ** 63n;

/**
 * Reads a label selector of a request: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`, ascending by key
 * (apimachinery `labels.Parse`; its grammar and messages).
 * @throws StatusError `BadRequest`.
 */
export function parseLabelSelector(text: string): LabelRequirement[] {
  const tokens = new LabelTokens(text);
  const requirements: LabelRequirement[] = [];
  if (tokens.peekValue().kind === "end") return requirements;
  for (;;) {
    const first = tokens.peekValue();
    if (first.kind !== "identifier" && first.kind !== "!") throw refuse(first, ", expected: !, identifier, or 'end of string'");
    requirements.push(parseRequirement(tokens));
    const separator = tokens.nextValue();
    if (separator.kind === "end") return requirements.sort(byKey);
    if (separator.kind !== ",") throw refuse(separator, ", expected: ',' or 'end of string'");
    const following = tokens.peekValue();
    if (following.kind !== "identifier" && following.kind !== "!") throw refuse(following, ", expected: identifier after ','");
  }
}

/** Whether every condition holds. An empty list matches everything. */
export function matchesLabels(requirements: readonly LabelRequirement[], labels: Labels | undefined): boolean {
  for (const requirement of requirements) if (!matchesOne(requirement, labels)) return false;
  return true;
}

/** Whether a selector object selects these labels. An absent selector selects nothing, an empty one everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined) return false;
  for (const key in selector.matchLabels) if (labels?.[key] !== selector.matchLabels[key]) return false;
  if (selector.matchExpressions === undefined) return true;
  return matchesLabels(selector.matchExpressions.map(requirementOf), labels);
}

/**
 * The conditions of a selector object, ascending by key (apimachinery `LabelSelectorAsSelector`). What an absent selector means is for the
 * caller to say: most of Kubernetes takes it as nothing.
 * @throws StatusError `BadRequest` on an operator that does not exist.
 */
export function requirementsOf(selector: LabelSelector): LabelRequirement[] {
  const requirements = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: "=", values: [value] }),
  );
  for (const expression of selector.matchExpressions ?? []) requirements.push(requirementOf(expression));
  return requirements.sort(byKey);
}

/** The conditions as kubectl and the status of a Scale show them; `parseLabelSelector` reads them back. */
export function formatLabelSelector(requirements: readonly LabelRequirement[]): string {
  return requirements
    .map(({ key, operator, values }) => {
      if (operator === "exists") return key;
      if (operator === "!") return `!${key}`;
      const listed = [...values].sort().join(",");
      return key + writtenOperators[operator] + (operator === "in" || operator === "notin" ? `(${listed})` : listed);
    })
    .join(",");
}

/** What is wrong with a selector object in a field at `path` (apimachinery `ValidateLabelSelector`). */
export function labelSelectorProblems(selector: LabelSelector | undefined, path: string): StatusCause[] {
  const problems: StatusCause[] = [];
  for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) {
    for (const message of qualifiedNameProblems(key)) problems.push(invalid(`${path}.matchLabels`, key, message));
    for (const message of labelValueProblems(value)) problems.push(invalid(`${path}.matchLabels`, value, message));
  }
  selector?.matchExpressions?.forEach((expression, i) => {
    problems.push(...expressionProblems(expression, `${path}.matchExpressions[${i}]`));
  });
  return problems;
}

function parseRequirement(tokens: LabelTokens): LabelRequirement {
  try {
    const negated = tokens.peekValue().kind === "!";
    if (negated) tokens.nextValue();
    const key = parseKey(tokens);
    const following = tokens.peekValue().kind;
    if (negated) return newRequirement(key, "!", []);
    if (following === "end" || following === ",") return newRequirement(key, "exists", []);
    const operator = parseOperator(tokens);
    return newRequirement(key, operator, operator === "in" || operator === "notin" ? parseValues(tokens) : [parseExactValue(tokens)]);
  } catch (error) {
    if (error instanceof StatusError) throw new StatusError("BadRequest", `unable to parse requirement: ${error.message}`);
    throw error;
  }
}

function parseKey(tokens: LabelTokens): string {
  const token = tokens.nextValue();
  if (token.kind !== "identifier") throw refuse(token, ", expected: identifier");
  const problems = qualifiedNameProblems(token.text);
  if (problems.length > 0) throw new StatusError("BadRequest", `<nil>: Invalid value: ${goQuote(token.text)}: ${problems.join("; ")}`);
  return token.text;
}

function parseOperator(tokens: LabelTokens): LabelOperator {
  const token = tokens.nextOperator();
  const operator = binaryOperators.get(token.kind);
  if (operator === undefined) throw refuse(token, ", expected: in, notin, =, ==, !=, gt, lt");
  return operator;
}

function parseExactValue(tokens: LabelTokens): string {
  const following = tokens.peekValue().kind;
  if (following === "end" || following === ",") return "";
  const token = tokens.nextValue();
  if (token.kind !== "identifier") throw refuse(token, ", expected: identifier");
  return token.text;
}

function parseValues(tokens: LabelTokens): string[] {
  const open = tokens.nextValue();
  if (open.kind !== "(") throw refuse(open, " expected: '('");
  const first = tokens.peekValue();
  if (first.kind === ")") {
    tokens.nextValue();
    return [""];
  }
  if (first.kind !== "identifier" && first.kind !== ",") throw refuse(first, ", expected: ',', ')' or identifier");
  const values = parseIdentifiers(tokens);
  tokens.nextValue();
  return values;
}

/** Up to the closing parenthesis, which it leaves. Nothing before, between or after commas is the empty value. */
function parseIdentifiers(tokens: LabelTokens): string[] {
  const values: string[] = [];
  for (;;) {
    const token = tokens.nextValue();
    const following = tokens.peekValue();
    if (token.kind === "identifier") {
      values.push(token.text);
      if (following.kind === ")") return values;
      if (following.kind !== ",") throw refuse(following, ", expected: ',' or ')'");
    } else if (token.kind === ",") {
      if (values.length === 0) values.push("");
      if (following.kind === ")") {
        values.push("");
        return values;
      }
      if (following.kind === ",") {
        tokens.nextValue();
        values.push("");
      }
    } else {
      throw refuse(token, ", expected: ',', or identifier");
    }
  }
}

function refuse(found: LabelToken, expectation: string): StatusError {
  return new StatusError("BadRequest", `found '${found.text}'${expectation}`);
}

/**
 * A condition with the rules that `labels.NewRequirement` checks.
 * @throws StatusError `BadRequest` with its texts, put together as apimachinery aggregates errors.
 */
function newRequirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const unique = [...new Set(values)].sort();
  const problems: string[] = [];
  if ((operator === "gt" || operator === "lt") && parseInt64(unique[0]) === undefined) {
    problems.push(`values[0]: Invalid value: ${goQuote(unique[0] ?? "")}: for 'Gt', 'Lt' operators, the value must be an integer`);
  }
  unique.forEach((value, i) => {
    const messages = labelValueProblems(value);
    if (messages.length > 0) problems.push(`values[${i}][${key}]: Invalid value: ${goQuote(value)}: ${messages.join("; ")}`);
  });
  if (problems.length > 0) throw new StatusError("BadRequest", problems.length === 1 ? `${problems[0]}` : `[${problems.join(", ")}]`);
  return { key, operator, values: unique };
}

function byKey(a: LabelRequirement, b: LabelRequirement): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function matchesOne({ key, operator, values }: LabelRequirement, labels: Labels | undefined): boolean {
  const found = labels?.[key];
  const value = typeof found === "string" ? found : undefined;
  switch (operator) {
    case "=":
    case "==":
    case "in":
      return value !== undefined && values.includes(value);
    case "!=":
    case "notin":
      return value === undefined || !values.includes(value);
    case "exists":
      return value !== undefined;
    case "!":
      return value === undefined;
    case "gt":
    case "lt":
      return comparesAs(operator, parseInt64(value), parseInt64(values[0]));
    default:
      return operator satisfies never;
  }
}

function comparesAs(operator: "gt" | "lt", a: bigint | undefined, b: bigint | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return operator === "gt" ? a > b : a < b;
}

function parseInt64(text: string | undefined): bigint | undefined {
  if (text === undefined || text.length > 32 || !wholeNumber.test(text)) return undefined;
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  return value >= -int64 && value < int64 ? value : undefined;
}

function requirementOf(expression: LabelSelectorRequirement): LabelRequirement {
  const operator = Object.hasOwn(selectorOperators, expression.operator) ? selectorOperators[expression.operator] : undefined;
  if (operator === undefined) throw new StatusError("BadRequest", `${goQuote(expression.operator)} is not a valid label selector operator`);
  return { key: expression.key, operator, values: [...new Set(expression.values)].sort() };
}

function expressionProblems({ key, operator, values = [] }: LabelSelectorRequirement, path: string): StatusCause[] {
  const problems: StatusCause[] = [];
  if (operator === "In" || operator === "NotIn") {
    if (values.length === 0) {
      const message = "Required value: must be specified when `operator` is 'In' or 'NotIn'";
      problems.push({ reason: "FieldValueRequired", message, field: `${path}.values` });
    }
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    if (values.length > 0) {
      const message = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      problems.push({ reason: "FieldValueForbidden", message, field: `${path}.values` });
    }
  } else {
    problems.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
  }
  for (const message of qualifiedNameProblems(key)) problems.push(invalid(`${path}.key`, key, message));
  values.forEach((value, i) => {
    for (const message of labelValueProblems(value)) problems.push(invalid(`${path}.values[${i}]`, value, message));
  });
  return problems;
}

function invalid(field: string, value: string, message: string): StatusCause {
  return { reason: "FieldValueInvalid", message: `Invalid value: ${goQuote(value)}: ${message}`, field };
}
