import { describe, expect, it } from "vitest";
import { typedProblem } from "../../../shared/kubernetes/managed-fields/typed-problem.ts";
import { kindSchema } from "../../../shared/kubernetes/schema/kind-schema.ts";

const deployment = (object: object): string | undefined => {
  const node = kindSchema("apps", "v1", "Deployment")?.node;
  return node && typedProblem(node, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" }, ...object });
};
const podWith = (containers: unknown) => ({ spec: { template: { spec: { containers } } } });

describe("what an applied configuration may hold", () => {
  it("is what its schema declares, with its types and with null anywhere", () => {
    expect(deployment({ spec: { replicas: null, template: { spec: { containers: [{ name: "a", image: "b" }] } } } })).toBeUndefined();
    expect(deployment({ metadata: { labels: { any: "x" } }, spec: { strategy: { rollingUpdate: { maxSurge: "25%" } } } })).toBeUndefined();
  });

  it("is refused in the words of structured-merge-diff, all at once", () => {
    expect(deployment({ spec: { foo: 1 } })).toBe(".spec.foo: field not declared in schema");
    expect(deployment({ foo: 1, spec: { replicas: "1", paused: "no" } })).toBe(
      "errors:\n  .foo: field not declared in schema\n  .spec.replicas: expected numeric (int or float), got string\n  .spec.paused: expected boolean, got &{no}",
    );
    expect(deployment({ spec: [] })).toBe(".spec: expected map, got &{[]}");
    expect(deployment(podWith({ name: "a" }))).toBe(".spec.template.spec.containers: expected list, got &{map[name:a]}");
    expect(deployment(podWith([{ name: "a", image: 1 }]))).toBe(
      '.spec.template.spec.containers[name="a"].image: expected string, got &value.valueUnstructured{Value:1}',
    );
  });

  it("names each element of a list once", () => {
    // The name has a default, the empty one.
    expect(deployment(podWith([{ image: "a" }]))).toBeUndefined();
    expect(deployment(podWith([{ name: "a" }, { name: "a" }]))).toBe(
      '.spec.template.spec.containers: duplicate entries for key [name="a"]',
    );
    expect(deployment({ metadata: { finalizers: ["a/b", "a/b"] } })).toBe('.metadata.finalizers: duplicate entries for key [="a/b"]');
    expect(deployment(podWith([{ name: "a", ports: [{ containerPort: 80 }] }]))).toBeUndefined();
  });
});
