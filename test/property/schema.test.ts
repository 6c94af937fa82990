import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cloneJson } from "../../shared/kubernetes/clone.ts";
import { builtinResources } from "../../shared/kubernetes/resources.ts";
import { type KindSchema, kindSchema } from "../../shared/kubernetes/schema/kind-schema.ts";
import { isJsonObject, type JsonObject, type SchemaNode } from "../../shared/kubernetes/schema/schema-node.ts";

const names = fc.constantFrom("", "a", "b-1", "Bad_Name", "x.example.com", "true", "None", "Always", "1", "10.0.0.1", "10.0.0.0/24", "*");
const quantities = fc.constantFrom<string | number>("1", "500m", "1Gi", "0", "-1", "1000m", 3, "0.5", "1e3", "100u");
const integers = fc.constantFrom(0, 1, -1, 3, 80, 70_000, 3600, 2 ** 31 - 1);
const times = fc.constantFrom("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456+02:00");
const microTimes = fc.constantFrom("2026-01-02T03:04:05.000000Z", "2026-01-02T03:04:05.123456+02:00");

/** Values that fit the types of a schema, with holes, nulls and zeros in them. `depth` bounds recursion. */
function fitting(node: SchemaNode, depth: number): fc.Arbitrary<unknown> {
  switch (node.shape) {
    case "object":
      return depth === 0 ? fc.constant({}) : objects(node, depth);
    case "map":
      return node.element === undefined ? fc.constant({}) : fc.dictionary(names, fitting(node.element, depth - 1), { maxKeys: 2 });
    case "list":
      return node.element === undefined || depth <= 0 ? fc.constant([]) : fc.array(fitting(node.element, depth - 1), { maxLength: 2 });
    case "string":
      return names;
    case "integer":
      return integers;
    case "number":
      return fc.constantFrom(0, 0.5, 2);
    case "boolean":
      return fc.boolean();
    case "quantity":
      return quantities;
    case "intOrString":
      return fc.constantFrom(0, 1, "25%", "http", "");
    case "time":
      return times;
    case "microTime":
      return microTimes;
    case "bytes":
      return fc.constantFrom("", "eA==", "e30=");
    case "any":
      return fc.constantFrom<unknown>({ a: [1, null] }, {}, true);
    default:
      return node.shape satisfies never;
  }
}

/** A few of an object's fields at once: the larger kinds have too many to fill all. */
function objects(node: SchemaNode, depth: number): fc.Arbitrary<JsonObject> {
  const fields = [...node.fields().values()];
  if (fields.length === 0) return fc.constant({});
  const entry = fc.integer({ min: 0, max: fields.length - 1 }).chain((index) => {
    const field = fields[index];
    if (field === undefined) return fc.constant(["", null] as [string, unknown]);
    const value = fc.oneof({ weight: 9, arbitrary: fitting(field.node, depth - 1) }, { weight: 1, arbitrary: fc.constant(null) });
    return value.map((one) => [field.name, one] as [string, unknown]);
  });
  return fc.array(entry, { maxLength: 6 }).map((entries) => Object.fromEntries(entries.filter(([name]) => name !== "")));
}

const kinds = builtinResources().flatMap(({ group, version, kind }) => {
  const schema = kindSchema(group, version, kind);
  return schema === undefined ? [] : [{ kind: `${group}/${version} ${kind}`, schema }];
});

function completed(schema: KindSchema, object: JsonObject): JsonObject {
  schema.prune(object);
  schema.applyDefaults(object);
  return object;
}

/** The parts that matter most get a level of their own, so that random objects reach into them. */
function wholeObjects(schema: KindSchema): fc.Arbitrary<JsonObject> {
  const spec = schema.node.fields().get("spec");
  const bodies = objects(schema.node, 7);
  if (spec === undefined) return bodies;
  return fc.tuple(bodies, fitting(spec.node, 7)).map(([body, inner]) => (isJsonObject(inner) ? { ...body, spec: inner } : body));
}

describe.each(kinds)("$kind", ({ schema }) => {
  it("takes any object whose types fit: completes it once and for all, and judges it without failing", () => {
    fc.assert(
      fc.property(wholeObjects(schema), wholeObjects(schema), (first, second) => {
        expect(schema.checkTypes(first)).toBeUndefined();
        expect(schema.unknownFields(first)).toEqual([]);
        const next = completed(schema, first);
        const again = completed(schema, cloneJson(next));
        expect(again).toEqual(next);
        const live = completed(schema, second);
        const untouched = cloneJson([next, live]);
        for (const causes of [
          schema.validateCreate(next),
          schema.validateUpdate(next, live),
          schema.validateUpdate(next, live, "status"),
        ]) {
          for (const cause of causes)
            expect(cause).toEqual({ reason: expect.stringMatching(/^FieldValue/), message: expect.any(String), field: expect.any(String) });
        }
        expect([next, live]).toEqual(untouched);
      }),
      { numRuns: 40, seed: 7 },
    );
  });
});
