import { describe, expect, it } from "vitest";
import { formatFieldSelector, matchesFields, parseFieldSelector, requiredFieldValue } from "../../../shared/kubernetes/field-selector.ts";
import { StatusError } from "../../../shared/kubernetes/status-error.ts";

describe("parseFieldSelector", () => {
  it("reads the three operators, terms ascending, empty terms left out", () => {
    expect(parseFieldSelector("b!=2,a==1,,c=x\\,y\\=\\\\,")).toEqual([
      { field: "a", operator: "=", value: "1" },
      { field: "b", operator: "!=", value: "2" },
      { field: "c", operator: "=", value: "x,y=\\" },
    ]);
  });

  it.each([
    ["abc", "invalid selector: 'abc'; can't understand 'abc'"],
    ["a=\\x", "invalid field selector: invalid escape sequence: \\x"],
    ["a=b\\", "invalid field selector: invalid escape sequence: \\"],
    ["a=b=c", "invalid field selector: unescaped character in value: 61"],
  ])("refuses %j", (text, message) => {
    expect(() => parseFieldSelector(text)).toThrow(new StatusError("BadRequest", message));
  });

  it("matches when every term holds, an absent field being empty", () => {
    const fields = (field: string) => ({ "metadata.name": "a" })[field] ?? "";
    expect(matchesFields(parseFieldSelector("metadata.name=a,spec.nodeName="), fields)).toBe(true);
    expect(matchesFields(parseFieldSelector("metadata.name!=a"), fields)).toBe(false);
    expect(matchesFields([], fields)).toBe(true);
  });

  it("knows the value that a field must have", () => {
    const requirements = parseFieldSelector("a=1,b!=2");
    expect(requiredFieldValue(requirements, "a")).toBe("1");
    expect(requiredFieldValue(requirements, "b")).toBeUndefined();
    expect(formatFieldSelector(requirements)).toBe("a=1,b!=2");
  });
});
