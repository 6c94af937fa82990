import { performance } from "node:perf_hooks";
import { describe, expect, it } from "vitest";
import { kindSchema } from "../../../../shared/kubernetes/schema/kind-schema.ts";

const validate = (rules: readonly object[]) => {
  const properties = { spec: { type: "object", properties: { a: { type: "string", maxLength: 5 } }, "x-kubernetes-validations": rules } };
  return kindSchema("apiextensions.k8s.io", "v1", "CustomResourceDefinition")?.validateCreate({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "boats.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "boats", singular: "boat", kind: "Boat", listKind: "BoatList" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object", properties } } }],
      conversion: { strategy: "None" },
    },
  });
};
const alternatives = (count: number): string => Array.from({ length: count }, (_, index) => `self.a == 'x${index}'`).join(" || ");

describe("the rules of a definition", () => {
  it.each([
    ["one of very many parts", [{ rule: alternatives(5000) }]],
    ["many", Array.from({ length: 4000 }, () => ({ rule: "self.a == self.a" }))],
    ["many that do not compile", Array.from({ length: 4000 }, () => ({ rule: "self.b" }))],
    ["a long list", [{ rule: `[${"1,".repeat(49_000)}1].size() > 0` }]],
  ])("are compiled in a moment, whatever they are: %s", (_what, rules) => {
    validate([{ rule: "self.a == 'x'" }]);
    const began = performance.now();
    validate(rules);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it("are refused unread where they are more than a definition needs", () => {
    const began = performance.now();
    const causes = validate(Array.from({ length: 60_000 }, () => ({ rule: "self.a == 'x'" })));
    expect(performance.now() - began).toBeLessThan(1000);
    expect(causes?.map(({ field, message }) => `${field}: ${message}`)).toEqual([
      "spec.versions: Forbidden: x-kubernetes-validations of all versions have 2700000 characters together, this server compiles 262144 at most",
    ]);
  });
});
