import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCustomKind } from "../../shared/kubernetes/custom/custom-kind.ts";
import { readJsonPath } from "../../shared/kubernetes/custom/json-path.ts";
import { kindSchema } from "../../shared/kubernetes/schema/kind-schema.ts";
import type { JsonObject } from "../../shared/kubernetes/schema/schema-node.ts";
import type { JSONSchemaProps } from "../../shared/kubernetes/types.ts";

const metadata = kindSchema("", "v1", "ConfigMap")?.node.fields().get("metadata")?.node;
if (metadata === undefined) throw new Error("ConfigMap has metadata");
const name = fc.constantFrom("a", "b", "c", "d");

const leaf: fc.Arbitrary<JSONSchemaProps> = fc.oneof(
  fc.record({ type: fc.constant("string"), default: fc.constantFrom("x", "y"), nullable: fc.boolean() }, { requiredKeys: ["type"] }),
  fc.record({ type: fc.constant("integer"), default: fc.integer({ min: 0, max: 5 }), minimum: fc.constant(1) }, { requiredKeys: ["type"] }),
  fc.constant({ "x-kubernetes-int-or-string": true }),
  fc.constant({ "x-kubernetes-preserve-unknown-fields": true }),
);
const schemas = fc.letrec<{ any: JSONSchemaProps; object: JSONSchemaProps }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    leaf,
    tie("object"),
    tie("any").map((items) => ({ type: "array", items })),
    tie("any").map((additionalProperties) => ({ type: "object", additionalProperties })),
  ),
  object: fc
    .record({ properties: fc.dictionary(name, tie("any"), { maxKeys: 3 }), default: fc.constant({}) }, { requiredKeys: ["properties"] })
    .map((rest) => ({ type: "object", ...rest })),
}));
const values = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, 0, 3, "x", "yy", true),
    fc.array(tie("any"), { maxLength: 2 }),
    fc.dictionary(fc.oneof(name, fc.constant("unknown")), tie("any"), { maxKeys: 3 }),
  ),
}));

const kindOf = (schema: JSONSchemaProps) =>
  createCustomKind({ schema, namespaced: false, scale: undefined, metadata, deadline: () => () => false });
const objectOf = (fields: unknown): JsonObject => ({
  apiVersion: "g.io/v1",
  kind: "K",
  metadata: { name: "n" },
  spec: structuredClone(fields),
});

describe("custom objects", () => {
  it("are pruned and defaulted once: a second time changes nothing, and nothing is unknown any more", () => {
    fc.assert(
      fc.property(schemas.any, values.any, (spec, value) => {
        const kind = kindOf({ type: "object", properties: { spec } });
        const object = objectOf(value);
        kind.prune(object);
        kind.applyDefaults(object);
        const once = structuredClone(object);
        expect(kind.unknownFields(object)).toEqual([]);
        kind.prune(object);
        kind.applyDefaults(object);
        expect(object).toEqual(once);
      }),
    );
  });

  it("that did not change are never refused, whatever they are", () => {
    fc.assert(
      fc.property(schemas.any, values.any, (spec, value) => {
        const kind = kindOf({ type: "object", properties: { spec } });
        const object = { ...objectOf(value), metadata: { name: "n", resourceVersion: "1" } };
        expect(kind.validateUpdate(structuredClone(object), object)).toEqual([]);
      }),
    );
  });
});

it("a JSONPath of any text reads nothing or is none, and never throws", () => {
  fc.assert(
    fc.property(fc.string(), values.any, (text, value) => {
      const found = readJsonPath(text)?.(value);
      expect(found === undefined || Array.isArray(found)).toBe(true);
    }),
  );
});
