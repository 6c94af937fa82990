import { describe, expect, test } from "vitest";
import { compileExpression } from "../../../../shared/kubernetes/cel/compile.ts";
import { escapeName } from "../../../../shared/kubernetes/cel/escape-name.ts";
import {
  type AuthorizationQuestion,
  authorizerType,
  authorizerValue,
  resourceCheckType,
  resourceCheckValue,
} from "../../../../shared/kubernetes/cel/library/authorizer.ts";
import { Meter, matchConditionsBudget, objectBudget } from "../../../../shared/kubernetes/cel/meter.ts";
import { intType, objectType, stringType } from "../../../../shared/kubernetes/cel/type.ts";
import { type CelValue, ComputedObject, Failure } from "../../../../shared/kubernetes/cel/value.ts";

describe("property names in expressions", () => {
  test.each([
    ["replicas", "replicas"],
    ["a-b", "a__dash__b"],
    ["a.b/c", "a__dot__b__slash__c"],
    ["a__b", "a__underscores__b"],
    ["namespace", "__namespace__"],
    ["x$", undefined],
    ["1a", undefined],
    ["", undefined],
  ])("%j is %j", (property, escaped) => expect(escapeName(property)).toBe(escaped));
});

describe("the authorizer of admission policies", () => {
  const asked: AuthorizationQuestion[] = [];
  const ask = (question: AuthorizationQuestion) => {
    asked.push(question);
    return { allowed: question.verb === "get", reason: "because" };
  };
  const variables = new Map([
    ["authorizer", authorizerType],
    ["check", resourceCheckType],
  ]);
  const run = (expression: string): CelValue => {
    const compiled = compileExpression(expression, variables);
    if (compiled.kind === "invalid") throw new Error(compiled.problem);
    const values = { authorizer: authorizerValue(ask), check: resourceCheckValue(ask, { resource: "pods", name: "p" }) };
    return compiled.program.evaluate((name) => values[name as keyof typeof values], new Meter(matchConditionsBudget));
  };

  test("asks what the expression spells out", () => {
    const expression =
      "authorizer.serviceAccount('ns', 'sa').group('apps').resource('deployments').subresource('scale').namespace('n').name('d').check('get').allowed()";
    expect(run(expression)).toBe(true);
    expect(asked.at(-1)).toMatchObject({
      kind: "resource",
      verb: "get",
      group: "apps",
      resource: "deployments",
      subresource: "scale",
      namespace: "n",
      name: "d",
      serviceAccount: { namespace: "ns", name: "sa" },
    });
  });

  test("answers paths, reasons and the resource of the request", () => {
    expect(run("authorizer.path('/healthz').check('get').reason()")).toBe("because");
    expect(run("check.check('update').allowed() || check.check('get').errored()")).toBe(false);
  });

  test("three questions are more than one expression may ask", () => {
    const meter = new Meter(1_000_000);
    const compiled = compileExpression("[1, 2, 3].all(x, check.check('get').allowed())", variables);
    const value =
      compiled.kind === "compiled" ? compiled.program.evaluate(() => resourceCheckValue(ask, { resource: "pods" }), meter) : undefined;
    expect(value).toEqual(new Failure("operation cancelled: actual cost limit exceeded"));
  });
});

test("fields of a computed object are made when they are asked for, once", () => {
  const type = objectType("kubernetes.variables", [
    ["a", intType],
    ["b", stringType],
  ]);
  const made: string[] = [];
  const value = new ComputedObject(type, (name) => {
    made.push(name);
    return name === "a" ? 2n : new Failure("not this one");
  });
  const compiled = compileExpression("variables.a * variables.a == 4 || variables.b == 'x'", new Map([["variables", type]]));
  expect(compiled.kind === "compiled" && compiled.program.evaluate(() => value, new Meter(objectBudget))).toBe(true);
  expect(made).toEqual(["a"]);
  expect(compileExpression("variables.c == 1", new Map([["variables", type]]))).toEqual({
    kind: "invalid",
    problem: "ERROR: <input>:1:10: undefined field 'c'\n | variables.c == 1\n | .........^",
  });
});
