import { type Token, tokenize } from "./lexer.ts";
import { expandMacro } from "./macros.ts";
import { type Call, type Expression, ExpressionError, type Problem, type StructLiteral } from "./syntax.ts";
import { type CelValue, Uint } from "./value.ts";

/** cel-go's own limits (`parser/options.go`). */
const maxCodePoints = 100_000;
const maxDepth = 250;

const reserved = new Set(
  "as break const continue else false for function if import in let loop package namespace null return true var void while".split(" "),
);
const literals: ReadonlyMap<string, CelValue> = new Map<string, CelValue>([
  ["true", true],
  ["false", false],
  ["null", null],
]);
const starters = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** Binary operators by how tightly they bind; those of one level associate to the left. */
const levels: readonly ReadonlyMap<string, string>[] = [
  new Map([["||", "_||_"]]),
  new Map([["&&", "_&&_"]]),
  new Map<string, string>(["<", "<=", ">", ">=", "==", "!="].map((operator) => [operator, `_${operator}_`])).set("in", "@in"),
  new Map(["+", "-"].map((operator) => [operator, `_${operator}_`])),
  new Map(["*", "/", "%"].map((operator) => [operator, `_${operator}_`])),
];

/** Parses an expression and expands its macros (cel-spec, syntax). @throws ExpressionError */
export function parseExpression(text: string): Expression {
  if ([...text].length > maxCodePoints)
    throw new ExpressionError(0, `expression code point size exceeds limit: size: ${[...text].length}, limit ${maxCodePoints}`);
  const { tokens, problems } = tokenize(text);
  const parsed = parseTokens(tokens, problems);
  const [first] = problems;
  if (first !== undefined) throw new ExpressionError(first.at, first.message, problems.slice(1));
  return parsed;
}

