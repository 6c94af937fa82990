import { describe, expect, test } from "vitest";
import { type Measurement, median, mediansOf, quantile } from "../../../bench/measurement.ts";

const measured = (operation: string, perSecond: number, errors = 0): Measurement => ({
  operation,
  count: 10,
  errors,
  firstError: errors > 0 ? "500" : "",
  perSecond,
  p50Ms: 1000 / perSecond,
  p99Ms: 2000 / perSecond,
});

describe("quantiles", () => {
  test("do not depend on the order of the values", () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(quantile([4, 3, 2, 1, 0], 0.99)).toBe(3);
  });
  test("of nothing are zero", () => expect(quantile([], 0.5)).toBe(0));
});

describe("medians of several runs", () => {
  test("take each figure of each operation by itself", () => {
    const [creates, gets] = mediansOf([
      [measured("create", 100), measured("get", 1000)],
      [measured("create", 300), measured("get", 900)],
      [measured("create", 200), measured("get", 950)],
    ]);
    expect(creates).toMatchObject({ operation: "create", perSecond: 200, p50Ms: 5 });
    expect(gets).toMatchObject({ operation: "get", perSecond: 950 });
  });
  test("hide no error of any run", () => {
    const [creates] = mediansOf([[measured("create", 100)], [measured("create", 100, 2)]]);
    expect(creates).toMatchObject({ errors: 2, firstError: "500" });
  });
});
