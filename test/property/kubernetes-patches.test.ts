import fc from "fast-check";
import { applyPatch as applyByDefinition, type Operation } from "rfc6902";
import { describe, expect, it } from "vitest";
import { deepEqual } from "../../shared/kubernetes/deep-equal.ts";
import { applyJsonPatch } from "../../shared/kubernetes/json-patch.ts";
import { applyMergePatch } from "../../shared/kubernetes/merge-patch.ts";
import { kindSchema } from "../../shared/kubernetes/schema/kind-schema.ts";
import { isStatus } from "../../shared/kubernetes/status-error.ts";
import { applyStrategicMergePatch } from "../../shared/kubernetes/strategic-merge-patch.ts";

const name = fc.constantFrom("a", "b", "c", "a/b", "~");
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom<unknown>(0, 1, "x", true, null),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(name, tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
}));
const document = fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true });
const step = fc.constantFrom("a", "b", "c", "0", "1", "-", "a~1b", "~0");
const path = fc.array(step, { minLength: 1, maxLength: 3 }).map((steps) => `/${steps.join("/")}`);
const operation = fc.oneof(
  fc.record({ op: fc.constantFrom("add", "replace", "test"), path, value }),
  fc.record({ op: fc.constant("remove"), path }),
  fc.record({ op: fc.constantFrom("move", "copy"), path, from: path }),
) as fc.Arbitrary<Operation>;

describe("a merge patch (RFC 7396)", () => {
  const nullFree = (json: unknown): boolean => json !== null && (typeof json !== "object" || Object.values(json).every(nullFree));

  it("is idempotent and changes neither argument", () => {
    fc.assert(
      fc.property(document, document, (original, patch) => {
        const before = structuredClone([original, patch]);
        const once = applyMergePatch(original, patch);
        expect(applyMergePatch(once, patch)).toEqual(once);
        expect([original, patch]).toEqual(before);
      }),
      { numRuns: 300 },
    );
  });

  it("without null is contained in its result", () => {
    fc.assert(
      fc.property(document, document.filter(nullFree), (original, patch) => {
        expect(applyMergePatch(applyMergePatch(original, patch), {})).toMatchObject(patch);
      }),
      { numRuns: 200 },
    );
  });
});

describe("a JSON patch (RFC 6902)", () => {
  it("answers what the definition's reference implementation answers, or refuses", () => {
    let compared = 0;
    fc.assert(
      fc.property(document, fc.array(operation, { maxLength: 4 }), (original, patch) => {
        const before = structuredClone(original);
        const expected = structuredClone(original);
        let refused = false;
        try {
          refused = applyByDefinition(expected, structuredClone(patch)).some((error) => error !== null);
        } catch {
          refused = true;
        }
        try {
          const patched = applyJsonPatch(original, patch);
          if (!refused) {
            expect(patched).toEqual(expected);
            compared++;
          }
        } catch (error) {
          expect(isStatus(error, "Invalid")).toBe(true);
        }
        expect(original).toEqual(before);
      }),
      { numRuns: 1500 },
    );
    expect(compared).toBeGreaterThan(100);
  });

  it("that only tests what is there changes nothing", () => {
    fc.assert(
      fc.property(document, (original) => {
        const tests = Object.entries(original).map(([key, held]) => ({
          op: "test",
          path: `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`,
          value: held,
        }));
        expect(applyJsonPatch(original, tests)).toBe(original);
      }),
    );
  });
});

describe("a strategic merge patch", () => {
  const schema = kindSchema("", "v1", "Pod")?.patch;
  const label = fc.constantFrom("a", "b", "c", "d");
  const named = (fields: Record<string, fc.Arbitrary<unknown>>) =>
    fc.uniqueArray(fc.record({ name: label, ...fields }, { requiredKeys: ["name"] }), {
      selector: (item) => item.name,
      maxLength: 4,
    });
  const container = { image: fc.constantFrom("x:1", "y:2"), env: named({ value: fc.constantFrom("1", "2") }) };
  const pod = fc.record(
    {
      metadata: fc.record({
        labels: fc.dictionary(label, fc.constantFrom("1", "2"), { noNullPrototype: true }),
        finalizers: fc.uniqueArray(label),
      }),
      spec: fc.record(
        { containers: named(container), tolerations: fc.array(fc.record({ key: label })), hostname: label },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  );

  it("is idempotent and changes neither argument", () => {
    fc.assert(
      fc.property(pod, pod, (original, patch) => {
        const before = structuredClone([original, patch]);
        const once = applyStrategicMergePatch(original, patch, schema);
        expect(applyStrategicMergePatch(once, patch, schema)).toEqual(once);
        expect([original, patch]).toEqual(before);
      }),
      { numRuns: 300 },
    );
  });

  it("keeps every element of a merged list and never repeats a key", () => {
    fc.assert(
      fc.property(pod, pod, (original, patch) => {
        const namesOf = (object: object): string[] =>
          ((object as { spec?: { containers?: { name: string }[] } }).spec?.containers ?? []).map((item) => item.name);
        const merged = namesOf(applyStrategicMergePatch(original, patch, schema));
        expect(new Set(merged)).toEqual(new Set([...namesOf(original), ...namesOf(patch)]));
        expect(merged).toHaveLength(new Set(merged).size);
      }),
      { numRuns: 200 },
    );
  });
});

describe("deepEqual", () => {
  it("agrees with JSON whose properties are sorted", () => {
    const sorted = (json: unknown): unknown => {
      if (Array.isArray(json)) return json.map(sorted);
      if (typeof json !== "object" || json === null) return json;
      return Object.fromEntries(
        Object.entries(json)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, held]) => [key, sorted(held)]),
      );
    };
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(deepEqual(a, b)).toBe(JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
        expect(deepEqual(a, structuredClone(a))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
