import { Checker, type Declarations, type NamedTypes } from "./check.ts";
import { estimateCost } from "./estimate.ts";
import { type Bindings, plan } from "./evaluate.ts";
import { addressLibrary } from "./library/addresses.ts";
import { authorizerLibrary } from "./library/authorizer.ts";
import { conversionLibrary } from "./library/conversions.ts";
import { listLibrary } from "./library/lists.ts";
import { formatLibrary } from "./library/named-formats.ts";
import { operatorLibrary } from "./library/operators.ts";
import { optionalLibrary } from "./library/optionals.ts";
import { quantityLibrary } from "./library/quantities.ts";
import { regexLibrary } from "./library/regexes.ts";
import { stringLibrary } from "./library/strings.ts";
import { timeLibrary } from "./library/times.ts";
import { urlLibrary } from "./library/urls.ts";
import { literalProblems } from "./literals.ts";
import { CostExceeded, type Meter } from "./meter.ts";
import { collectFunctions, type Overload } from "./overload.ts";
import { parseExpression } from "./parser.ts";
import type { Range } from "./range.ts";
import { type Expression, ExpressionError, formatProblems } from "./syntax.ts";
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  nullType,
  parseType,
  stringType,
  timestampType,
  uintType,
} from "./type.ts";
import { type CelValue, Failure } from "./value.ts";

/** An expression that compiled. */
export interface Program {
  readonly type: CelType;
  /** The declared variables that it mentions. */
  readonly variables: ReadonlySet<string>;
  /** Its cost in the worst case, by the sizes that the variables' types declare. */
  readonly estimate: Range;
  /**
   * A `Failure` is the expression's own; so is running out of the meter, in cel-go's words: `operation cancelled: actual cost limit exceeded`.
   */
  evaluate(bindings: Bindings, meter: Meter): CelValue;
}

/** `problem` is in cel-go's words, with the place in the text. */
export type Compiled = { readonly kind: "compiled"; readonly program: Program } | { readonly kind: "invalid"; readonly problem: string };

/** What expressions of one kind may name beyond what all may. */
export interface Language {
  readonly functions: readonly Overload[];
  readonly types: NamedTypes;
}

/** The libraries of Kubernetes 1.33's environment (apiserver `cel/environment/base.go`). */
const libraries = [
  operatorLibrary,
  optionalLibrary,
  conversionLibrary,
  stringLibrary,
  regexLibrary,
  timeLibrary,
  listLibrary,
  urlLibrary,
  quantityLibrary,
  addressLibrary,
  formatLibrary,
  authorizerLibrary,
];

const types: ReadonlyMap<string, CelType> = new Map([
  ...[boolType, intType, uintType, doubleType, stringType, bytesType, nullType, timestampType, durationType].map(
    (type) => [type.name, type] as const,
  ),
  ["list", listOf(dynType)],
  ["map", mapOf(dynType, dynType)],
  ...["optional_type(dyn)", "net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.URL"].map(
    (text) => [text.replace("(dyn)", ""), parseType(text)] as const,
  ),
]);

type Names = Pick<Declarations, "functions" | "types">;
const standard: Names = { functions: collectFunctions(...libraries), types };
const known = new WeakMap<Language, Names>();

function namesOf(language: Language | undefined): Names {
  if (!language) return standard;
  const before = known.get(language);
  if (before) return before;
  const functions = collectFunctions(...libraries, language.functions);
  const names: Names = { functions, types: { get: (name) => language.types.get(name) ?? types.get(name) } };
  known.set(language, names);
  return names;
}

/** Compiles an expression over variables of known types; `dynType` puts checks off until it runs. Pure: the same text, the same program. */
export function compileExpression(text: string, variables: ReadonlyMap<string, CelType>, language?: Language): Compiled {
  const { functions, types } = namesOf(language);
  const parsed = parse(text);
  if ("problem" in parsed) return { kind: "invalid", problem: parsed.problem };
  const checker = new Checker({ variables, functions, types });
  const checked = checker.check(parsed.expression);
  const problems = checker.problems.length > 0 ? checker.problems : literalProblems(checked);
  if (problems.length > 0) return { kind: "invalid", problem: formatProblems(text, problems) };
  const run = plan(checked, types);
  const program: Program = {
    type: checked.type,
    variables: checked.variables,
    estimate: estimateCost(checked, variables),
    evaluate(bindings, meter) {
      try {
        return run(bindings, meter);
      } catch (error) {
        if (error instanceof CostExceeded) return new Failure(error.message);
        throw error;
      }
    },
  };
  return { kind: "compiled", program };
}

function parse(text: string): { readonly expression: Expression } | { readonly problem: string } {
  try {
    return { expression: parseExpression(text) };
  } catch (error) {
    if (error instanceof ExpressionError) return { problem: formatProblems(text, error.problems) };
    throw error;
  }
}
