import { describe, expect, it } from "vitest";
import {
  formatLabelSelector,
  labelSelectorProblems,
  matchesLabels,
  matchesSelector,
  parseLabelSelector,
  requirementsOf,
} from "../../../shared/kubernetes/label-selector.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";

const matches = (selector: string, labels?: Record<string, string>) => matchesLabels(parseLabelSelector(selector), labels);

describe("parseLabelSelector", () => {
  it.each([
    ["", ""],
    ["  ", ""],
    ["x=a,y==b , z != c", "x=a,y==b,z!=c"],
    ["z,!y,x in (b,a,b)", "x in (a,b),!y,z"],
    ["x notin ()", "x notin ()"],
    ["x in (a,,b)", "x in (,a,b)"],
    ["x in (,)", "x in ()"],
    ["x=,y!=", "x=,y!="],
    ["n>1,m<2", "m<2,n>1"],
    ["in in (in,notin)", "in in (in,notin)"],
    ["example.com/a=b", "example.com/a=b"],
  ])("reads %j", (text, printed) => {
    expect(formatLabelSelector(parseLabelSelector(text))).toBe(printed);
  });

  it.each([
    ["n in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"],
    [
      "-bad-=1",
      "unable to parse requirement: <nil>: Invalid value: \"-bad-\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ],
    ["x in a", "unable to parse requirement: found 'a' expected: '('"],
    ["x in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"],
    ["x in (a,=)", "unable to parse requirement: found '=', expected: ',', or identifier"],
    ["x y", "unable to parse requirement: found 'y', expected: in, notin, =, ==, !=, gt, lt"],
    ["x=(", "unable to parse requirement: found '(', expected: identifier"],
    ["!", "unable to parse requirement: found '', expected: identifier"],
    ["!x=a", "found '=', expected: ',' or 'end of string'"],
    ["x,", "found '', expected: identifier after ','"],
    ["=x", "found '=', expected: !, identifier, or 'end of string'"],
    ["x=a b", "found 'b', expected: ',' or 'end of string'"],
    ["x>a", "unable to parse requirement: values[0]: Invalid value: \"a\": for 'Gt', 'Lt' operators, the value must be an integer"],
    [
      "x=a*",
      "unable to parse requirement: values[0][x]: Invalid value: \"a*\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ],
  ])("refuses %j as kube-apiserver does", (text, message) => {
    expect(() => parseLabelSelector(text)).toThrow(new StatusError("BadRequest", message));
  });
});

describe("matchesLabels", () => {
  it("holds with every operator as apimachinery has it", () => {
    const labels = { a: "1", b: "x", e: "" };
    expect(matches("", undefined)).toBe(true);
    expect(matches("a=1,b in (x,y),a,!c,c!=1,c notin (1)", labels)).toBe(true);
    expect(matches("c=1", labels)).toBe(false);
    expect(matches("e=", labels)).toBe(true);
    expect(matches("c=", labels)).toBe(false);
    expect(matches("a!=1", labels)).toBe(false);
    expect(matches("a>0,a<2", labels)).toBe(true);
    expect(matches("a>1", labels)).toBe(false);
    expect(matches("b>1", labels)).toBe(false);
    expect(matches("c>1", labels)).toBe(false);
    expect(matches("constructor", labels)).toBe(false);
    expect(matches("a", undefined)).toBe(false);
  });
});

describe("a selector object", () => {
  it("becomes requirements ordered by key", () => {
    const selector = {
      matchLabels: { z: "1" },
      matchExpressions: [
        { key: "a", operator: "In", values: ["y", "x"] },
        { key: "m", operator: "DoesNotExist" },
      ],
    };
    expect(formatLabelSelector(requirementsOf(selector))).toBe("a in (x,y),!m,z=1");
    expect(() => requirementsOf({ matchExpressions: [{ key: "a", operator: "Like" }] })).toThrow(
      '"Like" is not a valid label selector operator',
    );
  });

  it("selects nothing when absent and everything when empty", () => {
    expect(matchesSelector(undefined, {})).toBe(false);
    expect(matchesSelector({}, undefined)).toBe(true);
    expect(matchesSelector({ matchLabels: { a: "1" } }, { a: "1", b: "2" })).toBe(true);
    expect(matchesSelector({ matchLabels: { a: "1" }, matchExpressions: [{ key: "b", operator: "Exists" }] }, { a: "1" })).toBe(false);
  });

  it("is told what is wrong with it", () => {
    const problems = labelSelectorProblems(
      {
        matchLabels: { "bad key": "ok" },
        matchExpressions: [
          { key: "a", operator: "In" },
          { key: "a", operator: "Exists", values: ["x"] },
          { key: "a", operator: "Like" },
        ],
      },
      "spec.selector",
    );
    expect(problems.map(({ field, reason }) => [field, reason])).toEqual([
      ["spec.selector.matchLabels", "FieldValueInvalid"],
      ["spec.selector.matchExpressions[0].values", "FieldValueRequired"],
      ["spec.selector.matchExpressions[1].values", "FieldValueForbidden"],
      ["spec.selector.matchExpressions[2].operator", "FieldValueInvalid"],
    ]);
    expect(problems[3]?.message).toBe('Invalid value: "Like": not a valid selector operator');
  });
});
