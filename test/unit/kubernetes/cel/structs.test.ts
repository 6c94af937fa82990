import { describe, expect, it } from "vitest";
import { compileExpression } from "../../../../shared/kubernetes/cel/compile.ts";
import { Meter, perCallLimit } from "../../../../shared/kubernetes/cel/meter.ts";
import { toJson } from "../../../../shared/kubernetes/cel/to-json.ts";
import { dynType } from "../../../../shared/kubernetes/cel/type.ts";
import { type CelValue, Failure } from "../../../../shared/kubernetes/cel/value.ts";
import { patchLanguage } from "../../../../shared/kubernetes/policies/patch-language.ts";

const compiled = (text: string) => compileExpression(text, new Map([["x", dynType]]), patchLanguage);
function evaluated(text: string, x: CelValue = null): CelValue {
  const result = compiled(text);
  if (result.kind === "invalid") throw new Error(result.problem);
  return result.program.evaluate(() => x, new Meter(perCallLimit));
}
const problemOf = (text: string): string => {
  const result = compiled(text);
  return result.kind === "invalid" ? result.problem : "";
};

/** As apiserver's `cel/mutation` tests have them. */
describe("struct literals", () => {
  it.each([
    ["Object{}", {}],
    ["Object{,}", {}],
    ["Object{spec: Object.spec{replicas: 3}}", { spec: { replicas: 3 } }],
    ["Object{a: [Object.a{b: 'c'}, Object.a{d: ['e']}],}", { a: [{ b: "c" }, { d: ["e"] }] }],
    ["Object{annotations: {'foo': 'bar'}}", { annotations: { foo: "bar" } }],
    ["Object{ints: [1, 2, 3]}.ints.sum()", 6],
    ["Object{spec: Object.spec{replicas: 3}} == Object{spec: Object.spec{replicas: 1 + 2}}", true],
    ["Object{a: 1} == Object{b: 1}", false],
    ["Object{?existing: optional.none(), ?other: optional.of(1)}", { other: 1 }],
    ["Object{?spec: optional.ofNonZeroValue(Object.spec{?replicas: Object{}.?replicas})}", {}],
    ["Object{}.?existing.hasValue()", false],
    ["has(Object{a: 1}.a) && !has(Object{a: 1}.b)", true],
    ["(true ? JSONPatch{op: 'add', path: '/a', value: 3} : JSONPatch{op: 'remove', path: '/a'}).value", 3],
    ["jsonpatch.escapeKey('k8s.io/my~label')", "k8s.io~1my~0label"],
    ["Object{t: timestamp('2026-01-02T03:04:05Z'), d: duration('90s'), b: b'a'}", { t: "2026-01-02T03:04:05Z", d: "90s", b: "YQ==" }],
  ])("%s", (text, expected) => {
    expect(toJson(evaluated(text))).toEqual(expected);
  });

  it.each([
    ["Invalid{}", "1:8: undeclared reference to 'Invalid' (in container '')"],
    ["x{}", "1:2: 'dyn' is not a type"],
    ["int{}", "1:4: 'int' is not a message type"],
    ["int{a: 1}", "1:6: undefined field 'a'"],
    ["JSONPatch{op: 1}", "1:13: expected type of field 'op' is 'string' but provided type is 'int'"],
    ["JSONPatch{op: Invalid{}}", "1:22: undeclared reference to 'Invalid' (in container '')"],
    ["true ? Object{} : Object.spec{}", "found no matching overload for '_?_:_' applied to '(bool, Object, Object.spec)'"],
    ["Object{a 1}", "Syntax error"],
  ])("%s is no expression", (text, problem) => {
    expect(problemOf(text)).toContain(problem);
  });

  it("cost what they hold, and forty more", () => {
    const meter = new Meter(perCallLimit);
    const result = compiled("Object{a: Object.a{b: x}}");
    if (result.kind === "compiled") result.program.evaluate(() => "y", meter);
    expect(meter.cost).toBe(81);
  });

  it("fail with what they hold", () => {
    expect(evaluated("Object{a: x.b}")).toBeInstanceOf(Failure);
    expect(evaluated("JSONPatch{op: x}", 1n)).toBeInstanceOf(Failure);
  });

  it("are no part of the language of other expressions", () => {
    const other = compileExpression("Object{}", new Map());
    expect(other.kind === "invalid" && other.problem).toContain("undeclared reference to 'Object'");
  });
});