function parseTokens(tokens: readonly Token[], problems: readonly Problem[]): Expression {
  try {
    return new Parser(tokens).parse();
  } catch (error) {
    if (error instanceof ExpressionError && problems.length > 0)
      throw new ExpressionError(error.problems[0]?.at ?? 0, error.message, problems);
    throw error;
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Expression {
    const expression = this.#expression();
    const rest = this.#peek();
    if (rest.kind !== "end") throw new ExpressionError(rest.at, `Syntax error: extraneous input '${rest.text}' expecting <EOF>`);
    return expression;
  }

  #peek(): Token {
    const token = this.#tokens[this.#next] ?? this.#tokens.at(-1);
    if (token === undefined) throw new ExpressionError(0, "Syntax error: no input");
    return token;
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #is(text: string): boolean {
    const { kind, text: found } = this.#peek();
    return found === text && (kind === "operator" || kind === "identifier");
  }

  #accept(text: string): Token | undefined {
    return this.#is(text) ? this.#take() : undefined;
  }

  #expect(text: string): Token {
    const token = this.#accept(text);
    if (token) return token;
    const { at, text: found } = this.#peek();
    throw new ExpressionError(at, `Syntax error: missing '${text}' at '${found}'`);
  }

  #deeper<T>(read: () => T): T {
    if (++this.#depth > maxDepth) throw new ExpressionError(this.#peek().at, `expression recursion limit exceeded: ${maxDepth}`);
    const value = read();
    this.#depth--;
    return value;
  }

  #expression(): Expression {
    return this.#deeper(() => {
      const condition = this.#binary(0);
      const mark = this.#accept("?");
      if (!mark) return condition;
      const yes = this.#binary(0);
      this.#expect(":");
      const no = this.#expression();
      return { kind: "call", at: mark.at, name: "_?_:_", target: undefined, args: [condition, yes, no] };
    });
  }

  #binary(level: number): Expression {
    const operators = levels[level];
    if (operators === undefined) return this.#unary();
    const terms = [this.#binary(level + 1)];
    const between: Token[] = [];
    for (let name = operators.get(this.#peek().text); name !== undefined && this.#peek().kind !== "string"; ) {
      between.push(this.#take());
      terms.push(this.#binary(level + 1));
      name = operators.get(this.#peek().text);
    }
    // Conditions that are chained become a balanced tree, so that a thousand of them are ten deep.
    if (level < 2) return balance(terms, between, operators.values().next().value ?? "", 0, terms.length - 1);
    if (between.length > maxDepth)
      throw new ExpressionError(between[maxDepth]?.at ?? 0, `expression recursion limit exceeded: ${maxDepth}`);
    return between.reduce<Expression>(
      (left, token, index) => call(token.at, operators.get(token.text) ?? "", left, terms[index + 1]),
      terms[0] ?? missing,
    );
  }

  #unary(): Expression {
    const sign = this.#peek();
    if (!this.#is("!") && !this.#is("-")) return this.#member();
    let count = 0;
    while (this.#is(sign.text)) {
      this.#take();
      count++;
    }
    const following = this.#peek();
    if (sign.text === "-" && count % 2 === 1 && (following.kind === "int" || following.kind === "double")) {
      return this.#member(sign.at);
    }
    const operand = this.#member();
    return count % 2 === 0 ? operand : call(sign.at, sign.text === "!" ? "!_" : "-_", operand);
  }

  /** `minusAt`: the number that follows is negative. */
  #member(minusAt?: number): Expression {
    let expression = this.#primary(minusAt);
    for (let length = 0; ; length++) {
      if (length > maxDepth) throw new ExpressionError(this.#peek().at, `expression recursion limit exceeded: ${maxDepth}`);
      const dot = this.#accept(".");
      if (dot) {
        const optional = this.#accept("?") !== undefined;
        const field = this.#identifier(true);
        if (optional) {
          const name: Expression = { kind: "literal", at: field.at, value: field.text };
          expression = call(dot.at, "_?._", expression, name);
        } else if (this.#is("(")) {
          const open = this.#take();
          expression = this.#macro({ kind: "call", at: open.at, name: field.text, target: expression, args: this.#list(")") });
        } else expression = { kind: "select", at: dot.at, operand: expression, field: field.text, test: false };
        continue;
      }
      const open = this.#accept("[");
      if (!open) return expression;
      const optional = this.#accept("?") !== undefined;
      const index = this.#expression();
      this.#expect("]");
      expression = call(open.at, optional ? "_[?_]" : "_[_]", expression, index);
    }
  }

  #macro(parsed: Call): Expression {
    return expandMacro(parsed) ?? parsed;
  }

  #identifier(field: boolean): Token {
    const token = this.#peek();
    if (token.kind !== "identifier" || (field ? /^(?:true|false|null|in)$/.test(token.text) : false)) {
      throw new ExpressionError(token.at, `Syntax error: no viable alternative at input '.${token.kind === "end" ? "" : token.text}'`);
    }
    return this.#take();
  }

  #list(end: string): Expression[] {
    const items: Expression[] = [];
    if (this.#accept(end)) return items;
    do items.push(this.#expression());
    while (this.#accept(","));
    this.#expect(end);
    return items;
  }

  #primary(minusAt?: number): Expression {
    const token = this.#peek();
    const { at } = token;
    switch (token.kind) {
      case "int":
      case "uint":
      case "double":
        this.#take();
        return { kind: "literal", at: minusAt ?? at, value: numberOf(token, minusAt !== undefined) };
      case "string":
        this.#take();
        return { kind: "literal", at, value: token.value };
      case "bytes":
        this.#take();
        return { kind: "literal", at, value: Uint8Array.from(Buffer.from(token.value, "latin1")) };
      case "identifier":
        return this.#named();
      default:
        return this.#bracketed(token);
    }
  }

  #named(): Expression {
    const leading = this.#accept(".");
    const name = this.#structName();
    if (name !== undefined) return { kind: "struct", at: this.#take().at, name, fields: this.#fields() };
    const token = this.#identifier(false);
    if (!leading && literals.has(token.text)) return { kind: "literal", at: token.at, value: literals.get(token.text) ?? null };
    if (reserved.has(token.text)) throw new ExpressionError(token.at, `reserved identifier: ${token.text}`);
    const open = this.#accept("(");
    if (!open) return { kind: "identifier", at: token.at, name: token.text };
    return this.#macro({ kind: "call", at: open.at, name: token.text, target: undefined, args: this.#list(")") });
  }

  /** The dotted name before an opening brace; where none follows, nothing is read. */
  #structName(): string | undefined {
    const names: string[] = [];
    for (let at = this.#next; ; at += 2) {
      const [name, after] = [this.#tokens[at], this.#tokens[at + 1]];
      if (name?.kind !== "identifier" || literals.has(name.text) || after?.kind !== "operator") return undefined;
      names.push(name.text);
      if (after.text === "{") {
        this.#next = at + 1;
        return names.join(".");
      }
      if (after.text !== ".") return undefined;
    }
  }

  #fields(): StructLiteral["fields"] {
    const fields: StructLiteral["fields"][number][] = [];
    while (!this.#is("}")) {
      if (fields.length === 0 && this.#accept(",")) break;
      const optional = this.#accept("?") !== undefined;
      const name = this.#identifier(true).text;
      const { at } = this.#expect(":");
      fields.push({ at, name, value: this.#expression(), optional });
      if (!this.#accept(",")) break;
    }
    this.#expect("}");
    return fields;
  }

  #bracketed(token: Token): Expression {
    const { at } = token;
    if (token.text === "." && token.kind === "operator") return this.#named();
    if (this.#accept("(")) {
      const inner = this.#expression();
      this.#expect(")");
      return inner;
    }
    if (this.#accept("[")) return { kind: "list", at, elements: this.#elements() };
    if (this.#accept("{")) return { kind: "map", at, entries: this.#entries() };
    throw new ExpressionError(at, `Syntax error: mismatched input '${token.text}' expecting ${starters}`);
  }

  #elements(): { value: Expression; optional: boolean }[] {
    const elements: { value: Expression; optional: boolean }[] = [];
    while (!this.#is("]")) {
      if (elements.length === 0 && this.#accept(",")) break;
      const optional = this.#accept("?") !== undefined;
      elements.push({ value: this.#expression(), optional });
      if (!this.#accept(",")) break;
    }
    this.#expect("]");
    return elements;
  }

  #entries(): { key: Expression; value: Expression; optional: boolean }[] {
    const entries: { key: Expression; value: Expression; optional: boolean }[] = [];
    while (!this.#is("}")) {
      if (entries.length === 0 && this.#accept(",")) break;
      const optional = this.#accept("?") !== undefined;
      const key = this.#expression();
      this.#expect(":");
      entries.push({ key, value: this.#expression(), optional });
      if (!this.#accept(",")) break;
    }
    this.#expect("}");
    return entries;
  }
}

const missing: Expression = { kind: "literal", at: 0, value: null };

function call(at: number, name: string, ...args: (Expression | undefined)[]): Expression {
  return { kind: "call", at, name, target: undefined, args: args.map((arg) => arg ?? missing) };
}

function balance(terms: readonly Expression[], between: readonly Token[], name: string, from: number, to: number): Expression {
  if (from === to) return terms[from] ?? missing;
  const middle = Math.floor((from + to - 1) / 2);
  const left = balance(terms, between, name, from, middle);
  const right = balance(terms, between, name, middle + 1, to);
  return call(between[middle]?.at ?? 0, name, left, right);
}

function numberOf({ kind, text, at }: Token, negative: boolean): CelValue {
  if (kind === "double") {
    const value = Number(text);
    if (!Number.isFinite(value)) throw new ExpressionError(at, "invalid double literal");
    return negative ? -value : value;
  }
  if (kind === "uint") {
    const value = BigInt(text.slice(0, -1));
    if (value > 18446744073709551615n) throw new ExpressionError(at, "invalid uint literal");
    return new Uint(value);
  }
  const value = negative ? -BigInt(text) : BigInt(text);
  if (value > 9223372036854775807n || value < -9223372036854775808n) throw new ExpressionError(at, "invalid int literal");
  return value;
}
