import { describe, expect, it } from "vitest";
import { typedProblem } from "../../../shared/kubernetes/managed-fields/typed-problem.ts";
import { kindSchema } from "../../../shared/kubernetes/schema/kind-schema.ts";
import { restoreProblem } from "../../../shared/kubernetes/schema/restore-problem.ts";
import type { JsonObject } from "../../../shared/kubernetes/schema/schema-node.ts";

const nodeOf = (group: string, kind: string) => {
  const node = kindSchema(group, "v1", kind)?.node;
  if (node === undefined) throw new Error(`${kind} has no schema`);
  return node;
};
const containers = (...list: unknown[]): JsonObject => ({ spec: { template: { spec: { containers: list } } } });

describe("typedProblem", () => {
  it.each<[string, JsonObject, string | undefined]>([
    ["a good one", { ...containers({ name: "c", image: "x", ports: [{ containerPort: 80 }] }) }, undefined],
    ["a string for a number", { spec: { replicas: "x" } }, ".spec.replicas: expected numeric (int or float), got string"],
    ["an unknown field", { foo: 1 }, ".foo: field not declared in schema"],
    ["an element twice", containers({ name: "c" }, { name: "c" }), '.spec.template.spec.containers: duplicate entries for key [name="c"]'],
    [
      "a map for a list",
      { spec: { template: { spec: { containers: { a: 1 } } } } },
      ".spec.template.spec.containers: expected list, got &{map[a:1]}",
    ],
    [
      "several",
      { metadata: { name: 4, labels: { a: true } } },
      "errors:\n  .metadata.name: expected string, got &value.valueUnstructured{Value:4}\n  .metadata.labels.a: expected string, got &value.valueUnstructured{Value:true}",
    ],
  ])("says what is wrong with %s", (_name, config, expected) => {
    expect(typedProblem(nodeOf("apps", "Deployment"), config)).toBe(expected);
  });
});

describe("restoreProblem", () => {
  it.each<[string, JsonObject, string | undefined]>([
    ["a good one", { spec: { replicas: 3, paused: true } }, undefined],
    ["a number for a string", { spec: { strategy: { type: 5 } } }, "cannot convert int64 to v1.DeploymentStrategyType"],
    ["a string for a number", { spec: { replicas: "3" } }, "unrecognized type: int32"],
    ["a string for an object", { spec: "x" }, "cannot restore struct from: string"],
    ["a number for a map", { metadata: { labels: 5 } }, "cannot restore map from int64"],
    ["an object for a list", { spec: { template: { spec: { containers: {} } } } }, "cannot restore slice from map"],
    ["a string for a boolean", { spec: { paused: "yes" } }, "unrecognized type: bool"],
  ])("says what is wrong with %s", (_name, object, expected) => {
    expect(restoreProblem(nodeOf("apps", "Deployment"), object)).toBe(expected);
  });
});
