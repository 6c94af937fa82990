import type { CelValue } from "./value.ts";

/** A parsed expression. `at` is where errors point: the offset of its name or operator in the text. */
export type Expression = Literal | Identifier | Select | Call | ListLiteral | MapLiteral | StructLiteral | Fold;

export interface Literal {
  readonly kind: "literal";
  readonly at: number;
  readonly value: CelValue;
}

export interface Identifier {
  readonly kind: "identifier";
  readonly at: number;
  readonly name: string;
}

export interface Select {
  readonly kind: "select";
  readonly at: number;
  readonly operand: Expression;
  readonly field: string;
  /** `has(operand.field)` */
  readonly test: boolean;
}

export interface Call {
  readonly kind: "call";
  readonly at: number;
  readonly name: string;
  readonly target: Expression | undefined;
  readonly args: readonly Expression[];
}

export interface ListLiteral {
  readonly kind: "list";
  readonly at: number;
  readonly elements: readonly { readonly value: Expression; readonly optional: boolean }[];
}

export interface MapLiteral {
  readonly kind: "map";
  readonly at: number;
  readonly entries: readonly { readonly key: Expression; readonly value: Expression; readonly optional: boolean }[];
}

/** `Name{field: value, ?field: optional}`. `at` of a field is its colon. */
export interface StructLiteral {
  readonly kind: "struct";
  readonly at: number;
  readonly name: string;
  readonly fields: readonly { readonly at: number; readonly name: string; readonly value: Expression; readonly optional: boolean }[];
}

/** What macros expand to (cel-spec, comprehension): `accumulator` starts at `init`, each element of `range` makes it `step`. */
export interface Fold {
  readonly kind: "fold";
  readonly at: number;
  readonly range: Expression;
  readonly variable: string;
  readonly secondVariable: string | undefined;
  readonly accumulator: string;
  readonly init: Expression;
  /** While true; undefined: always. */
  readonly condition: Expression;
  readonly step: Expression;
  readonly result: Expression;
}

/** One problem of an expression's text. */
export interface Problem {
  readonly at: number;
  readonly message: string;
}

/** The text is no expression. */
export class ExpressionError extends Error {
  readonly problems: readonly Problem[];
  constructor(at: number, message: string, earlier: readonly Problem[] = []) {
    super(message);
    this.problems = [...earlier, { at, message }];
  }
}

/** The problems as cel-go prints them, with the line they are in and a caret below (cel-go `common/error.go`). */
export function formatProblems(text: string, problems: readonly Problem[]): string {
  return [...problems]
    .sort((a, b) => a.at - b.at)
    .map(({ at, message }) => {
      const before = text.slice(0, at);
      const line = before.split("\n").length;
      const start = before.lastIndexOf("\n") + 1;
      const end = text.indexOf("\n", start);
      const column = [...text.slice(start, at)].length;
      const source = text.slice(start, end < 0 ? text.length : end).replaceAll("\t", " ");
      return `ERROR: <input>:${line}:${column + 1}: ${message}\n | ${source}\n | ${".".repeat(column)}^`;
    })
    .join("\n");
}
