import { describe, expect, it } from "vitest";
import { kindSchema } from "../../../../shared/kubernetes/schema/kind-schema.ts";
import type { OpenApiSchema } from "../../../../shared/kubernetes/schema/open-api.ts";
import type { JsonObject } from "../../../../shared/kubernetes/schema/schema-node.ts";
import { createStructuralSchema } from "../../../../shared/kubernetes/schema/structural-schema.ts";

const metadata = kindSchema("", "v1", "ConfigMap")?.node.fields().get("metadata")?.node;
if (metadata === undefined) throw new Error("ConfigMap has metadata");

const schema: OpenApiSchema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: {
        seats: { type: "integer" },
        colour: { type: "string", default: "red" },
        rigging: { type: "object", default: {}, properties: { sails: { type: "integer", default: 1 } } },
        nothing: { type: "string", nullable: true },
        crew: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
          items: { type: "object", properties: { name: { type: "string" } } },
        },
        cargo: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { weight: { type: "integer" } } },
        port: { "x-kubernetes-int-or-string": true },
        labels: { type: "object", additionalProperties: { type: "string" } },
        inner: { type: "object", "x-kubernetes-embedded-resource": true, properties: { spec: { type: "object" } } },
      },
    },
  },
};

const boats = createStructuralSchema(schema, metadata);

function boat(spec: JsonObject): JsonObject {
  return { apiVersion: "example.com/v1", kind: "Boat", metadata: { name: "a" }, spec };
}

describe("a structural schema", () => {
  it("names and drops unknown fields, but not what is to be preserved", () => {
    const spec = { seats: 0, wings: 2, cargo: { weight: 1, wine: { bottles: 6 } }, labels: { a: "b" }, crew: [{ name: "x", age: 3 }] };
    const object = boat(spec);
    expect(boats.unknownFields(object)).toEqual(['unknown field "spec.wings"', 'unknown field "spec.crew[0].age"']);
    boats.prune(object);
    expect(object.spec).toEqual({ seats: 0, cargo: { weight: 1, wine: { bottles: 6 } }, labels: { a: "b" }, crew: [{ name: "x" }] });
  });

  it("keeps the type of an embedded object", () => {
    const object = boat({ inner: { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: {}, other: 1 } });
    boats.prune(object);
    expect(object.spec).toEqual({ inner: { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: {} } });
  });

  it("keeps nulls only where they are allowed, so that defaults replace the others", () => {
    const object = boat({ colour: null, nothing: null });
    boats.prune(object);
    boats.applyDefaults(object);
    expect(object.spec).toEqual({ colour: "red", nothing: null, rigging: { sails: 1 } });
  });

  it("adds nothing but defaults, and those once", () => {
    const object = boat({ seats: 0 });
    boats.prune(object);
    boats.applyDefaults(object);
    boats.applyDefaults(object);
    expect(object.spec).toEqual({ seats: 0, colour: "red", rigging: { sails: 1 } });
  });

  it("tells ownership of fields how its lists are keyed", () => {
    expect(boats.fields?.property("spec")?.property("crew")).toMatchObject({ type: "list", keys: ["name"] });
    expect(boats.fields?.property("metadata")?.property("finalizers")?.type).toBe("set");
  });
});
