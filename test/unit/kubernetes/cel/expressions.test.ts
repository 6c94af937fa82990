import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { compileExpression } from "../../../../shared/kubernetes/cel/compile.ts";
import { fromJson } from "../../../../shared/kubernetes/cel/json-value.ts";
import { Meter, perCallLimit } from "../../../../shared/kubernetes/cel/meter.ts";
import { typeOfSchema } from "../../../../shared/kubernetes/cel/schema-type.ts";
import { dynType } from "../../../../shared/kubernetes/cel/type.ts";
import { type CelValue, Failure, OptionalValue, TypeValue } from "../../../../shared/kubernetes/cel/value.ts";
import { typeOfLiteral } from "../../../../shared/kubernetes/cel/value-type.ts";
import type { JSONSchemaProps } from "../../../../shared/kubernetes/types.ts";

/** What the CEL environment of Kubernetes 1.33 itself answered for each expression over one object (`expressions.json`). */
const recorded = z
  .object({
    schema: z.record(z.string(), z.unknown()),
    object: z.record(z.string(), z.unknown()),
    cases: z.array(
      z.object({
        expression: z.string(),
        problem: z.string().optional(),
        failure: z.string().optional(),
        value: z.string().optional(),
        worst: z.string().optional(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL("expressions.json", import.meta.url), "utf8")));

const type = typeOfSchema(recorded.schema as JSONSchemaProps, true, "selfType") ?? dynType;
const variables = new Map([
  ["self", type],
  ["oldSelf", type],
]);
const self = fromJson(recorded.object, type);

function shown(value: CelValue): string {
  if (value instanceof OptionalValue) return value.value === undefined ? "none" : `optional(${shown(value.value)})`;
  const name = value instanceof TypeValue ? "type" : typeOfLiteral(value).name;
  const compiled = compileExpression("string(x)", new Map([["x", dynType]]));
  const text = compiled.kind === "compiled" ? compiled.program.evaluate(() => value, new Meter(perCallLimit)) : null;
  if (value instanceof TypeValue) return `type:${value.type.name}`;
  return typeof text === "string" ? `${name}:${text}` : name;
}

test("the recording holds what it is for", () => {
  expect(recorded.cases.length).toBeGreaterThan(200);
  for (const part of ["problem", "failure", "value", "worst"] as const)
    expect(recorded.cases.filter((one) => one[part] !== undefined).length).toBeGreaterThan(10);
});

test.each(recorded.cases)("$expression", ({ expression, problem, failure, value, worst }) => {
  const compiled = compileExpression(expression, variables);
  if (compiled.kind === "invalid") {
    expect(compiled.problem).toBe(problem);
    return;
  }
  expect(problem).toBeUndefined();
  const result = compiled.program.evaluate(() => self, new Meter(perCallLimit));
  if (result instanceof Failure) expect(result.message).toBe(failure);
  else expect(shown(result)).toBe(value);
  if (worst !== undefined) expect(compiled.program.estimate.max).toBe(Number(worst));
});
