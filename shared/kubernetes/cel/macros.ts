import { type Call, type Expression, ExpressionError, type Fold, type Identifier } from "./syntax.ts";

/** What cel-go calls the accumulator; no identifier can be spelled so. */
const accumulator = "@result";

const literal = (at: number, value: boolean | bigint): Expression => ({ kind: "literal", at, value });
const call = (at: number, name: string, ...args: Expression[]): Expression => ({ kind: "call", at, name, target: undefined, args });

/** `has`, the comprehensions over one or two variables, and those of optionals (cel-go `parser/macro.go`, `ext/comprehensions.go`, `cel/library.go`). */
export function expandMacro({ at, name, target, args }: Call): Expression | undefined {
  if (target === undefined) return name === "has" && args.length === 1 ? expandHas(at, args[0]) : undefined;
  const result: Identifier = { kind: "identifier", at, name: accumulator };
  const [first, second, third, fourth] = args;
  if (first === undefined || second === undefined) return undefined;

  const fold = (
    variables: readonly Expression[],
    init: Expression,
    condition: Expression,
    step: Expression,
    end: Expression = result,
  ): Fold => {
    const [variable = "", secondVariable] = variableNames(variables);
    return { kind: "fold", at, range: target, variable, secondVariable, accumulator, init, condition, step, result: end };
  };
  const always = literal(at, true);
  const all = (variables: Expression[], predicate: Expression): Fold =>
    fold(variables, literal(at, true), call(at, "@not_strictly_false", result), call(at, "_&&_", result, predicate));
  const exists = (variables: Expression[], predicate: Expression): Fold =>
    fold(variables, literal(at, false), call(at, "@not_strictly_false", call(at, "!_", result)), call(at, "_||_", result, predicate));
  const existsOne = (variables: Expression[], predicate: Expression): Fold => {
    const step = call(at, "_?_:_", predicate, call(at, "_+_", result, literal(at, 1n)), result);
    return fold(variables, literal(at, 0n), always, step, call(at, "_==_", result, literal(at, 1n)));
  };
  const collect = (variables: Expression[], filter: Expression | undefined, value: Expression): Fold => {
    const added = call(at, "_+_", result, { kind: "list", at, elements: [{ value, optional: false }] });
    const step = filter === undefined ? added : call(at, "_?_:_", filter, added, result);
    return fold(variables, { kind: "list", at, elements: [] }, always, step);
  };
  const insert = (variables: Expression[], filter: Expression | undefined, ...entry: Expression[]): Fold => {
    const added = call(at, "cel.@mapInsert", result, ...entry);
    const step = filter === undefined ? added : call(at, "_?_:_", filter, added, result);
    return fold(variables, { kind: "map", at, entries: [] }, always, step);
  };

  const one = args.length === 2;
  const two = args.length === 3 && third !== undefined;
  switch (name) {
    case "all":
      return one ? all([first], second) : two ? all([first, second], third) : undefined;
    case "exists":
      return one ? exists([first], second) : two ? exists([first, second], third) : undefined;
    case "exists_one":
    case "existsOne":
      if (name === "existsOne" && one) return undefined;
      return one ? existsOne([first], second) : two ? existsOne([first, second], third) : undefined;
    case "filter":
      return one ? collect([first], second, first) : undefined;
    case "map":
      return one ? collect([first], undefined, second) : two ? collect([first], second, third) : undefined;
    case "transformList":
      if (two) return collect([first, second], undefined, third);
      return third && fourth && args.length === 4 ? collect([first, second], third, fourth) : undefined;
    case "transformMap":
      if (two) return insert([first, second], undefined, first, third);
      return third && fourth && args.length === 4 ? insert([first, second], third, first, fourth) : undefined;
    case "transformMapEntry":
      if (two) return insert([first, second], undefined, third);
      return third && fourth && args.length === 4 ? insert([first, second], third, fourth) : undefined;
    case "optMap":
    case "optFlatMap":
      return one ? expandOptional(at, name, target, first, second) : undefined;
    default:
      return undefined;
  }
}

function expandHas(at: number, operand: Expression | undefined): Expression {
  if (operand?.kind !== "select") throw new ExpressionError(operand?.at ?? at, "invalid argument to has() macro");
  return { ...operand, at, test: true };
}

/** `target.hasValue() ? optional.of(let x = target.value() in body) : optional.none()`; the binding is a fold over nothing. */
function expandOptional(at: number, name: string, target: Expression, variable: Expression, body: Expression): Expression {
  const [bound = ""] = variableNames([variable]);
  const binding: Fold = {
    kind: "fold",
    at,
    range: { kind: "list", at, elements: [] },
    variable: "#unused",
    secondVariable: undefined,
    accumulator: bound,
    init: { kind: "call", at, name: "value", target, args: [] },
    condition: literal(at, false),
    step: { kind: "identifier", at, name: bound },
    result: body,
  };
  const present: Expression = { kind: "call", at, name: "hasValue", target, args: [] };
  const yes = name === "optMap" ? call(at, "optional.of", binding) : binding;
  return call(at, "_?_:_", present, yes, call(at, "optional.none"));
}

function variableNames(variables: readonly Expression[]): string[] {
  const names = variables.map((variable) => {
    if (variable.kind !== "identifier") throw new ExpressionError(variable.at, "argument must be a simple name");
    if (variable.name === accumulator) throw new ExpressionError(variable.at, "iteration variable overwrites accumulator variable");
    return variable.name;
  });
  if (names.length === 2 && names[0] === names[1]) throw new ExpressionError(variables[1]?.at ?? 0, `duplicate variable name: ${names[0]}`);
  return names;
}
