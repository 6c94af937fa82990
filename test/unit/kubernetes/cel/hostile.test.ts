import { describe, expect, test } from "vitest";
import { compileExpression } from "../../../../shared/kubernetes/cel/compile.ts";
import { fromJson } from "../../../../shared/kubernetes/cel/json-value.ts";
import { Meter, perCallLimit } from "../../../../shared/kubernetes/cel/meter.ts";
import { dynType } from "../../../../shared/kubernetes/cel/type.ts";
import { Failure } from "../../../../shared/kubernetes/cel/value.ts";

const variables = new Map([["self", dynType]]);

function evaluate(expression: string, self: unknown, meter = new Meter(perCallLimit)) {
  const compiled = compileExpression(expression, variables);
  if (compiled.kind === "invalid") throw new Error(compiled.problem);
  return compiled.program.evaluate(() => fromJson(self), meter);
}

describe("an expression cannot hold the server up", () => {
  const list = Array.from({ length: 500 }, (_, index) => index);

  test("nested loops run out of cost", () => {
    const result = evaluate("self.all(a, self.all(b, self.all(c, a + b + c >= 0)))", list);
    expect(result).toEqual(new Failure("operation cancelled: actual cost limit exceeded"));
  });

  test("a deadline ends what still has cost left", () => {
    let asked = 0;
    const meter = new Meter(Number.MAX_SAFE_INTEGER, () => ++asked > 3);
    expect(evaluate("self.all(a, self.all(b, self.all(c, a + b + c >= 0)))", list, meter)).toBeInstanceOf(Failure);
    expect(asked).toBe(4);
  });

  test("patterns that explode elsewhere are linear", () => {
    const started = performance.now();
    expect(evaluate("self.matches('^(a+)+$')", `${"a".repeat(50_000)}b`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test("texts that double do not fill the memory", () => {
    const doubled = Array.from({ length: 40 }, () => "x").join("");
    expect(evaluate("self.replace('', self.replace('', self.replace('', self))).size() > 0", doubled.repeat(100))).toBeInstanceOf(Failure);
  });

  test.each([
    ["parentheses", `${"(".repeat(5_000)}1${")".repeat(5_000)}`],
    ["lists", `${"[".repeat(5_000)}1${"]".repeat(5_000)}`],
    ["selections", `self${".a".repeat(5_000)}`],
    ["sums", `1${"+1".repeat(5_000)}`],
    ["conditionals", "true ? 1 : ".repeat(5_000)],
    ["length", `'${"a".repeat(200_000)}'`],
  ])("%s without end are refused", (_, expression) => {
    const compiled = compileExpression(expression, variables);
    expect(compiled.kind === "invalid" && compiled.problem).toMatch(/expression recursion limit exceeded|code point size exceeds limit/);
  });

  test("a thousand conditions are no depth", () => {
    expect(evaluate(Array.from({ length: 1_000 }, (_, index) => `self.size() > ${index % 3}`).join(" && "), [1, 2, 3])).toBe(true);
  });
});
