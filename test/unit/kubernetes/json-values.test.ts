import { describe, expect, it } from "vitest";
import { deepEqual } from "../../../shared/kubernetes/deep-equal.ts";
import { fnv1a32, safeEncodeString, templateHash } from "../../../shared/kubernetes/hash.ts";
import { isPercent, scaledIntOrPercent } from "../../../shared/kubernetes/int-or-string.ts";
import { generateName, generateSuffix } from "../../../shared/kubernetes/random-suffix.ts";

describe("deepEqual", () => {
  it("compares structure, whatever the order of properties", () => {
    expect(deepEqual({ a: [1, { b: null }], c: "x" }, { c: "x", a: [1, { b: null }] })).toBe(true);
    expect(deepEqual({ a: 1 }, { a: 1, b: undefined })).toBe(true);
    expect(deepEqual({ a: undefined, b: 1 }, { b: 1, c: undefined })).toBe(true);
    expect(deepEqual({ a: 1 }, { b: 1 })).toBe(false);
    expect(deepEqual([1, 2], [2, 1])).toBe(false);
    expect(deepEqual([], {})).toBe(false);
    expect(deepEqual({}, null)).toBe(false);
    expect(deepEqual({ a: 0 }, { a: "0" })).toBe(false);
    expect(deepEqual({}, { toString: 1 })).toBe(false);
  });
});

describe("scaledIntOrPercent", () => {
  it("takes a share of the total, rounded as asked", () => {
    expect(scaledIntOrPercent(3, 10, "up")).toBe(3);
    expect(scaledIntOrPercent("25%", 10, "up")).toBe(3);
    expect(scaledIntOrPercent("25%", 10, "down")).toBe(2);
    expect(isPercent("25%")).toBe(true);
    expect(isPercent("25")).toBe(false);
  });

  it("refuses what is no percentage", () => {
    expect(() => scaledIntOrPercent("25", 10, "up")).toThrow("invalid type: string is not a percentage");
    expect(() => scaledIntOrPercent("x%", 10, "up")).toThrow(RangeError);
  });
});

describe("hashes", () => {
  it("are FNV-1a and spell no words", () => {
    expect(fnv1a32("")).toBe(0x811c9dc5);
    expect(fnv1a32("foobar")).toBe(0xbf9cf968);
    expect(safeEncodeString("0")).toBe("4");
  });

  it("are equal for equal templates and differ with a collision count", () => {
    const hash = templateHash({ a: 1, b: [{ c: "x", d: undefined }] });
    expect(templateHash({ b: [{ c: "x" }], a: 1 })).toBe(hash);
    expect(templateHash({ a: 1, b: [{ c: "x" }] }, 1)).not.toBe(hash);
    expect(hash).toMatch(/^[b-df-hj-np-tv-xz24-9]{1,10}$/);
  });
});

describe("generated names", () => {
  it("end in five safe characters and stay within 63", () => {
    const numbers = [0, 0.5, 0.999, 0.1, 0.2];
    expect(generateSuffix(() => numbers.shift() ?? 0)).toMatch(/^b[b-df-hj-np-tv-xz24-9]{3}[b-df-hj-np-tv-xz24-9]$/);
    expect(generateName("pod-", () => 0)).toBe("pod-bbbbb");
    expect(generateName("x".repeat(100), () => 0.99)).toBe(`${"x".repeat(58)}99999`);
  });
});
