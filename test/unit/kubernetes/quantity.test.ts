import { describe, expect, it } from "vitest";
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  isZeroQuantity,
  milliValue,
  parseQuantity,
  quantityOf,
  quantityOfMillis,
  subtractQuantities,
  wholeValue,
} from "../../../shared/kubernetes/quantity.ts";

const canonical = (text: string | number) => formatQuantity(parseQuantity(text));

describe("a quantity", () => {
  it.each([
    ["0", "0"],
    ["000", "0"],
    ["0Ki", "0"],
    ["1", "1"],
    ["1.5", "1500m"],
    ["0.1", "100m"],
    [".5", "500m"],
    ["5.", "5."],
    ["1000m", "1"],
    ["100m", "100m"],
    ["1500m", "1500m"],
    ["1000", "1k"],
    ["100000", "100k"],
    ["1024", "1024"],
    ["1Ki", "1Ki"],
    ["1024Ki", "1Mi"],
    ["1.5Gi", "1536Mi"],
    ["0.5Ki", "512"],
    ["0.5Mi", "512Ki"],
    ["0.001Ki", "1024m"],
    ["1e3", "1e3"],
    ["1e5", "100e3"],
    ["12E6", "12E6"],
    ["1E", "1E"],
    ["1n", "1n"],
    ["0.1n", "1n"],
    ["0.9n", "1n"],
    ["-1.1n", "-2n"],
    ["-1.5", "-1500m"],
    ["8Ei", "9223372036854775807"],
    ["18446744073709551616", "18446744073709551616"],
    ["1000E", "1e21"],
  ])("written %s is printed %s", (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  it("is read from a JSON number", () => {
    expect(canonical(2)).toBe("2");
    expect(canonical(0.5)).toBe("500m");
    expect(canonical(1e21)).toBe("1e21");
  });

  it.each(["", "abc", "1.2.3", "1 ", "1Kx", "1Ki5x", "9".repeat(2000)])("refuses %j in apimachinery's words", (text) => {
    expect(() => parseQuantity(text)).toThrow(
      new RangeError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    );
  });

  it.each(["1KiKi", "1e", "1i", "5+3", "--1"])("refuses the suffix of %j", (text) => {
    expect(() => parseQuantity(text)).toThrow(new RangeError("unable to parse quantity's suffix"));
  });

  it("refuses an exponent that no amount has, before it costs anything", () => {
    expect(() => parseQuantity("1e1000000000")).toThrow(RangeError);
  });

  it("rounds thousandths and units away from zero", () => {
    expect(milliValue(parseQuantity("100m"))).toBe(100);
    expect(milliValue(parseQuantity("1u"))).toBe(1);
    expect(milliValue(parseQuantity("-1u"))).toBe(-1);
    expect(wholeValue(parseQuantity("1500m"))).toBe(2);
    expect(wholeValue(parseQuantity("128Mi"))).toBe(134217728);
  });

  it("adds in the format of the first, unless that is zero", () => {
    expect(formatQuantity(addQuantities(parseQuantity("1Gi"), parseQuantity("512M")))).toBe("1548576Ki");
    expect(formatQuantity(addQuantities(parseQuantity("0"), parseQuantity("1Gi")))).toBe("1Gi");
    expect(formatQuantity(subtractQuantities(parseQuantity("1"), parseQuantity("100m")))).toBe("900m");
    expect(isZeroQuantity(subtractQuantities(parseQuantity("1Ki"), parseQuantity("1024")))).toBe(true);
  });

  it("compares across formats", () => {
    expect(compareQuantities(parseQuantity("1Ki"), parseQuantity("1024"))).toBe(0);
    expect(compareQuantities(parseQuantity("1M"), parseQuantity("1Mi"))).toBeLessThan(0);
    expect(compareQuantities(parseQuantity("1"), parseQuantity("-5"))).toBeGreaterThan(0);
  });

  it("is made of numbers", () => {
    expect(formatQuantity(quantityOf(2048, "BinarySI"))).toBe("2Ki");
    expect(formatQuantity(quantityOfMillis(1500))).toBe("1500m");
  });

  it("is parsed once for a short text that comes again, and the memory has a bound", () => {
    const first = parseQuantity("107m");
    expect(parseQuantity("107m")).toBe(first);
    for (let other = 0; other < 5000; other++) parseQuantity(`${other}Ki`);
    expect(parseQuantity("107m")).not.toBe(first);
    expect(parseQuantity("107m")).toEqual(first);
    const long = `1${"0".repeat(40)}`;
    expect(parseQuantity(long)).not.toBe(parseQuantity(long));
  });
});
