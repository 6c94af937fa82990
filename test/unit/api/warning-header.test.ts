import { validateHeaderValue } from "node:http";
import { describe, expect, it } from "vitest";
import { warningHeader } from "../../../shared/api/warning-header.ts";

describe("the Warning header", () => {
  it("names each warning once, quoted", () => {
    expect(warningHeader(['unknown field "spec.a"', "b\\c", 'unknown field "spec.a"'])).toBe(
      '299 - "unknown field \\"spec.a\\"", 299 - "b\\\\c"',
    );
    expect(warningHeader([])).toBeUndefined();
  });

  it("is one that can be sent, whatever a field is called", () => {
    for (const name of ["\ufffd", "\ud800", "日本", "\u0000", "\r\nx: y", "\u007f", "\u0085", "é"]) {
      const value = warningHeader([`unknown field "${name}"`, "other"]) ?? "";
      expect(() => validateHeaderValue("warning", value)).not.toThrow();
      expect(value).toContain("other");
    }
    expect(Buffer.from(warningHeader(["日本"]) ?? "", "latin1").toString()).toBe('299 - "日本"');
    expect(warningHeader(["a\nb"])).toBeUndefined();
  });

  it("is cut when it is long, like kube-apiserver's", () => {
    const long = Array.from({ length: 100 }, (_, index) => `${index} ${"x".repeat(1000)}`);
    const value = warningHeader(long) ?? "";
    expect(value.length).toBeLessThan(5000);
    expect(value.split(", ")).toHaveLength(16);
    expect(warningHeader(["x".repeat(4000)])).toHaveLength(4008);
  });
});
