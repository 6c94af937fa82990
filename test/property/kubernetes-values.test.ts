import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatFieldSelector, parseFieldSelector } from "../../shared/kubernetes/field-selector.ts";
import {
  formatLabelSelector,
  type LabelOperator,
  type LabelRequirement,
  matchesLabels,
  parseLabelSelector,
} from "../../shared/kubernetes/label-selector.ts";
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  milliValue,
  parseQuantity,
  subtractQuantities,
  wholeValue,
} from "../../shared/kubernetes/quantity.ts";
import { isStatus } from "../../shared/kubernetes/status-error.ts";

const exponents: Record<string, number> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, e4: 4, "E-3": -3 };
/** Small enough for none of these to reach the cap of binary quantities. */
const powers: Record<string, number> = { Ki: 10, Mi: 20, Gi: 30 };
const quantity = fc
  .record({
    sign: fc.constantFrom("", "+", "-"),
    whole: fc.nat(99_999_999),
    fraction: fc.constantFrom("", ".", ".0", ".5", ".125", ".001"),
    suffix: fc.constantFrom(...Object.keys(exponents), ...Object.keys(powers)),
  })
  .map(({ sign, whole, fraction, suffix }) => {
    const places = Math.max(0, fraction.length - 1);
    const digits = BigInt(`${whole}${fraction.slice(1)}`);
    const shift = BigInt((exponents[suffix] ?? 0) - places + 15);
    const atto = digits * 10n ** (shift < 0n ? 0n : shift) * 2n ** BigInt(powers[suffix] ?? 0);
    return { text: `${sign}${whole}${fraction}${suffix}`, femto: sign === "-" ? -atto : atto };
  });

describe("quantities", () => {
  it("are ordered as the numbers they stand for, but for what is finer than nano", () => {
    const coarse = quantity.filter(({ femto }) => femto % 1_000_000n === 0n);
    fc.assert(
      fc.property(coarse, coarse, (a, b) => {
        const expected = a.femto < b.femto ? -1 : a.femto > b.femto ? 1 : 0;
        expect(compareQuantities(parseQuantity(a.text), parseQuantity(b.text))).toBe(expected);
        expect(parseQuantity(a.text).nanos).toBe(a.femto / 1_000_000n);
      }),
      { numRuns: 500 },
    );
  });

  it("keep their value when printed, and their canonical form is a fixpoint", () => {
    /** 1.125Ki is printed as 1152, which nobody can tell from a decimal quantity: as in Kubernetes, that takes one more turn. */
    const settle = (binary: boolean, printed: string, print: (text: string) => string): void => {
      const again = print(printed);
      if (!binary || !/\d$/.test(printed)) expect(again).toBe(printed);
      expect(print(again)).toBe(again);
    };
    fc.assert(
      fc.property(quantity, ({ text }) => {
        const parsed = parseQuantity(text);
        const printed = formatQuantity(parsed);
        expect(compareQuantities(parseQuantity(printed), parsed)).toBe(0);
        const binary = text.endsWith("i");
        settle(binary, printed, (again) => formatQuantity(parseQuantity(again)));
        const sum = (term: string): string => formatQuantity(addQuantities(parseQuantity(term), parseQuantity("0")));
        settle(binary, sum(text), sum);
      }),
      { numRuns: 500 },
    );
  });

  it("add and subtract like numbers and round away from zero", () => {
    fc.assert(
      fc.property(quantity, quantity, (a, b) => {
        const [x, y] = [parseQuantity(a.text), parseQuantity(b.text)];
        expect(compareQuantities(subtractQuantities(addQuantities(x, y), y), x)).toBe(0);
        const millis = Math.abs(Number(x.nanos)) / 1e6;
        expect(Math.abs(milliValue(x))).toBeGreaterThanOrEqual(millis * (1 - 1e-12));
        expect(Math.abs(milliValue(x))).toBeLessThan(millis * (1 + 1e-12) + 1);
        expect(Math.sign(wholeValue(x))).toBe(Math.sign(Number(x.nanos)));
      }),
    );
  });

  it("answer any text with a value or a RangeError", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."+-.0159eEinumkKMGTP x"), maxLength: 12 }), (text) => {
        try {
          expect(typeof formatQuantity(parseQuantity(text))).toBe("string");
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

const key = fc.constantFrom("a", "b", "in", "notin", "example.com/app", "x-1");
const labelValue = fc.constantFrom("", "1", "22", "x", "in", "a.b_c");
const number = fc.constantFrom("1", "22");
const requirement: fc.Arbitrary<LabelRequirement> = fc.oneof(
  fc.record({ key, operator: fc.constantFrom<LabelOperator>("=", "==", "!="), values: labelValue.map((one) => [one]) }),
  fc.record({
    key,
    operator: fc.constantFrom<LabelOperator>("in", "notin"),
    values: fc.uniqueArray(labelValue, { minLength: 1 }).map((values) => [...values].sort()),
  }),
  fc.record({ key, operator: fc.constantFrom<LabelOperator>("exists", "!"), values: fc.constant([]) }),
  fc.record({ key, operator: fc.constantFrom<LabelOperator>("gt", "lt"), values: number.map((one) => [one]) }),
);

describe("label selectors", () => {
  it("are read back from their text", () => {
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 5 }), (requirements) => {
        const sorted = requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
        expect(parseLabelSelector(formatLabelSelector(sorted))).toEqual(sorted);
      }),
      { numRuns: 500 },
    );
  });

  it("match exactly what their opposite does not", () => {
    const opposite: Partial<Record<LabelOperator, LabelOperator>> = {
      "=": "!=",
      "==": "!=",
      "!=": "=",
      in: "notin",
      notin: "in",
      exists: "!",
      "!": "exists",
    };
    fc.assert(
      fc.property(requirement, fc.dictionary(key, labelValue, { noNullPrototype: true }), (one, labels) => {
        const operator = opposite[one.operator];
        if (operator === undefined) return;
        expect(matchesLabels([one], labels)).toBe(!matchesLabels([{ ...one, operator }], labels));
      }),
      { numRuns: 300 },
    );
  });

  it("answer any text with requirements or BadRequest", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", "1", " ", ",", "=", "!", "(", ")", ">", "<", "in ", "notin "), maxLength: 12 }),
        (text) => {
          try {
            parseLabelSelector(text);
          } catch (error) {
            expect(isStatus(error, "BadRequest")).toBe(true);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("field selectors", () => {
  it("are read back from their text, whatever signs a value holds", () => {
    const term = fc.record({
      field: fc.constantFrom("metadata.name", "spec.nodeName"),
      operator: fc.constantFrom("=" as const, "!=" as const),
      value: fc.string({ unit: fc.constantFrom("a", ",", "=", "\\", "!"), maxLength: 5 }),
    });
    fc.assert(
      fc.property(fc.array(term, { maxLength: 3 }), (terms) => {
        const read = parseFieldSelector(formatFieldSelector(terms));
        expect(read).toHaveLength(terms.length);
        expect(read).toEqual(expect.arrayContaining(terms));
      }),
      { numRuns: 300 },
    );
  });
});
