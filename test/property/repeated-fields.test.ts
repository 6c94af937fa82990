import fc from "fast-check";
import { expect, it } from "vitest";
import { findRepeatedFields } from "../../shared/kubernetes/repeated-fields.ts";

const layout = fc.constantFrom(undefined, 1, "\t");

it("finds no repeated field in what JSON.stringify writes", () => {
  fc.assert(
    fc.property(fc.jsonValue(), layout, (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      expect(findRepeatedFields(text, JSON.parse(text))).toBeUndefined();
    }),
  );
});

it("finds a repeated field wherever it stands", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), fc.jsonValue(), (before, key, value) => {
      const name = JSON.stringify(key);
      const text = `{"list":[${JSON.stringify(before)},{${name}:${JSON.stringify(value)}, ${name} : 1}]}`;
      expect(findRepeatedFields(text, JSON.parse(text))?.([])).toEqual([`duplicate field ${JSON.stringify(`list[1].${key}`)}`]);
    }),
  );
});
